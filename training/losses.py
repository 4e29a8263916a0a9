"""Losses of the stages. Shapes: maps [N, C, H, W], masks [N, 1, H, W]."""

import torch


def gradient_l1(a, b, levels=3):
    """Mean |difference of the finite differences| of a and b over `levels` scales, each half as large."""
    error, total = a - b, 0.0
    for level in range(levels):
        total = total + (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        if level < levels - 1:
            error = torch.nn.functional.avg_pool2d(error, 2)
    return total / (2 * levels)


def kl_divergence(mean, logvar):
    """Of N(mean, exp(logvar)) from N(0, 1), mean over all elements."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()


def aligned(prediction, truth, mask):
    """s * prediction + t, least-squares fit to the truth over valid pixels of each image; [N, H * W], and truth and mask so."""
    p, g, m = prediction.flatten(1), truth.flatten(1), mask.flatten(1)
    count = m.sum(1, keepdim=True).clamp(min=1)
    p_mean, g_mean = (m * p).sum(1, keepdim=True) / count, (m * g).sum(1, keepdim=True) / count
    p = p - p_mean
    variance = (m * p * p).sum(1, keepdim=True) / count
    scale = ((m * p * (g - g_mean)).sum(1, keepdim=True) / count) / (variance + 1e-5)
    return scale * p + g_mean, g, m


def affine_invariant_l1(prediction, truth, mask):
    """Eq. 1: mean |d* - (s d + t)| over valid pixels, s and t the least-squares fit of each image; [N, 1, H, W]."""
    fit, g, m = aligned(prediction, truth, mask)
    return ((m * (g - fit).abs()).sum(1) / m.sum(1).clamp(min=1)).mean()


def relative_error(prediction, truth, relative, mask, most=3.0):
    """The error of Eq. 1 in metres over the depth in metres; relative [N, 1, H, W] turns one into the other.

    Errors beyond `most` do not count more, lest a few near pixels outweigh everything.
    """
    fit, g, m = aligned(prediction, truth, mask)
    error = (relative.flatten(1) * (g - fit).abs()).clamp(max=most)
    return ((m * error).sum(1) / m.sum(1).clamp(min=1)).mean()


def angular_error(prediction, truth, mask):
    """Eq. 2: mean angle (radians) between normalised prediction and truth over valid pixels; [N, 3, H, W].

    2 atan2(|p - g|, |p + g|) equals arccos(p . g) but has a gradient where the vectors agree.
    """
    p = prediction / (prediction.square().sum(1, keepdim=True) + 1e-6).sqrt()
    difference = ((p - truth).square().sum(1, keepdim=True) + 1e-8).sqrt()
    total = ((p + truth).square().sum(1, keepdim=True) + 1e-8).sqrt()
    return (mask * 2 * torch.atan2(difference, total)).sum() / mask.sum().clamp(min=1)
