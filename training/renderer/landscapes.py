"""Wide and near nature: mountains, shores, dunes, forests, meadows, gardens; flowers, plants and animals from near."""

from __future__ import annotations

import numpy as np

from . import figures as fi
from . import nature as na
from . import things as th
from .builder import SceneBuilder, hsv, rotation
from .outdoor import daylight
from .primitives import ELLIPSOID
from .rooms import look, roll_of


def soil(b: SceneBuilder, scale: float) -> int:
    """Grass, sand, snow, stone or earth."""
    rng, draw = b.rng, b.rng.random()
    if draw < 0.45:
        base = hsv(rng.uniform(0.13, 0.33), rng.uniform(0.4, 0.85), np.exp(rng.uniform(-2.8, -1.0)))
    elif draw < 0.65:
        base = hsv(rng.uniform(0.06, 0.12), rng.uniform(0.2, 0.6), np.exp(rng.uniform(-1.6, -0.5)))
    elif draw < 0.75:
        base = np.array([0.75, 0.8, 0.9]) * rng.uniform(0.8, 1.1)
    else:
        base = hsv(rng.uniform(0, 0.6), rng.uniform(0, 0.4), np.exp(rng.uniform(-3, -0.8)))
    return b.material(("grass", "rough", "stones", "leaves", "grass", "cracks", "pebbles"), base, scale=scale, contrast=0.4, grain=1.2)


def water(b: SceneBuilder, level: float) -> None:
    """A mirror-like plane."""
    rng = b.rng
    stuff = b.material(("rough", "stripes", "plain"), np.array([0.03, 0.08, 0.1]) * rng.uniform(0.3, 2.5), scale=rng.uniform(1, 5), gloss=1,
            mirror=rng.uniform(0.45, 0.85), contrast=0.3)
    b.box((0, level - 0.5, 0), (2000, 0.5, 2000), stuff)


def scatter(b: SceneBuilder, make, count: int, near: float, far: float, spread: float = 0.7, level: float = 0.0) -> None:
    """Copies of a thing in front of the camera (which looks along -z), near ones as often as far ones."""
    for _ in range(count):
        z = np.exp(b.rng.uniform(np.log(near), np.log(far)))
        with b.at((b.rng.uniform(-spread, spread) * z, level, -z), b.rng.uniform(0, 6.3)):
            make(b)


def hills(b: SceneBuilder, level: float) -> None:
    """Far mountains and nearer rolling ground, with water between in a third of the scenes."""
    rng = b.rng
    far = b.material(("rough", "stones", "marble", "cracks"), hsv(rng.uniform(0.05, 0.65), rng.uniform(0.05, 0.5), rng.uniform(0.05, 0.5)), scale=25,
            contrast=0.7)
    for _ in range(int(rng.integers(1, 4))):
        z, tall = -rng.uniform(90, 700), 0.0
        tall = -z * rng.uniform(0.05, 0.4)
        b.terrain((rng.normal(0, 60), level - tall * 0.3, z), (-z * 1.4, tall, -z * 0.6), na.waves(b, 7, rng.uniform(2, 5), 0.55, 0.6), far)
    wet = rng.random() < 0.35
    if wet:
        water(b, level - rng.uniform(0.2, 1.5))
    near = soil(b, rng.uniform(0.6, 3))
    swell = rng.uniform(0.3, 5)
    b.terrain((0, level - swell * 0.8, -35), (60, swell, 60), na.waves(b, 7, rng.uniform(2, 5), 0.5, 0.2), near)
    if not wet:
        b.box((0, level - swell * 1.2 - 1, 0), (2000, 1, 2000), near)


def landscape(b: SceneBuilder) -> None:
    """Mountains, shore, dunes or meadow with trees, rocks, houses, people."""
    rng = b.rng
    daylight(b)
    hills(b, 0.0)
    scatter(b, na.tree, int(rng.integers(0, 9)), 7, 60)
    scatter(b, lambda c: na.rock(c, np.exp(c.rng.uniform(-2, 0.7))), int(rng.integers(0, 8)), 2, 20)
    scatter(b, lambda c: na.bush(c, c.rng.uniform(0.4, 1.8)), int(rng.integers(0, 6)), 3, 25)
    if rng.random() < 0.3:
        scatter(b, th.house, int(rng.integers(1, 3)), 20, 70, 0.5)
    if rng.random() < 0.4:
        scatter(b, fi.person if rng.random() < 0.5 else fi.animal, int(rng.integers(1, 5)), 3, 15, 0.4)
    position = np.array([0, rng.uniform(1.0, 4) if rng.random() < 0.8 else rng.uniform(4, 12), 0])
    look(b, position, position + np.array([rng.normal(0, 0.2), rng.normal(-0.05, 0.1), -1]), roll_of(b), rng.uniform(35, 75))


