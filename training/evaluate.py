"""Figures on the held-out scenes, from the checkpoints in the cache: evaluate.py CONFIG [--pictures DIR] [--stages vae,...].

Depth: least-squares scale and shift on valid pixels (sky masked), clipped to >= 1e-6 m; AbsRel and delta1 per image, then
averaged. Normals: angle over valid pixels, per image, then averaged. float32, DDIM with eta 0, the last step's estimate of z_0.
"""

import json
import os
import sys

import numpy as np
import torch
from PIL import Image

from data import load_heldout, normalized_depth
from encodeLatents import load_vae
from run import TASKS, Config, load_ema
from schedule import Schedule
from trainE2e import predict_map
from unet import UNet

ROWS = (("leading-1", 1, "leading"), ("leading-10", 10, "leading"), ("trailing-1", 1, "trailing"),
        ("trailing-4", 4, "trailing"), ("trailing-10", 10, "trailing"))


def depth_scores(prediction, depth, mask):
    """AbsRel and delta1 (fractions) of each of the predictions [N, H, W] against metres: [(AbsRel, delta1)]."""
    rows = []
    for p, d, m in zip(prediction.double(), depth.double(), mask):
        p, d = p[m], d[m]
        design = torch.stack([p, torch.ones_like(p)], 1)
        aligned = (design @ torch.linalg.lstsq(design, d[:, None], driver="gelsd").solution)[:, 0].clamp(min=1e-6)
        ratio = torch.maximum(aligned / d, d / aligned)
        rows.append((((aligned - d).abs() / d).mean().item(), (ratio < 1.25).double().mean().item()))
    return rows


def depth_figures(prediction, depth, mask):
    """The means of depth_scores over the images, in percent."""
    return dict(zip(("absrel", "delta1"), (100 * np.mean(depth_scores(prediction, depth, mask), axis=0)).round(2)))


def normals_figures(prediction, normals, mask):
    """Mean angle (degrees) and share below 11.25 degrees (%) of [N, 3, H, W], averaged over images."""
    cosine = torch.nn.functional.cosine_similarity(prediction.double(), normals.double(), dim=1).clamp(-1, 1)
    angles = torch.rad2deg(torch.acos(cosine))
    rows = [(a[m].mean().item(), (a[m] < 11.25).double().mean().item() * 100) for a, m in zip(angles, mask)]
    return dict(zip(("meanAngle", "pct11_25"), np.mean(rows, axis=0).round(2)))


def figures(task, maps, truth):
    depth, normals, mask = truth
    if task == "depth":
        return depth_figures(maps.mean(1).clamp(-1, 1), depth, mask)
    return normals_figures(maps, normals, mask)


class Predictor:
    """Maps [N, 3, H, W] of held-out images by the stages' EMA weights, in float32."""

    def __init__(self, config, rgb):
        self.config, self.schedule = config, Schedule(**config["schedule"])
        self.vae, self.scale = load_vae(config, torch.device("cpu"), torch.float32)
        self.latents = torch.cat([self.vae.encode(part)[0] for part in rgb.split(8)]) * self.scale

    def network(self, stage):
        checkpoint = load_ema(self.config, stage)
        unet = UNet(self.config["unet"]["network"]).eval()
        unet.load_state_dict(checkpoint["weights"])
        return unet, checkpoint["contexts"]

    def sampled(self, unet, context, noise, steps, spacing, vae=None):
        """From noise shaped as the latents; vae: another one to decode with."""
        maps = []
        for rgb, z in zip(self.latents.split(8), noise.split(8)):
            predict_v = lambda z_t, t: unet(torch.cat([rgb, z_t], 1), t, context.expand(len(rgb), -1, -1))
            maps.append((vae or self.vae).decode(self.schedule.sample(predict_v, z, steps, spacing) / self.scale))
        return torch.cat(maps)

    def diffusion(self, task, steps, spacing):
        unet, contexts = self.network("diffusion")
        noise = torch.randn(self.latents.shape, generator=torch.Generator().manual_seed(0))
        return self.sampled(unet, contexts[TASKS.index(task)], noise, steps, spacing)

    def e2e(self, task, stage=None):
        unet, contexts = self.network(stage or f"e2e-{task}")
        context = contexts[TASKS.index(task)]
        return torch.cat([predict_map(unet, self.vae, self.scale, self.schedule, rgb, context)
                          for rgb in self.latents.split(8)])

    def reconstruction(self, maps):
        return torch.cat([self.vae.decode(self.vae.encode(part)[0]) for part in maps.split(8)])


def grey_or_colour(maps, task):
    """uint8 [H, W, 3] for a picture: the image, depth with far = bright, or normals as colours."""
    picture = {"rgb": lambda: maps, "depth": lambda: maps.mean(0, keepdim=True).expand(3, -1, -1),
               "normals": lambda: torch.nn.functional.normalize(maps, dim=0)}[task]()
    return ((picture.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()


def write_pictures(folder, rgb, columns):
    """One sheet per task: a row per scene with the image and every row of the table beside the truth."""
    os.makedirs(folder, exist_ok=True)
    for task, maps in columns.items():
        rows = [np.concatenate([grey_or_colour(rgb[i], "rgb")] + [grey_or_colour(m[i], task) for m in maps], axis=1)
                for i in range(len(rgb))]
        Image.fromarray(np.concatenate(rows)).save(os.path.join(folder, task + ".png"))


@torch.no_grad()
def main(config, stages, folder):
    rgb, depth, normals, mask = load_heldout(config.heldout)
    truth_maps = {"depth": torch.stack([torch.from_numpy(normalized_depth(d.numpy(), m.numpy())).float()
                                        for d, m in zip(depth, mask)])[:, None].expand(-1, 3, -1, -1), "normals": normals}
    predictor, table, columns = Predictor(config, rgb), {}, {}
    for task in TASKS:
        maps = {}
        if "vae" in stages:
            maps["reconstruction"] = predictor.reconstruction(truth_maps[task])
        if "diffusion" in stages:
            maps.update({name: predictor.diffusion(task, steps, spacing) for name, steps, spacing in ROWS})
            maps["diffusion-zeros"] = predictor.e2e(task, "diffusion")
        if "e2e" in stages:
            maps["e2e"] = predictor.e2e(task)
        for name, values in maps.items():
            table.setdefault(name, {}).update(figures(task, values, (depth, normals, mask)))
        columns[task] = [*maps.values(), truth_maps[task]]
    if "vae" in stages:
        error = (predictor.reconstruction(rgb).clamp(-1, 1) - rgb) / 2
        table["reconstruction"]["rgbPsnr"] = round(-10 * error.square().mean((1, 2, 3)).log10().mean().item(), 2)
    for name, row in table.items():
        print(f"{name:15s}", "  ".join(f"{key} {value:6.2f}" for key, value in row.items()), flush=True)
    path = os.path.join(config.logs, "heldout.json")
    rows = {name: {key: float(value) for key, value in row.items()} for name, row in table.items()}
    if os.path.exists(path):  # rows of stages that were not asked for stay
        with open(path) as file:
            rows = {**json.load(file), **rows}
    with open(path, "w") as file:
        json.dump(rows, file, indent=2)
    if folder:
        write_pictures(folder, rgb[:12], {task: [m[:12] for m in maps] for task, maps in columns.items()})


if __name__ == "__main__":
    option = lambda name, default: sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default
    main(Config(sys.argv[1]), option("--stages", "vae,diffusion,e2e").split(","), option("--pictures", None))
