"""Carries UNets over to an autoencoder that was trained further: adaptLatents.py OLD_CONFIG NEW_CONFIG.

A longer trained autoencoder has other latents, but mostly linearly other ones. Both outer convolutions are fitted anew by least
squares on training scenes: conv_in so that it makes of the new RGB latents what it made of the old ones, and conv_out so that it
makes, of the features before it, the new latents of the maps that the old UNet predicted. (The latents of the true maps would
not do: a UNet trained end to end leaves their manifold.) The diffusion UNet is fitted on noised latents as stage 3 draws them,
conv_out to their true v. Writes init/diffusion.pt and init/e2e-<task>.pt in the new cache, the `origin` of stages 3 and 4.
"""

import glob
import os
import sys

import torch
import torch.nn.functional as F

from encodeLatents import MAPS, OneShard, load_vae
from run import TASKS, Config, load_ema, load_state
from schedule import Schedule, annealed_pyramid_noise
from trainDiffusion import random_timesteps
from unet import UNet

SCENES = 64


def fitted_convolution(source, target, ridge=1e-5):
    """weight [O, C, 3, 3] and bias [O] of the 3x3 convolution of source [N, C, h, w] nearest to target [N, O, h, w]."""
    channels = source.shape[1]
    size = 9 * channels + 1
    gram, right = torch.zeros(size, size, dtype=torch.double), torch.zeros(size, target.shape[1], dtype=torch.double)
    for x, y in zip(source.split(8), target.split(8)):
        patches = F.unfold(x, 3, padding=1).transpose(1, 2).reshape(-1, size - 1).double()
        patches = torch.cat([patches, torch.ones_like(patches[:, :1])], 1)
        gram += patches.T @ patches
        right += patches.T @ y.permute(0, 2, 3, 1).reshape(-1, y.shape[1]).double()
    gram += ridge * gram.diagonal().mean() * torch.eye(size, dtype=torch.double)
    solution = torch.linalg.solve(gram, right).float()
    return solution[:-1].T.reshape(-1, channels, 3, 3).contiguous(), solution[-1].contiguous()


def in_parts(function, *maps):
    return torch.cat([function(*parts) for parts in zip(*[m.split(8) for m in maps])])


def loaded(config, stage):
    """The UNet of a stage's EMA weights, and its checkpoint."""
    checkpoint = {**load_ema(config, stage), "samples": load_state(config, stage).get("samples", 0)}
    unet = UNet(config["unet"]["network"]).requires_grad_(False)
    unet.load_state_dict(checkpoint["weights"])
    return unet, checkpoint


def write(config, stage, unet, checkpoint):
    extras = {name: checkpoint[name] for name in ("contexts", "scenes") if name in checkpoint}
    state = {"ema": unet.state_dict(), "extras": extras, "samples": checkpoint["samples"]}
    torch.save(state, config.checkpoint(f"init/{stage}.pt"))


def one_step(unet, context, steps):
    """latents -> the UNet's v at t = T from zeros."""
    def run(latents):
        timestep = torch.full((len(latents),), steps - 1)
        return unet(torch.cat([latents, torch.zeros_like(latents)], 1), timestep, context.expand(len(latents), -1, -1))
    return run


def refit_output(unet, run, target):
    """Fits conv_out to make target of the features that run() gives it."""
    features = []
    hook = unet.conv_out.register_forward_pre_hook(lambda module, inputs: features.append(inputs[0]))
    run()
    hook.remove()
    unet.conv_out.weight[:], unet.conv_out.bias[:] = fitted_convolution(torch.cat(features), target)


def adapt(unet, run, old_rgb, new_rgb, target_v):
    """Fits conv_in and conv_out of an end-to-end UNet (in place)."""
    rgb_half = F.conv2d(old_rgb, unet.conv_in.weight[:, :4], unet.conv_in.bias, padding=1)
    weight, bias = fitted_convolution(new_rgb, rgb_half)
    unet.conv_in.weight[:, :4], unet.conv_in.bias[:] = weight, bias
    refit_output(unet, lambda: in_parts(run, new_rgb), target_v)


def adapt_diffusion(unet, contexts, schedule, settings, pairs):
    """Fits conv_in and conv_out of the diffusion UNet (in place); pairs: {map: (old latents, new latents)}."""
    generator, samples, targets, times, tokens = torch.Generator().manual_seed(0), [], [], [], []
    for task in TASKS:
        old_z, new_z = pairs[task]
        t, zeros = random_timesteps(len(old_z), settings, schedule, generator)
        noise = annealed_pyramid_noise(old_z.shape, t, schedule.steps, generator, settings["noise_strength"]) * ~zeros
        noised = [torch.cat([rgb, schedule.noised(z, noise, t) * ~zeros], 1) for rgb, z in zip(pairs["rgb"], (old_z, new_z))]
        samples.append(torch.stack(noised))
        targets.append(schedule.velocity(new_z, noise, t))
        times.append(t)
        tokens.append(contexts[TASKS.index(task)].expand(len(t), -1, -1))
    (old_sample, new_sample), target = torch.cat(samples, 1), torch.cat(targets)
    times, tokens = torch.cat(times), torch.cat(tokens)
    unet.conv_in.weight[:], unet.conv_in.bias[:] = fitted_convolution(new_sample, in_parts(unet.conv_in, old_sample))
    refit_output(unet, lambda: in_parts(unet, new_sample, times, tokens), target)


@torch.no_grad()
def main(old_config, new_config):
    cpu, schedule = torch.device("cpu"), Schedule(**old_config["schedule"])
    old, old_scale = load_vae(old_config, cpu, torch.float32)
    new, new_scale = load_vae(new_config, cpu, torch.float32)
    sigma = (1 - schedule.abar[-1]).sqrt()
    scenes = OneShard(sorted(glob.glob(os.path.join(new_config.scene_folders()[0], "*.npz")))[0])
    encode = {"old": lambda x: old.encode(x)[0] * old_scale, "new": lambda x: new.encode(x)[0] * new_scale}
    maps = {name: scenes.maps(name, range(min(SCENES, scenes.count))) for name in MAPS}
    pairs = {name: tuple(in_parts(encode[which], maps[name]) for which in ("old", "new")) for name in MAPS}
    old_rgb, new_rgb = pairs["rgb"]
    os.makedirs(os.path.join(new_config.cache, "init"), exist_ok=True)
    unet, checkpoint = loaded(old_config, "diffusion")
    adapt_diffusion(unet, checkpoint["contexts"], schedule, new_config["diffusion"], pairs)
    write(new_config, "diffusion", unet, checkpoint)
    for task in TASKS:
        unet, checkpoint = loaded(old_config, f"e2e-{task}")
        run = one_step(unet, checkpoint["contexts"][TASKS.index(task)], schedule.steps)
        maps = in_parts(lambda x: old.decode(-sigma * run(x) / old_scale), old_rgb)
        maps = F.normalize(maps, dim=1) if task == "normals" else maps.mean(1, keepdim=True).clamp(-1, 1).expand(-1, 3, -1, -1)
        adapt(unet, run, old_rgb, new_rgb, in_parts(encode["new"], maps) / -sigma)
        write(new_config, f"e2e-{task}", unet, checkpoint)


if __name__ == "__main__":
    main(Config(sys.argv[1]), Config(sys.argv[2]))