def forest(b: SceneBuilder) -> None:
    """Trunks around a path, undergrowth, fallen logs."""
    rng = b.rng
    daylight(b)
    ground = soil(b, rng.uniform(0.5, 1.5))
    b.box((0, -1.3, 0), (400, 1, 400), ground)
    b.terrain((0, -0.15, -20), (45, 0.3, 45), na.waves(b, 7, rng.uniform(4, 12), 0.6), ground)
    bark = b.material(("bark", "rough"), hsv(0.08, rng.uniform(0.1, 0.5), rng.uniform(0.03, 0.25)), scale=0.6)
    for _ in range(int(rng.integers(12, 40))):
        z = np.exp(rng.uniform(np.log(2.5), np.log(45)))
        x, thick = rng.uniform(-0.8, 0.8) * z, rng.uniform(0.06, 0.3)
        if abs(x) > 0.8:
            b.rod((x, -0.3, -z), (x + rng.normal(0, 0.6), rng.uniform(6, 14), -z + rng.normal(0, 0.6)), thick, bark, 0.6)
    scatter(b, lambda c: na.bush(c, c.rng.uniform(0.4, 1.5)), int(rng.integers(1, 7)), 3, 20)
    scatter(b, lambda c: na.tree(c, c.rng.uniform(4, 9)), int(rng.integers(2, 7)), 8, 30)
    scatter(b, lambda c: na.rosette(c, c.rng.uniform(0.2, 0.7)), int(rng.integers(0, 4)), 1.5, 6, 0.6)
    scatter(b, lambda c: na.rock(c, c.rng.uniform(0.1, 0.7)), int(rng.integers(0, 5)), 2, 12)
    if rng.random() < 0.3:
        scatter(b, fi.person if rng.random() < 0.6 else fi.animal, 1, 3, 9, 0.2)
    position = np.array([0, rng.uniform(0.6, 1.8), 0])
    look(b, position, position + np.array([rng.normal(0, 0.2), rng.normal(-0.02, 0.12), -1]), roll_of(b), rng.uniform(40, 75))
    b.photo.reach = 2.0


def macro(b: SceneBuilder) -> None:
    """Flowers, leaves, stones, mushrooms or a small animal from near, before a soft background."""
    rng = b.rng
    daylight(b)
    ground = soil(b, rng.uniform(0.1, 0.6))
    b.box((0, -1.03, 0), (300, 1, 300), ground)
    b.terrain((0, -0.01, -1.5), (3, 0.04, 3), na.waves(b, 7, rng.uniform(4, 12), 0.6), ground)
    draw = rng.random()
    if draw < 0.35:
        for _ in range(int(rng.integers(1, 9))):
            with b.at((rng.normal(0, 0.13), 0, rng.normal(-0.1, 0.15)), rng.uniform(0, 6.3), 1, rotation("x", rng.normal(0, 0.2))):
                na.flower(b, rng.uniform(0.2, 0.45))
        high, wide = 0.3, 0.5
    elif draw < 0.6:
        for _ in range(int(rng.integers(1, 4))):
            with b.at((rng.normal(0, 0.2), 0, rng.normal(-0.1, 0.2)), rng.uniform(0, 6.3)):
                na.rosette(b, rng.uniform(0.15, 0.5))
        high, wide = 0.2, 0.6
    elif draw < 0.72:
        for _ in range(int(rng.integers(3, 14))):
            with b.at((rng.normal(0, 0.2), 0, rng.normal(-0.1, 0.25)), rng.uniform(0, 6.3)):
                na.rock(b, np.exp(rng.uniform(-3.5, -1.3)))
        high, wide = 0.06, 0.5
    elif draw < 0.8:
        cap = b.material(("spots", "plain", "rough"), hsv(rng.uniform(0, 0.1), rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.6)), scale=0.05)
        stem = b.material(("plain",), np.full(3, 0.6))
        for _ in range(int(rng.integers(1, 7))):
            x, z, h = rng.normal(0, 0.08), rng.normal(-0.05, 0.08), rng.uniform(0.04, 0.13)
            b.rod((x, 0, z), (x, h, z), h * 0.15, stem, 0.8)
            b.add(ELLIPSOID, (x, h, z), (h * 0.5, h * rng.uniform(0.2, 0.35), h * 0.5), cap, rotation("z", rng.normal(0, 0.2)))
        high, wide = 0.07, 0.25
    else:
        for k in range(int(rng.choice([1, 1, 2]))):
            with b.at((0.35 * k, 0, -0.3 * k), rng.uniform(0, 6.3)):
                fi.bird(b) if rng.random() < 0.4 else fi.animal(b, rng.uniform(0.1, 0.2))
        high, wide = 0.2, 0.8
    scatter(b, lambda c: na.bush(c, c.rng.uniform(0.3, 1.2)), int(rng.integers(0, 5)), 1.2, 8, 0.8)
    scatter(b, na.tree, int(rng.integers(0, 5)), 6, 30)
    rise, far = np.radians(rng.uniform(3, 50)), wide * rng.uniform(0.6, 1.6)
    target = np.array([rng.normal(0, 0.03), high * rng.uniform(0.6, 1.1), -0.05])
    position = target + far * np.array([rng.normal(0, 0.15), np.sin(rise), np.cos(rise)])
    look(b, position, target + rng.normal(0, 0.03, 3), roll_of(b), rng.uniform(28, 55))
    b.photo.reach = 0.3
