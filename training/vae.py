"""AutoencoderKL: keys, config fields and arithmetic as in diffusers."""

import torch
from torch import nn

from kernels import group_norm
from layers import Downsample, PixelAttention, ResnetBlock, Upsample
from unet import Block

EPS = 1e-6


class MidBlock(nn.Module):
    def __init__(self, channels, groups, attention):
        super().__init__()
        self.resnets = nn.ModuleList([ResnetBlock(channels, channels, 0, groups, EPS) for _ in range(2)])
        if attention:
            self.attentions = nn.ModuleList([PixelAttention(channels, groups)])

    def forward(self, x):
        x = self.resnets[0](x)
        if hasattr(self, "attentions"):
            x = self.attentions[0](x)
        return self.resnets[1](x)


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths, groups = config["block_out_channels"], config["norm_num_groups"]
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        channels = widths[0]
        for level, width in enumerate(widths):
            resnets = [ResnetBlock(channels if i == 0 else width, width, 0, groups, EPS)
                       for i in range(config["layers_per_block"])]
            self.down_blocks.append(Block(resnets, [], Downsample(width, True) if level < len(widths) - 1 else None))
            channels = width
        self.mid_block = MidBlock(channels, groups, config["mid_block_add_attention"])
        self.conv_norm_out = nn.GroupNorm(groups, channels, EPS)
        self.conv_out = nn.Conv2d(channels, 2 * config["latent_channels"], 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for block in self.down_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0](x)
        return self.conv_out(group_norm(self.conv_norm_out, self.mid_block(x)))


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths, groups = config["block_out_channels"][::-1], config["norm_num_groups"]
        self.conv_in = nn.Conv2d(config["latent_channels"], widths[0], 3, padding=1)
        self.mid_block = MidBlock(widths[0], groups, config["mid_block_add_attention"])
        self.up_blocks = nn.ModuleList()
        channels = widths[0]
        for level, width in enumerate(widths):
            resnets = [ResnetBlock(channels if i == 0 else width, width, 0, groups, EPS)
                       for i in range(config["layers_per_block"] + 1)]
            self.up_blocks.append(Block(resnets, [], upsampler=Upsample(width) if level < len(widths) - 1 else None))
            channels = width
        self.conv_norm_out = nn.GroupNorm(groups, channels, EPS)
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, z):
        x = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0](x)
        return self.conv_out(group_norm(self.conv_norm_out, x))


class Autoencoder(nn.Module):
    """encode: image [N, 3, H, W] in [-1, 1] -> mean, log-variance [N, 4, h, w]; decode: unscaled latent -> image."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        latent = config["latent_channels"]
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = nn.Conv2d(2 * latent, 2 * latent, 1)
        self.post_quant_conv = nn.Conv2d(latent, latent, 1)

    def encode(self, image):
        return self.quant_conv(self.encoder(image)).chunk(2, dim=1)

    def decode(self, latent):
        return self.decoder(self.post_quant_conv(latent))
