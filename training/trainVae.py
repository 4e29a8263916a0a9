"""Stage 1: the autoencoder shared by RGB, depth and normals: trainVae.py CONFIG."""

import sys

import torch

from data import Scenes, flipped, jittered
from losses import gradient_l1, kl_divergence
from run import Config, Trainer, iteration_generator, start
from vae import Autoencoder

PORTIONS = (("rgb", 0.4), ("depth", 0.2), ("normals", 0.4))  # of each batch


def kind_count(settings, portion):
    return max(round(settings["batch"] * portion), 1)


def draw_batch(scenes, settings, generator):
    """Random crops [batch, 3, h, w] of the three kinds of map, half of them mirrored."""
    crop_h, crop_w = settings["crop"]
    maps = []
    for name, portion in PORTIONS:
        count = kind_count(settings, portion)
        x = scenes.maps(name, torch.randint(scenes.count, (count,), generator=generator))
        top = int(torch.randint(x.shape[2] - crop_h + 1, (1,), generator=generator))
        left = int(torch.randint(x.shape[3] - crop_w + 1, (1,), generator=generator))
        x = x[:, :, top:top + crop_h, left:left + crop_w]
        if torch.rand(1, generator=generator) < 0.5:
            x = flipped(x, name)
        maps.append(jittered(x, generator) if name == "rgb" else x)
    return torch.cat(maps)


def main(config):
    settings = config["vae"]["training"]
    device, dtype, rank, world = start(config["seed"])
    model = Autoencoder(config["vae"]["network"]).to(device, dtype, memory_format=torch.channels_last)
    trainer = Trainer(config, "vae", model, settings)
    scenes = Scenes(config.scene_folders(), ("rgb", "depth", "normals"))
    scenes.wait(settings["least_scenes"])
    trainer.resume()
    while trainer.iteration < settings["iterations"]:
        if trainer.iteration % 200 == 0:
            scenes.refresh()
        generator = iteration_generator(config["seed"], trainer.iteration, rank, world)
        train_step(trainer, draw_batch(scenes, settings, generator).to(device), settings, dtype, generator)
    trainer.extras["scaling_factor"] = scaling_factor(trainer, scenes, config["seed"])
    trainer.save()


def train_step(trainer, image, settings, dtype, generator):
    mean, logvar = trainer.model.encode(image.to(dtype).contiguous(memory_format=torch.channels_last))
    mean, logvar = mean.float(), logvar.float().clamp(-20, 10)
    noise = torch.randn(mean.shape, generator=generator).to(image.device)
    latent = mean + (0.5 * logvar).exp() * noise
    output = trainer.model.decode(latent.to(dtype).contiguous(memory_format=torch.channels_last)).float()
    l1, gradient, kl = (output - image).abs().mean(), gradient_l1(output, image), kl_divergence(mean, logvar)
    (l1 + settings["gradient_weight"] * gradient + settings["kl_weight"] * kl).backward()
    kinds = (output - image).detach().abs().split([kind_count(settings, portion) for _, portion in PORTIONS])
    losses = {name: kind.mean().item() for (name, _), kind in zip(PORTIONS, kinds)}
    trainer.step({**losses, "gradient": gradient.item(), "kl": kl.item()}, len(image))


@torch.no_grad()
def scaling_factor(trainer, scenes, seed):
    """1 / standard deviation of the latents of all three kinds of map (EMA weights), so that z_0 has unit variance."""
    model = Autoencoder(trainer.config["vae"]["network"])
    model.load_state_dict(trainer.ema_weights())
    indices = torch.randint(scenes.count, (24,), generator=torch.Generator().manual_seed(seed))
    latents = torch.cat([model.encode(scenes.maps(name, indices))[0] for name, _ in PORTIONS])
    return round(1 / latents.std().item(), 5)


if __name__ == "__main__":
    main(Config(sys.argv[1]))
