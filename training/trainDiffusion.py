"""Stage 3: one UNet for depth and normals, told apart by its constant context: trainDiffusion.py CONFIG.

Input [rgb latent, z_t]; target v. Half of each batch is depth, half normals. A share of the samples has t = T and zeros for
z_T, as the end-to-end stage has: in latent space, without the decoder, it sees several times as many samples a second.
"""

import glob
import os
import sys

import numpy as np
import torch

from run import TASKS, Config, Trainer, iteration_generator, load_ema, start
from schedule import Schedule, annealed_pyramid_noise
from unet import UNet


class Latents:
    """The encoded scenes of some copies of one size, in memory."""

    def __init__(self, config, copies):
        self.folders = [os.path.join(config.cache, "latents", name) for name in copies]
        self.seen, self.shards, self.latents, self.mirrored, self.boxes = set(), [], [], [], []
        self.refresh()

    def refresh(self):
        """Takes in what was encoded since."""
        for path in [path for folder in self.folders for path in sorted(glob.glob(os.path.join(folder, "*.npz")))]:
            if path not in self.seen:
                self.seen.add(path)
                self.shards.append(os.path.splitext(os.path.basename(path))[0])
                with np.load(path) as part:
                    self.latents.append(part["latents"])
                    self.mirrored.append(part["mirrored"])
                    self.boxes.append(part["boxes"])
        self.starts = np.cumsum([0] + [len(part) for part in self.latents])
        self.scenes = sum(len(part) for part in dict(zip(self.shards, self.latents)).values())

    def draw(self, count, generator):
        """Random rows: latents float32 [count, 12, h, w], and of each (shard name, row in it, mirrored, box)."""
        rows = torch.randint(int(self.starts[-1]), (count,), generator=generator).numpy()
        parts = np.searchsorted(self.starts, rows, side="right") - 1
        places = list(zip(parts, rows - self.starts[parts]))
        picked = np.stack([self.latents[part][row] for part, row in places])
        return torch.from_numpy(picked).float(), [(self.shards[p], int(r), bool(self.mirrored[p][r]), self.boxes[p][r]) for p, r in places]


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


def squared_errors(model, rgb, z0, context, settings, schedule, device, dtype, generator):
    """Of v, mean over each sample: [N]; and which samples have zeros for z_T: bool [N, 1, 1, 1]. rgb and z0: [N, 4, h, w]."""
    t, zeros = random_timesteps(len(z0), settings, schedule, generator)
    noise = annealed_pyramid_noise(z0.shape, t, schedule.steps, generator, settings["noise_strength"]) * ~zeros
    z_t, target = schedule.noised(z0, noise, t) * ~zeros, schedule.velocity(z0, noise, t).to(device)
    sample = torch.cat([rgb, z_t], 1).to(device, dtype).contiguous(memory_format=torch.channels_last)
    difference = model(sample, t.to(device), context.to(device, dtype)).float() - target
    return difference.square().mean((1, 2, 3)), zeros


def train_step(trainer, latents, phase, settings, schedule, contexts, device, dtype, generator):
    batch = phase["batch"]
    drawn, _ = latents.draw(batch, generator)
    task = torch.arange(batch) % 2
    rgb = drawn[:, :4]
    z0 = torch.where(task[:, None, None, None] == 0, drawn[:, 4:8], drawn[:, 8:12])
    error, zeros = squared_errors(trainer.model, rgb, z0, contexts[task], settings, schedule, device, dtype, generator)
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
    if "origin" in settings:  # weights to go on from, when there is no checkpoint of this run
        model.load_state_dict(load_ema(config, settings["origin"])["weights"])
    trainer = Trainer(config, "diffusion", model, settings, {"contexts": contexts})
    schedule = Schedule(**config["schedule"])
    trainer.resume()
    current = None
    while trainer.iteration < settings["iterations"]:
        phase = phase_of(settings["phases"], trainer.iteration)
        if phase is not current:
            current, latents = phase, Latents(config, phase["copies"])
        if trainer.iteration % 500 == 0:
            latents.refresh()
        trainer.extras["scenes"] = max(trainer.extras.get("scenes", 0), latents.scenes)
        generator = iteration_generator(config["seed"], trainer.iteration, rank, world)
        train_step(trainer, latents, phase, settings, schedule, contexts, device, dtype, generator)


if __name__ == "__main__":
    main(Config(sys.argv[1]))
