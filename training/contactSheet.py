"""A picture of rendered scenes, to look at: contactSheet.py OUT.jpg [--first N] [--seed S] [--mixture].

A row for each layout of the wide mixture with five scenes (image, and small beside it depth with far = bright and normals);
--mixture: scenes of the mixture as the split train-wide has them.
"""

import argparse

import numpy as np
from PIL import Image

from renderer import wide
from renderer.scenes import Scene, render_scene
from renderer.textures import TextureBank

SIZE, COLUMNS = (144, 192), 5


def tile(scene: Scene) -> np.ndarray:
    """u8 [144, 288, 3]."""
    valid = scene.depth > 0
    near, far = np.percentile(scene.depth[valid], (2, 98)) if valid.any() else (0, 1)
    far_bright = np.where(valid, np.clip((scene.depth - near) / max(far - near, 1e-6), 0, 1), 1)
    depth = (255 * far_bright).astype(np.uint8)[::2, ::2, None].repeat(3, 2)
    normals = ((scene.normals + 1) * 127.5).clip(0, 255).astype(np.uint8)[::2, ::2]
    return np.concatenate([scene.rgb, np.concatenate([depth, normals])], axis=1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--mixture", action="store_true")
    given = parser.parse_args()
    bank, scenes = TextureBank(21, 24), range(given.first, given.first + COLUMNS)
    rows, layouts = [], wide.LAYOUTS
    for k, layout in enumerate(layouts):
        if given.mixture:
            tiles = [tile(render_scene(given.seed, i + COLUMNS * k, bank, *SIZE, 0.75)) for i in scenes]
        else:
            wide.LAYOUTS = (layout,)
            tiles = [tile(render_scene(given.seed + k, i, bank, *SIZE, 1.0)) for i in scenes]
        rows.append(np.concatenate(tiles, axis=1))
    Image.fromarray(np.concatenate(rows)).save(given.out, quality=80)


if __name__ == "__main__":
    main()
