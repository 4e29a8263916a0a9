"""Stage 2: every training scene through the frozen encoder, once: encodeLatents.py CONFIG.

Writes latents/<copy>-<process>.npz for every copy in the configuration: latents float16 [N, 12, h, w] (scaled means of rgb,
depth, normals, four channels each), scenes int64 [N] (which scene), mirrored bool [N]. An augmented copy has mirrored half
of its scenes and changed the colours of all.
"""

import os
import sys

import numpy as np
import torch

from data import Scenes, flipped, jittered, resized
from run import Config, load_ema, start
from vae import Autoencoder

MAPS = ("rgb", "depth", "normals")


def load_vae(config, device, dtype):
    """The trained autoencoder, frozen, and its scaling factor."""
    checkpoint = load_ema(config, "vae")
    model = Autoencoder(config["vae"]["network"])
    model.load_state_dict(checkpoint["weights"])
    model = model.to(device, dtype, memory_format=torch.channels_last).eval().requires_grad_(False)
    return model, checkpoint["scaling_factor"]


@torch.no_grad()
def encode_copy(config, copy, scenes, indices, device, dtype):
    vae, scale = load_vae(config, device, dtype)
    generator = torch.Generator().manual_seed(config["seed"] + int(indices[0]))
    latents, mirrored = [], []
    for batch in np.array_split(indices, max(len(indices) // 32, 1)):
        mirror = copy["augmented"] & (torch.rand(len(batch), generator=generator) < 0.5)
        parts = []
        for name in MAPS:
            maps = scenes.maps(name, batch)
            maps = torch.where(mirror[:, None, None, None], flipped(maps, name), maps)
            if name == "rgb" and copy["augmented"]:
                maps = jittered(maps, generator)
            maps = resized(maps, copy["size"], name).to(device, dtype).contiguous(memory_format=torch.channels_last)
            parts.append(vae.encode(maps)[0].float().cpu() * scale)
        latents.append(torch.cat(parts, 1).half().numpy())
        mirrored.append(mirror.numpy())
    return {"latents": np.concatenate(latents), "scenes": np.asarray(indices), "mirrored": np.concatenate(mirrored)}


def main(config):
    device, dtype, rank, world = start(config["seed"])
    folder = os.path.join(config.cache, "latents")
    os.makedirs(folder, exist_ok=True)
    scenes = Scenes(config.cache + "/scenes/train", MAPS)
    indices = np.arange(scenes.count)[rank::world]
    for copy in config["latents"]["copies"]:
        path = os.path.join(folder, f"{copy['name']}-{rank}.npz")
        if os.path.exists(path):
            continue
        chosen = indices[:copy.get("limit", scenes.count) // world]
        arrays = encode_copy(config, copy, scenes, chosen, device, dtype)
        with open(path + ".part", "wb") as file:
            np.savez(file, **arrays)
        os.replace(path + ".part", path)
        print(f"{copy['name']}: {len(chosen)} of {scenes.count} scenes encoded by process {rank}", flush=True)


if __name__ == "__main__":
    main(Config(sys.argv[1]))
