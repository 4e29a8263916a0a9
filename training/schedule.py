"""The diffusion schedule of Stable Diffusion 2 and Marigold.

Symbols: t time step 0..T-1 (T = 1000), abar_t = prod (1 - beta_i), z_0 clean latent, eps noise,
z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) eps,   v = sqrt(abar_t) eps - sqrt(1 - abar_t) z_0.
"""

import numpy as np
import torch
import torch.nn.functional as F


class Schedule:
    def __init__(self, num_train_timesteps, beta_start, beta_end):
        self.steps = num_train_timesteps
        roots = torch.linspace(beta_start ** 0.5, beta_end ** 0.5, num_train_timesteps)  # "scaled_linear"
        self.abar = torch.cumprod(1 - roots ** 2, dim=0)

    def coefficients(self, t):
        """sqrt(abar_t) and sqrt(1 - abar_t), shaped [N, 1, 1, 1]."""
        abar = self.abar.to(t.device)[t][:, None, None, None]
        return abar.sqrt(), (1 - abar).sqrt()

    def noised(self, z0, noise, t):
        signal, sigma = self.coefficients(t)
        return signal * z0 + sigma * noise

    def velocity(self, z0, noise, t):
        signal, sigma = self.coefficients(t)
        return signal * noise - sigma * z0

    def z0_from_velocity(self, z_t, v, t):
        signal, sigma = self.coefficients(t)
        return signal * z_t - sigma * v

    def timesteps(self, count, spacing):
        """The time steps of `count` inference steps, in the order in which they run (0-based)."""
        if spacing == "trailing":
            return [int(t) for t in np.round(np.arange(self.steps, 0, -self.steps / count))[:count] - 1]
        if spacing == "leading":  # steps_offset 1
            return [int(t) for t in (np.arange(count) * (self.steps // count))[::-1] + 1]
        raise ValueError(f"Expected leading or trailing for spacing but received {spacing}")

    def sample(self, predict_v, z, count, spacing):
        """DDIM (eta 0) from noise z; returns the last step's estimate of z_0. predict_v(z_t, t [N]) -> v."""
        timesteps = self.timesteps(count, spacing)
        for t_now in timesteps:
            t = torch.full((z.shape[0],), t_now)
            signal, sigma = self.coefficients(t)
            v = predict_v(z, t)
            z0, noise = signal * z - sigma * v, sigma * z + signal * v
            t_next = max(t_now - self.steps // count, 0)  # past the end: abar_0 (`set_alpha_to_one` false)
            signal_next, sigma_next = self.coefficients(torch.full_like(t, t_next))
            z = signal_next * z0 + sigma_next * noise
        return z0


def annealed_pyramid_noise(shape, t, steps, generator, strength=0.9):
    """Marigold's training noise: Gaussian noise plus upsampled coarser noise, the coarse part faded out as t goes to 0.

    Level i (half the size each) is weighted (strength * t / T)^i; the sum is divided by its standard deviation.
    """
    n, c, h, w = shape
    noise = torch.randn(shape, generator=generator)
    weight = (strength * t.float() / steps)[:, None, None, None]
    variance = torch.ones_like(weight)
    level, side_h, side_w = 1, h // 2, w // 2
    while min(side_h, side_w) >= 1:
        coarse = torch.randn(n, c, side_h, side_w, generator=generator)
        noise = noise + weight ** level * F.interpolate(coarse, size=(h, w), mode="bilinear", align_corners=False)
        variance = variance + weight ** (2 * level)
        level, side_h, side_w = level + 1, side_h // 2, side_w // 2
    return noise / noise.flatten(1).std(dim=1)[:, None, None, None]
