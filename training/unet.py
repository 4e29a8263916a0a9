"""UNet2DConditionModel in the style of Stable Diffusion 2: keys, config fields and arithmetic as in diffusers."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from kernels import group_norm
from layers import Downsample, ResnetBlock, SpatialTransformer, Upsample


def timestep_embedding(t, channels):
    """Sinusoidal embedding [N, channels]: cosines first (`flip_sin_to_cos`), frequencies 10000^(-i / half)."""
    half = channels // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    angles = t.float()[:, None] * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class TimeEmbedding(nn.Module):
    def __init__(self, channels_in, channels):
        super().__init__()
        self.linear_1 = nn.Linear(channels_in, channels)
        self.linear_2 = nn.Linear(channels, channels)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class Block(nn.Module):
    """One level: resnets, each followed by a transformer where the level has attention, then an optional resampling."""

    def __init__(self, resnets, attentions, downsampler=None, upsampler=None):
        super().__init__()
        if attentions:
            self.attentions = nn.ModuleList(attentions)
        self.resnets = nn.ModuleList(resnets)
        if downsampler:
            self.downsamplers = nn.ModuleList([downsampler])
        if upsampler:
            self.upsamplers = nn.ModuleList([upsampler])

    def layer(self, index, x, time, context):
        x = self.resnets[index](x, time)
        return self.attentions[index](x, context) if hasattr(self, "attentions") else x


class UNet(nn.Module):
    """forward(sample [N, 8, h, w], timestep [N], context [N, tokens, D]) -> [N, 4, h, w]."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        widths, layers = config["block_out_channels"], config["layers_per_block"]
        groups, eps, context = config["norm_num_groups"], config["norm_eps"], config["cross_attention_dim"]
        heads, time = config["attention_head_dim"], 4 * widths[0]
        resnet = lambda a, b: ResnetBlock(a, b, time, groups, eps)
        transformer = lambda level: SpatialTransformer(widths[level], heads[level], context, groups)
        last = len(widths) - 1

        self.conv_in = nn.Conv2d(config["in_channels"], widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], time)
        self.down_blocks = nn.ModuleList()
        skips, channels = [widths[0]], widths[0]
        for level, width in enumerate(widths):
            attends = config["down_block_types"][level] == "CrossAttnDownBlock2D"
            resnets = [resnet(channels if i == 0 else width, width) for i in range(layers)]
            self.down_blocks.append(Block(resnets, [transformer(level) for _ in range(layers)] if attends else [],
                                          downsampler=Downsample(width, False) if level < last else None))
            skips += [width] * (layers + (level < last))
            channels = width
        self.mid_block = Block([resnet(channels, channels), resnet(channels, channels)], [transformer(last)])
        self.up_blocks = nn.ModuleList()
        for index in range(len(widths)):
            level = last - index
            attends = config["up_block_types"][index] == "CrossAttnUpBlock2D"
            resnets = []
            for _ in range(layers + 1):
                resnets.append(resnet(channels + skips.pop(), widths[level]))
                channels = widths[level]
            self.up_blocks.append(Block(resnets, [transformer(level) for _ in range(layers + 1)] if attends else [],
                                        upsampler=Upsample(channels) if level else None))
        self.conv_norm_out = nn.GroupNorm(groups, channels, eps)
        self.conv_out = nn.Conv2d(channels, config["out_channels"], 3, padding=1)

    def forward(self, sample, timestep, context):
        embedding = timestep_embedding(timestep, self.conv_in.out_channels).to(sample.dtype)
        time = self.time_embedding(embedding)
        x = self.conv_in(sample)
        skips = [x]
        for block in self.down_blocks:
            for index in range(len(block.resnets)):
                x = block.layer(index, x, time, context)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0](x)
                skips.append(x)
        x = self.mid_block.resnets[0](x, time)
        x = self.mid_block.resnets[1](self.mid_block.attentions[0](x, context), time)
        for block in self.up_blocks:
            for index in range(len(block.resnets)):
                x = block.layer(index, torch.cat([x, skips.pop()], dim=1), time, context)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0](x, skips[-1].shape[2:])
        return self.conv_out(group_norm(self.conv_norm_out, x))
