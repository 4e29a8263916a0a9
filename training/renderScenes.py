#!/usr/bin/env python3
"""Renders scenes: `train` and `validation` to .npz shards, `heldout` to PNG files for tests.

A shard of N <= 64 scenes holds rgb u8 [N,H,W,3], depth f16 [N,H,W] (planar metres, 0 = sky),
normals i8 [N,H,W,3] (unit x 127; x right, y up, z toward the viewer), mask u8 [N,H,W] and
kind u8 [N] (0 room, 1 table-top or portrait, 2 outdoor). Scene i of a split is the same for any number
of processes; existing shards are skipped, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import time
from pathlib import Path
from typing import Any, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from renderer.photographs import PhotographBank  # noqa: E402
from renderer.scenes import Scene, render_scene  # noqa: E402
from renderer.textures import TextureBank  # noqa: E402

SHARD = 64
DEFAULTS: dict[str, Any] = {
    "height": 144,
    "width": 192,
    "texturesEach": 24,
    # Evaluation never sees a texture of training.
    "splits": {
        # wide: share of scenes of the wide mixture (renderer/wide.py).
        "train": {"seed": 1, "textureSeed": 11, "count": 10240, "wide": 0.0},
        "train-wide": {"seed": 5, "textureSeed": 21, "count": 16384, "wide": 0.75},
        # photographs: share of the surfaces with photographic textures (fetchTextures.py).
        "train-photo": {"seed": 7, "textureSeed": 31, "count": 16384, "wide": 0.8, "photographs": 0.75},
        # large: the same mixture, for batches of a larger size.
        "train-large": {"seed": 9, "textureSeed": 41, "count": 8192, "wide": 0.65, "photographs": 0.5, "height": 192, "width": 256},
        "validation": {"seed": 3, "textureSeed": 13, "count": 192, "wide": 0.0},
        "heldout": {"seed": 2, "textureSeed": 12, "count": 48, "wide": 0.0},
        "heldout-wide": {"seed": 6, "textureSeed": 22, "count": 64, "wide": 1.0},
    },
}
GENERATOR = "training/renderer"
PHOTOGRAPHS = Path(__file__).parent / ".cache" / "textures" / "photographs.npz"


def load_options(config: Path | None) -> dict[str, Any]:
    """The `scenes` object of a config file over the defaults."""
    given = json.loads(config.read_text()).get("scenes", {}) if config is not None and config.exists() else {}
    splits = {name: {**split, **given.get("splits", {}).get(name, {})} for name, split in DEFAULTS["splits"].items()}
    return {**DEFAULTS, **given, "splits": splits}


def texture_bank(split: dict[str, Any], options: dict[str, Any]) -> TextureBank:
    """The bank of a split: patterns alone, or with photographs."""
    if split.get("photographs", 0) > 0:
        return PhotographBank(split["textureSeed"], options["texturesEach"], PHOTOGRAPHS, split["photographs"])
    return TextureBank(split["textureSeed"], options["texturesEach"])


def write_shard(path: Path, scenes: list[Scene]) -> None:
    """Writes one shard under a temporary name, then renames it: readers see whole files only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez(
            file,
            rgb=np.stack([s.rgb for s in scenes]),
            depth=np.stack([s.depth for s in scenes]).astype(np.float16),
            normals=np.stack([np.round(s.normals * 127) for s in scenes]).astype(np.int8),
            mask=np.stack([s.mask for s in scenes]),
            kind=np.array([s.kind for s in scenes], np.uint8),
        )
    temporary.rename(path)


def render_shards(out: Path, split: dict[str, Any], bank: TextureBank, size: tuple[int, int], count: int, shards: list[int], done: Any) -> None:
    """Renders the listed shards in order; adds each finished scene to `done`."""
    for shard in shards:
        scenes = []
        for index in range(shard * SHARD, min(count, (shard + 1) * SHARD)):
            scenes.append(render_scene(split["seed"], index, bank, *size, split["wide"]))
            with done.get_lock():
                done.value += 1
        write_shard(out / f"shard_{shard:05d}.npz", scenes)


def report(done: Any, total: int, workers: list[mp.Process]) -> None:
    """Prints progress and time left until the workers end; fails if one failed."""
    start = time.time()
    while any(worker.is_alive() for worker in workers):
        workers[0].join(timeout=15) if workers[0].is_alive() else time.sleep(5)
        rate = done.value / max(time.time() - start, 1e-6)
        left = (total - done.value) / max(rate, 1e-6)
        print(f"{done.value}/{total} scenes, {rate:.2f}/s, {left / 60:.1f} min left", flush=True)
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    if failed:
        raise SystemExit(f"Expected exit code 0 from every process but received {failed}.")


def render_split(out: Path, options: dict[str, Any], split: str, count: int, processes: int) -> None:
    """Renders a split to shards with several processes."""
    chosen = options["splits"][split]
    size = (chosen.get("height", options["height"]), chosen.get("width", options["width"]))
    bank = texture_bank(chosen, options)
    render_scene(chosen["seed"], 0, bank, 16, 16)  # compiles before the processes fork
    out.mkdir(parents=True, exist_ok=True)
    shards = [k for k in range(-(-count // SHARD)) if not (out / f"shard_{k:05d}.npz").exists()]
    total = sum(min(count, (k + 1) * SHARD) - k * SHARD for k in shards)
    done = mp.Value("i", 0)
    workers = [mp.Process(target=render_shards, args=(out, chosen, bank, size, count, shards[k::processes], done)) for k in range(processes)]
    for worker in workers:
        worker.start()
    report(done, total, workers)


def scene_images(scene: Scene) -> Iterator[tuple[str, Image.Image]]:
    """The PNG images of a held-out scene, by suffix."""
    yield "rgb", Image.fromarray(scene.rgb)
    millimetres = np.clip(np.round(scene.depth * 1000), 0, 65535).astype(np.uint16)
    yield "depth", Image.fromarray(millimetres)
    normal = np.round((scene.normals + 1) / 2 * 255).astype(np.uint8) * scene.mask[..., None]
    yield "normal", Image.fromarray(normal)


def render_heldout(out: Path, options: dict[str, Any], name: str, count: int) -> None:
    """Renders the held-out set as PNG files and an index."""
    split, height, width = options["splits"][name], options["height"], options["width"]
    bank = texture_bank(split, options)
    out.mkdir(parents=True, exist_ok=True)
    entries = []
    for index in range(count):
        scene = render_scene(split["seed"], index, bank, height, width, split["wide"])
        for suffix, image in scene_images(scene):
            image.save(out / f"{index:03d}_{suffix}.png", optimize=True)
        entries.append({"id": f"{index:03d}", "kind": scene.kind})
        print(f"{index + 1}/{count}", flush=True)
    summary = {
        "height": height, "width": width, "seed": split["seed"], "textureSeed": split["textureSeed"], "generator": GENERATOR,
        "depthUnit": "millimetre", "depthInvalid": 0, "normalFrame": "RUB (x right, y up, z toward viewer)",
        "kinds": ["room", "tabletop", "outdoor"], "scenes": entries,
    }
    (out / "index.json").write_text(json.dumps(summary, indent=2) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=None)
    parser.add_argument("--split", choices=sorted(DEFAULTS["splits"]), default="train")
    parser.add_argument("--count", type=int, default=None)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    options = load_options(given.config)
    count = options["splits"][given.split]["count"] if given.count is None else given.count
    if given.split.startswith("heldout"):
        render_heldout(given.out, options, given.split, count)
    else:
        render_split(given.out, options, given.split, count, given.processes)


if __name__ == "__main__":
    main()
