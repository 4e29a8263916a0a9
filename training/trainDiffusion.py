"""Stage 3: one UNet for depth and normals, told apart by its constant context: trainDiffusion.py CONFIG.

Input [rgb latent, z_t]; target v. Half of each batch is depth, half normals. A share of the samples has t = T and zeros for
z_T, as the end-to-end stage has: in latent space, without the decoder, it sees several times as many samples a second.
"""

import glob
import os
import sys

import numpy as np
import torch

from run import TASKS, Config, Trainer, iteration_generator, start
from schedule import Schedule, annealed_pyramid_noise
from unet import UNet


class Latents:
    """The encoded scenes of some copies of one size: latents [N, 12, h, w], scenes [N], mirrored [N]."""

    def __init__(self, config, copies):
        paths = [path for name in copies for path in sorted(glob.glob(os.path.join(config.cache, "latents", name + "-*.npz")))]
        parts = [dict(np.load(path)) for path in paths]
        self.latents = [part["latents"] for part in parts]
        self.scenes = np.concatenate([part["scenes"] for part in parts])
        self.mirrored = np.concatenate([part["mirrored"] for part in parts])
        self.starts = np.cumsum([0] + [len(part) for part in self.latents])

    def draw(self, count, generator):
        """Random rows: latents float32 [count, 12, h, w] and their row numbers."""
        rows = torch.randint(len(self.scenes), (count,), generator=generator).numpy()
        parts = np.searchsorted(self.starts, rows, side="right") - 1
        picked = np.stack([self.latents[part][row - self.starts[part]] for part, row in zip(parts, rows)])
        return torch.from_numpy(picked).float(), rows


def task_contexts(seed, channels):
    """[task, 2 tokens, channels]: fixed random vectors that take the place of a text prompt's embedding."""
    return torch.randn(len(TASKS), 2, channels, generator=torch.Generator().manual_seed(seed))


def phase_of(phases, iteration):
    """The phase that an iteration falls into."""
    for phase in phases:
        if iteration < phase["iterations"]:
            return phase
        iteration -= phase["iterations"]
    return phases[-1]


def random_timesteps(count, settings, schedule, generator):
    """t [count] = T u^exponent, u uniform (more of the noisy end, where the layout is decided); a share is T - 1 itself.

    Also which samples get zeros for z_T (bool [count, 1, 1, 1]; their t is T - 1).
    """
    t = (schedule.steps * torch.rand(count, generator=generator) ** settings["t_exponent"]).long()
    zeros = torch.rand(count, generator=generator) < settings["zeros_share"]
    last = torch.rand(count, generator=generator) < settings["t_last_share"]
    t = torch.where(zeros | last, schedule.steps - 1, t.clamp(max=schedule.steps - 1))
    return t, zeros[:, None, None, None]


def train_step(trainer, latents, phase, settings, schedule, contexts, device, dtype, generator):
    batch = phase["batch"]
    drawn, _ = latents.draw(batch, generator)
    task = torch.arange(batch) % 2
    rgb = drawn[:, :4]
    z0 = torch.where(task[:, None, None, None] == 0, drawn[:, 4:8], drawn[:, 8:12])
    t, zeros = random_timesteps(batch, settings, schedule, generator)
    noise = annealed_pyramid_noise(z0.shape, t, schedule.steps, generator, settings["noise_strength"]) * ~zeros
    z_t, target = schedule.noised(z0, noise, t) * ~zeros, schedule.velocity(z0, noise, t).to(device)
    sample = torch.cat([rgb, z_t], 1).to(device, dtype).contiguous(memory_format=torch.channels_last)
    difference = trainer.model(sample, t.to(device), contexts[task].to(device, dtype)).float() - target
    error = difference.square().mean((1, 2, 3))
    error.mean().backward()
    error, zeros = error.detach().cpu(), zeros.flatten()
    trainer.step({"depth": error[0::2].mean().item(), "normals": error[1::2].mean().item(),
                  "zeros": error[zeros].mean().item() if zeros.any() else 0.0}, batch)


def main(config):
    settings = config["diffusion"]
    settings["iterations"] = sum(phase["iterations"] for phase in settings["phases"])
    device, dtype, rank, world = start(config["seed"])
    model = UNet(config["unet"]["network"])
    model = model.to(device, dtype, memory_format=torch.channels_last)
    contexts = task_contexts(config["seed"], config["unet"]["network"]["cross_attention_dim"])
    trainer = Trainer(config, "diffusion", model, settings, {"contexts": contexts})
    schedule = Schedule(**config["schedule"])
    trainer.resume()
    current = None
    while trainer.iteration < settings["iterations"]:
        phase = phase_of(settings["phases"], trainer.iteration)
        if phase is not current:
            current, latents = phase, Latents(config, phase["copies"])
            trainer.extras["scenes"] = max(trainer.extras.get("scenes", 0), len(set(latents.scenes.tolist())))
        generator = iteration_generator(config["seed"], trainer.iteration, rank, world)
        train_step(trainer, latents, phase, settings, schedule, contexts, device, dtype, generator)


if __name__ == "__main__":
    main(Config(sys.argv[1]))
