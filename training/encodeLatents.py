"""Stage 2: every training scene through the frozen encoder, once for each copy: encodeLatents.py CONFIG [COPY ...].

Writes latents/<copy>/<shard>.npz for every copy in the configuration and every shard of scenes that has none yet: latents float16
[N, 12, h, w] (scaled means of rgb, depth, normals, four channels each), mirrored bool [N], boxes int16 [N, 4] (the window that
the copy shows). An augmented copy has mirrored half of its scenes (every second copy the other half) and changed the colours of
all; `crop` is the least side of its random windows.
"""

import glob
import os
import sys
import zlib

import numpy as np
import torch

from data import Scenes, jittered, random_boxes, shard_name, viewed
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


class OneShard(Scenes):
    """The scenes of one file."""

    def __init__(self, path):
        self.fields, self.parts, self.begins = MAPS, {name: [] for name in MAPS}, {}
        with np.load(path) as shard:
            self._append(shard)
        self.count = len(self.parts["rgb"][0])
        self.starts = np.array([0, self.count])


@torch.no_grad()
def encode_shard(vae, scale, copy, number, path, seed, device, dtype):
    """The arrays of one copy (the number-th) of one shard."""
    scenes = OneShard(path)
    shared = torch.Generator().manual_seed(seed + zlib.crc32(shard_name(path).encode()))
    mirror = torch.rand(scenes.count, generator=shared) < 0.5
    mirror = (mirror if number % 2 == 0 else ~mirror) & copy["augmented"]
    generator = torch.Generator().manual_seed(seed + zlib.crc32((copy["name"] + shard_name(path)).encode()))
    full = scenes.raw("depth", 0).shape
    boxes = random_boxes(scenes.count, full, copy.get("crop", 1.0), generator)
    latents = []
    for rows in torch.arange(scenes.count).split(16):
        parts = []
        for name in MAPS:
            maps = viewed(scenes, name, rows, mirror[rows], boxes[rows] if "crop" in copy else None, copy["size"])
            maps = maps[0] if name == "depth" else maps
            if name == "rgb" and copy["augmented"]:
                maps = jittered(maps, generator)
            maps = maps.to(device, dtype).contiguous(memory_format=torch.channels_last)
            parts.append(vae.encode(maps)[0].float().cpu() * scale)
        latents.append(torch.cat(parts, 1).half().numpy())
    return {"latents": np.concatenate(latents), "mirrored": mirror.numpy(), "boxes": boxes.short().numpy()}


def main(config, wanted):
    device, dtype, rank, world = start(config["seed"])
    paths = [path for folder in config.scene_folders() for path in sorted(glob.glob(os.path.join(folder, "*.npz")))]
    vae, scale = load_vae(config, device, dtype)
    for number, copy in enumerate(config["latents"]["copies"]):
        if wanted and copy["name"] not in wanted:
            continue
        folder = os.path.join(config.cache, "latents", copy["name"])
        os.makedirs(folder, exist_ok=True)
        missing = [path for path in paths[:copy.get("shards", len(paths))]
                   if not os.path.exists(os.path.join(folder, shard_name(path) + ".npz"))]
        for path in missing[rank::world]:
            target = os.path.join(folder, shard_name(path) + ".npz")
            with open(target + ".part", "wb") as file:
                np.savez(file, **encode_shard(vae, scale, copy, number, path, config["seed"], device, dtype))
            os.replace(target + ".part", target)
        print(f"{copy['name']}: {len(missing[rank::world])} of {len(paths)} shards encoded by process {rank}", flush=True)


if __name__ == "__main__":
    main(Config(sys.argv[1]), sys.argv[2:])
