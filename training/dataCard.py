#!/usr/bin/env python3
"""Pictures and numbers of the data card (DATA.md) from the scenes that exist: dataCard.py [--scenes DIR].

Writes data/<split>.jpg (scenes spread over the split: image, depth with far = bright, normals), data/textures.jpg and
data/statistics.png, and prints a table of counts, kinds and depths.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from contactSheet import tile
from renderer.builder import SceneBuilder
from renderer.photographs import PhotographBank
from renderer.scenes import KINDS, Scene, compose
from renderer.textures import SIDE, TextureBank
from renderer.wide import compose_wide
from renderScenes import PHOTOGRAPHS, load_options

HERE = Path(__file__).parent
COLUMNS, ROWS = 6, 4
COLOURS = ((60, 110, 180), (220, 130, 40), (70, 150, 80), (150, 90, 170), (190, 60, 60), (120, 120, 120))


def shards(folder: Path, every: int) -> tuple[list[Scene], list[dict[str, np.ndarray]]]:
    """Every n-th scene of a folder of shards (or all held-out PNG files), and kind and depth range of all."""
    scenes, facts = [], []
    for number, path in enumerate(sorted(folder.glob("*.npz"))):
        with np.load(path) as file:
            depth = file["depth"].astype(np.float32)
            ranges = [np.percentile(d[d > 0], (2, 50, 98)) if (d > 0).any() else np.zeros(3) for d in depth[:, ::3, ::3]]
            facts.append({"kind": file["kind"], "range": np.array(ranges), "sky": 1 - file["mask"].mean((1, 2))})
            if number % every == 0:
                rgb, normals, mask, kind = file["rgb"], file["normals"], file["mask"], file["kind"]
                scenes += [Scene(rgb[k], depth[k], normals[k] / 127.0, mask[k], int(kind[k])) for k in range(0, len(rgb), max(1, len(rgb) // 24))]
    if not facts:
        kinds = {scene["id"]: scene["kind"] for scene in json.loads((folder / "index.json").read_text())["scenes"]}
        for path in sorted(folder.glob("*_rgb.png")):
            read = lambda kind: np.array(Image.open(path.with_name(path.name.replace("rgb", kind))))
            depth, normals = read("depth") / 1000.0, read("normal") / 127.5 - 1
            scenes.append(Scene(read("rgb"), depth.astype(np.float32), normals, (depth > 0).astype(np.uint8), kinds[path.name[:3]]))
            facts.append({"kind": np.array([kinds[path.name[:3]]]), "range": np.percentile(depth[depth > 0], (2, 50, 98))[None], "sky": np.array([(depth == 0).mean()])})
    return scenes, facts


def sheet(scenes: list[Scene], out: Path) -> None:
    """A grid of scenes."""
    count = COLUMNS * ROWS
    chosen = [scenes[k * len(scenes) // count] for k in range(count)]
    rows = [np.concatenate([tile(scene) for scene in chosen[k:k + COLUMNS]], 1) for k in range(0, count, COLUMNS)]
    picture = Image.fromarray(np.concatenate(rows))
    picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.LANCZOS).save(out, quality=72, optimize=True)


def textures(out: Path) -> None:
    """Some photographs of the bank, pool by pool (upper rows), and some patterns (last two rows, their first field)."""
    bank, cells = PhotographBank(31, 2, PHOTOGRAPHS, 1.0), []
    patterns = next(iter(sorted(bank.means)))
    for pool in sorted(bank.pools):
        numbers = bank.pools[pool]
        cells += [(bank.data[numbers[k * len(numbers) // 8]], True) for k in range(8)]
    cells += [(bank.data[k], False) for k in range(0, patterns, 2)]
    side, columns = 64, 16
    rows = -(-len(cells) // columns)
    picture = Image.new("RGB", (columns * side, rows * side), "white")
    for k, (row, photograph) in enumerate(cells):
        field = row[:SIDE * SIDE * 3].reshape(SIDE, SIDE, 3)[::-1]
        shown = (255 * (field / 255.0) ** (2 / 2.2)).astype(np.uint8) if photograph else field[..., :1].repeat(3, 2)
        picture.paste(Image.fromarray(shown).resize((side - 2, side - 2), Image.BOX), (k % columns * side, k // columns * side))
    picture.save(out, quality=75, optimize=True)


def cameras(options: dict, name: str, count: int) -> np.ndarray:
    """Horizontal fields of view [count] of the first scenes of a split, composed but not rendered."""
    split, bank = options["splits"][name], TextureBank(0, 1)
    fovs = []
    for index in range(count):
        rng = np.random.default_rng([split["seed"], index])
        wide = split["wide"] > 0 and rng.random() < split["wide"]
        b = SceneBuilder(rng, bank)
        compose_wide(b) if wide else compose(b)
        fovs.append(b.photo.fov)
    return np.array(fovs)


def histogram(draw: ImageDraw.ImageDraw, at: tuple[int, int], title: str, edges: np.ndarray, columns: dict[str, np.ndarray], form: str) -> None:
    """Shares of values in bins, a bar for each split beside the other."""
    x0, y0, width, height = *at, 300, 130
    draw.text((x0, y0 - 16), title, fill="black")
    draw.line((x0, y0 + height, x0 + width, y0 + height), fill="black")
    shares = [np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / max(1, len(v)) for v in columns.values()]
    top, bins, many = max(s.max() for s in shares), len(edges) - 1, len(shares)
    for k, share in enumerate(shares):
        for b in range(bins):
            left = x0 + (b + (k + 0.4) / (many + 0.4)) * width / bins
            draw.rectangle((left, y0 + height - share[b] / top * (height - 6), left + width / bins / (many + 0.6), y0 + height), fill=COLOURS[k])
    for b in range(0, bins + 1, 2):
        draw.text((x0 + b * width / bins - 6, y0 + height + 3), format(edges[b], form), fill="black")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, default=HERE / ".cache" / "scenes")
    given = parser.parse_args()
    (HERE / "data").mkdir(exist_ok=True)
    options, near, far, fov = load_options(None), {}, {}, {}
    folders = {"train": 8, "train-wide": 1, "train-photo": 2, "train-large": 1, "validation": 1, "heldout": 1}
    print("| split | scenes | " + " | ".join(KINDS) + " | near (2 %) m | median m | far (98 %) m | sky |\n|" + "---|" * (len(KINDS) + 6))
    for name, every in folders.items():
        scenes, facts = shards(HERE.parent / "test/heldout" if name == "heldout" else given.scenes / name, every)
        sheet(scenes, HERE / "data" / f"{name}.jpg")
        ranges, kinds = np.concatenate([f["range"] for f in facts]), np.concatenate([f["kind"] for f in facts])
        shares = [f"{100 * (kinds == k).mean():.0f} %" for k in range(len(KINDS))]
        middle = np.median(ranges, 0)
        print(f"| {name} | {len(ranges)} | {' | '.join(shares)} | {middle[0]:.2f} | {middle[1]:.2f} | {middle[2]:.1f} | "
              f"{100 * np.concatenate([f['sky'] for f in facts]).mean():.0f} % |", flush=True)
        near[name], far[name] = np.log10(np.maximum(ranges[:, 0], 0.01)), np.log10(np.maximum(ranges[:, 2], 0.01))
        if name not in ("validation", "heldout"):
            fov[name] = cameras(options, name, 150)
            print(f"  {name}: field of view {np.percentile(fov[name], (0, 10, 50, 90, 100)).round(0)}")
    picture = Image.new("RGB", (1010, 215), "white")
    draw = ImageDraw.Draw(picture)
    histogram(draw, (20, 24), "nearest depth (2nd percentile), log10 m", np.linspace(-1, 1.5, 11), near, ".1f")
    histogram(draw, (350, 24), "farthest depth (98th percentile), log10 m", np.linspace(-0.5, 3, 11), far, ".1f")
    histogram(draw, (680, 24), "horizontal field of view, degrees", np.linspace(20, 90, 11), fov, ".0f")
    for k, name in enumerate(folders):
        draw.rectangle((20 + 120 * k, 196, 30 + 120 * k, 206), fill=COLOURS[k])
        draw.text((36 + 120 * k, 195), name, fill="black")
    picture.save(HERE / "data" / "statistics.png", optimize=True)
    textures(HERE / "data" / "textures.jpg")


if __name__ == "__main__":
    main()
