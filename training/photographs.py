"""A contact sheet of end-to-end predictions for real photographs: photographs.py CONFIG PICTURE_OR_FOLDER... SHEET.png [--long 192].

A row holds two photographs, each with its depth (far = bright) and normals. There is no truth: a person judges the layout.
"""

import glob
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

from evaluate import Predictor, grey_or_colour
from run import TASKS, Config

CELL = (144, 192)


def picture_paths(arguments):
    paths = []
    for argument in arguments:
        folder = sorted(glob.glob(os.path.join(argument, "*"))) if os.path.isdir(argument) else [argument]
        paths += [path for path in folder if path.lower().endswith((".jpg", ".jpeg", ".png"))]
    return paths


def loaded(path, long):
    """RGB [1, 3, h, w] in [-1, 1], the longer side `long` pixels, both sides multiples of 8."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    scale = long / max(picture.size)
    size = [max(8 * round(side * scale / 8), 32) for side in picture.size]
    array = np.array(picture.resize(size, Image.LANCZOS))
    return torch.from_numpy(array).permute(2, 0, 1)[None].float() / 127.5 - 1


def cell(maps, task):
    """uint8 [144, 192, 3]: the picture scaled into the cell."""
    scale = min(CELL[0] / maps.shape[2], CELL[1] / maps.shape[3])
    size = round(maps.shape[2] * scale), round(maps.shape[3] * scale)
    small = F.interpolate(maps, size=size, mode="bilinear", antialias=True, align_corners=False)[0]
    canvas = np.zeros((*CELL, 3), np.uint8)
    canvas[:size[0], :size[1]] = grey_or_colour(small, task)
    return canvas


@torch.no_grad()
def main(config, paths, sheet, long):
    blocks = []
    for path in paths:
        rgb = loaded(path, long)
        predictor = Predictor(config, rgb)
        maps = [predictor.e2e(task) for task in TASKS]
        blocks.append(np.concatenate([cell(rgb, "rgb")] + [cell(m, task) for m, task in zip(maps, TASKS)], axis=1))
    if len(blocks) % 2:
        blocks.append(np.zeros_like(blocks[0]))
    rows = [np.concatenate(blocks[i:i + 2], axis=1) for i in range(0, len(blocks), 2)]
    Image.fromarray(np.concatenate(rows)).save(sheet)


if __name__ == "__main__":
    words = sys.argv[1:]
    long = int(words.pop(words.index("--long") + 1)) if "--long" in words else 192
    words = [word for word in words if word != "--long"]
    main(Config(words[0]), picture_paths(words[1:-1]), words[-1], long)
