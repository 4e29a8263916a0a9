"""Building blocks of both networks. Module names give diffusers' state-dict keys, so a checkpoint can be read by either."""

import torch
import torch.nn.functional as F
from torch import nn

from kernels import geglu, group_norm


class ResnetBlock(nn.Module):
    """GroupNorm, SiLU, conv, (+ time), GroupNorm, SiLU, conv, + input. time_channels 0: no time embedding (VAE)."""

    def __init__(self, channels_in, channels_out, time_channels, groups, eps):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels_in, eps)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        if time_channels:
            self.time_emb_proj = nn.Linear(time_channels, channels_out)
        self.norm2 = nn.GroupNorm(groups, channels_out, eps)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        if channels_in != channels_out:
            self.conv_shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x, time=None):
        h = self.conv1(group_norm(self.norm1, x))
        if time is not None:
            h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(group_norm(self.norm2, h))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Downsample(nn.Module):
    """Strided 3x3 conv. asymmetric: pads right and below only, as the VAE encoder does."""

    def __init__(self, channels, asymmetric):
        super().__init__()
        self.asymmetric = asymmetric
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=0 if asymmetric else 1)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.asymmetric else x)


class Upsample(nn.Module):
    """Nearest-neighbour upsampling to twice the size (or to `size`, for skips with odd sides) and a 3x3 conv."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x, size=None):
        size = size or (2 * x.shape[2], 2 * x.shape[3])
        return self.conv(F.interpolate(x, size=size, mode="nearest"))


class Attention(nn.Module):
    """Multi-head attention of tokens x [N, L, C] to context [N, M, D] (or to x itself)."""

    def __init__(self, channels, heads, context_channels=None, bias=False):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=bias)
        self.to_k = nn.Linear(context_channels or channels, channels, bias=bias)
        self.to_v = nn.Linear(context_channels or channels, channels, bias=bias)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x, context=None):
        context = x if context is None else context
        split = lambda y: y.reshape(y.shape[0], y.shape[1], self.heads, -1).transpose(1, 2)
        q, k, v = split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context))
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
        y = scores.float().softmax(-1).to(v.dtype) @ v
        return self.to_out[0](y.transpose(1, 2).reshape(x.shape))


class GegluProjection(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.proj = nn.Linear(channels, 2 * hidden)

    def forward(self, x):
        return geglu(self.proj(x))


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.net = nn.ModuleList([GegluProjection(channels, 4 * channels), nn.Identity(),
                                  nn.Linear(4 * channels, channels)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class LayerNorm(nn.LayerNorm):
    """Computed in float32 (PyTorch's bfloat16 LayerNorm is many times slower on CPUs)."""

    def forward(self, x):
        weight, bias = self.weight.float(), self.bias.float()
        return F.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention and a GEGLU layer, each behind a LayerNorm, each added to its input."""

    def __init__(self, channels, heads, context_channels):
        super().__init__()
        self.norm1 = LayerNorm(channels)
        self.attn1 = Attention(channels, heads)
        self.norm2 = LayerNorm(channels)
        self.attn2 = Attention(channels, heads, context_channels)
        self.norm3 = LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, x, context):
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    """A transformer block over the pixels of a feature map (linear projections, SD-2 style)."""

    def __init__(self, channels, heads, context_channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, 1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, heads, context_channels)])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, x, context):
        n, c, h, w = x.shape
        tokens = self.proj_in(group_norm(self.norm, x, activate=False).permute(0, 2, 3, 1).reshape(n, h * w, c))
        tokens = self.proj_out(self.transformer_blocks[0](tokens, context))
        return x + tokens.reshape(n, h, w, c).permute(0, 3, 1, 2)


class PixelAttention(nn.Module):
    """The VAE's optional mid-block attention: one head over all pixels."""

    def __init__(self, channels, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels, 1e-6)
        inner = Attention(channels, 1, bias=True)
        self.to_q, self.to_k, self.to_v, self.to_out = inner.to_q, inner.to_k, inner.to_v, inner.to_out
        self.heads = 1

    def forward(self, x):
        n, c, h, w = x.shape
        tokens = self.group_norm(x).permute(0, 2, 3, 1).reshape(n, h * w, c)
        return x + Attention.forward(self, tokens).reshape(n, h, w, c).permute(0, 3, 1, 2)
