"""A texture bank that mixes procedural patterns with photographs (training/fetchTextures.py makes their file)."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np

from .textures import TextureBank

# Pools of photographs that stand in for a family of patterns; families that are not named stay procedural.
POOLS: dict[str, tuple[str, ...]] = {
    "plain": ("smooth",), "wood": ("wood",), "bark": ("bark", "wood"), "bricks": ("masonry",), "tiles": ("tiles", "masonry"),
    "stones": ("masonry", "ground"), "marble": ("smooth", "ground"), "rough": ("ground", "cloth", "smooth"), "spots": ("cloth", "food"),
    "stripes": ("cloth", "metal"), "plaid": ("cloth",), "weave": ("cloth",), "fur": ("cloth", "ground"), "leaves": ("vegetation",),
    "grass": ("vegetation",), "cracks": ("ground", "masonry"), "pebbles": ("ground",), "patches": ("masonry", "smooth", "metal"),
    "scenery": ("picture",), "shapes": ("picture",), "panes": (),
}
# Pools whose photographs mostly keep their own colour; the others mostly take the colour that the scene asks for.
OWN_COLOUR = ("wood", "bark", "masonry", "tiles", "ground", "vegetation", "food", "picture")


class PhotographBank(TextureBank):
    """Patterns, then photographs as square roots of linear RGB. share: of the surfaces that a photograph may cover."""

    def __init__(self, seed: int, each: int, path: Path, share: float) -> None:
        super().__init__(seed, each)
        if not path.exists():
            raise SystemExit(f"Expected photographic textures in {path} but there is no such file. Run training/fetchTextures.py first.")
        self.share = share
        with np.load(path) as file:
            first, names = len(self.data), file["pools"]
            self.means = {first + k: mean for k, mean in enumerate(file["means"])}
            self.pools = {str(pool): first + np.flatnonzero(names == pool) for pool in np.unique(names)}
            self.data = np.concatenate([self.data, file["data"]])

    def surface(self, rng: np.random.Generator, families: Sequence[str], base: np.ndarray, whole: bool) -> tuple[int, np.ndarray | None]:
        family = families[int(rng.integers(len(families)))]
        pools = [pool for pool in POOLS.get(family, ()) if whole or pool != "picture"]
        # A lone "plain" is an eye, a lamp, a pane, chrome: its colour is all there is to it.
        if tuple(families) == ("plain",) or not pools or rng.random() > self.share:
            return self.pick(rng, family), None
        pool = pools[int(rng.integers(len(pools)))]
        index = int(rng.choice(self.pools[pool]))
        mean = self.means[index]
        if rng.random() < (0.75 if pool in OWN_COLOUR else 0.3):
            tint = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.06, 3))
        else:
            tint = base / np.maximum(mean, 0.02)
        return index, np.clip(tint, 0.05, np.minimum(6.0, 0.75 / np.maximum(mean, 0.02)))
