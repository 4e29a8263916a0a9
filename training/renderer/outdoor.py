"""Streets, gardens and fields under a sky."""

from __future__ import annotations

import numpy as np

from . import furniture as fu
from . import things as th
from .builder import SceneBuilder, hsv, rotation
from .primitives import ELLIPSOID, PILLOW
from .rooms import look, roll_of


def daylight(b: SceneBuilder) -> None:
    """Sky, sun or overcast light, and haze."""
    rng = b.rng
    clear = rng.random() < 0.65
    zenith = np.array([0.15, 0.32, 0.75]) * rng.uniform(0.6, 1.3) if clear else np.full(3, rng.uniform(0.5, 0.9))
    horizon = np.array([0.65, 0.75, 0.9]) * rng.uniform(0.8, 1.2, 3) if rng.random() < 0.8 else np.array([0.95, 0.6, 0.35])
    cloud = np.full(3, rng.uniform(0.6, 1.2))
    pattern = b.bank.pick(rng, "marble", "plain")
    b.photo.sky = np.concatenate([zenith, horizon, cloud, [rng.uniform(0, 0.9), pattern, rng.uniform(0.05, 0.3)]])
    base = rng.uniform(0.35, 0.6) if clear else rng.uniform(0.7, 1.1)
    b.photo.ambient = np.concatenate([base * (0.5 + 0.5 * zenith / zenith.max()), base * rng.uniform(0.3, 0.6) * np.array([0.8, 0.75,
            0.65])])
    if clear:
        sun = np.array([rng.normal(0, 1), rng.uniform(0.3, 1.4), rng.normal(0, 1)])
        b.light(sun, np.array([1, 0.9, 0.75]) * rng.uniform(0.9, 1.8), (0.02, 0, 0), (0, 0, 0.02), sun=True)
    b.photo.fog = np.concatenate([horizon * 0.9, [np.exp(rng.uniform(np.log(0.0005), np.log(0.02)))]])
    b.photo.reach = 3.0


def ground(b: SceneBuilder) -> None:
    """A plane and far hills."""
    rng = b.rng
    soil = b.material(("rough", "rough", "stones", "tiles"), hsv(rng.uniform(0.08, 0.33), rng.uniform(0.1, 0.7), np.exp(rng.uniform(-3,
            -1))), scale=rng.uniform(0.8, 3))
    b.box((0, -1, 0), (400, 1, 400), soil)
    hill = b.material(("rough", "stones"), hsv(rng.uniform(0.1, 0.4), rng.uniform(0.2, 0.6), rng.uniform(0.05, 0.25)), scale=20,
            contrast=0.8)
    for _ in range(rng.integers(0, 5)):
        yaw, far = rng.uniform(0, 6.3), rng.uniform(80, 300)
        b.add(ELLIPSOID, (far * np.cos(yaw), 0, far * np.sin(yaw)), (rng.uniform(40, 120), rng.uniform(6, 40), rng.uniform(30, 70)), hill,
                rotation("y", rng.uniform(0, 3)))


def street(b: SceneBuilder) -> None:
    """A road along z with pavements, houses, cars, trees, people and lamp posts."""
    rng, half = b.rng, b.rng.uniform(2.5, 5)
    asphalt = b.material(("rough", "stones", "bricks"), np.full(3, rng.uniform(0.04, 0.2)) * rng.uniform(0.9, 1.1, 3),
            scale=rng.uniform(0.8, 2), contrast=0.3)
    b.box((0, 0, 0), (half, 0.01, 300), asphalt)
    paint, walk = b.material(("rough",), np.full(3, 0.6), contrast=0.1), b.material(("tiles", "bricks", "rough"), np.full(3,
            rng.uniform(0.15, 0.45)), scale=1.0, contrast=0.2)
    if rng.random() < 0.6:
        for k in range(12):
            b.box((0, 0.012, 10 - 6 * k), (0.07, 0.003, 1.4), paint)
    wide, set_back = rng.uniform(1.2, 2.5), rng.uniform(0, 5)
    for side in (-1, 1):
        b.box((side * (half + wide), 0.06, 0), (wide, 0.07, 300), walk)
        z = rng.uniform(2, 10)
        while z > -70:
            mark = len(b.rows)
            with b.at((side * (half + 2 * wide + set_back), 0, z), -side * np.pi / 2):
                width = th.house(b) if rng.random() < 0.75 else 3.0
                if len(b.rows) == mark and rng.random() < 0.8:
                    th.tree(b)
            z -= 2 * width + rng.uniform(0, 4)
        for k in range(5):
            z = 2 - 9 * k + rng.normal(0, 2)
            draw = rng.random()
            with b.at((side * (half + 0.6), 0.12, z), rng.uniform(0, 6.3)):
                if draw < 0.25:
                    th.tree(b)
                elif draw < 0.45:
                    post = b.material(base=np.full(3, 0.08))
                    b.rod((0, 0, 0), (0, 5.5, 0), 0.07, post)
                    b.rod((0, 5.5, 0), (1.2, 5.8, 0), 0.05, post)
                elif draw < 0.75:
                    th.person(b)
            if rng.random() < 0.35:
                with b.at((side * (half - 1.1), 0.01, z - 3), np.pi / 2 + np.pi * rng.integers(2) + rng.normal(0, 0.03)):
                    th.car(b)
    position = np.array([rng.uniform(-1, 1) * (half + wide), rng.uniform(1.2, 1.9) if rng.random() < 0.85 else rng.uniform(2, 7),
            rng.uniform(3, 9)])
    yaw = rng.normal(0, 0.4) if rng.random() < 0.8 else rng.normal(0, 1.2)
    aim = position + np.array([np.sin(yaw), rng.normal(0.02, 0.1), -np.cos(yaw)])
    look(b, position, aim, roll_of(b), rng.uniform(45, 75))


def garden(b: SceneBuilder) -> None:
    """Open ground with trees, a house, fences, stones, people and animals."""
    rng = b.rng
    if rng.random() < 0.6:
        with b.at((rng.normal(0, 8), 0, -rng.uniform(10, 30)), rng.normal(0, 0.6)):
            th.house(b)
    if rng.random() < 0.5:
        b.box((rng.normal(0, 3), 0, 0), (rng.uniform(0.5, 1.5), 0.015, 60), b.material(("rough", "stones", "bricks"), b.colour((0.1, 0.5),
                0.2), scale=1.2), rotation("y", rng.normal(0, 0.3)))
    if rng.random() < 0.4:
        wood, z = b.wood(), -rng.uniform(5, 14)
        for k in range(24):
            b.box(((k - 12) * 0.8, 0.55, z), (0.05, 0.55, 0.03), wood)
        for y in (0.4, 0.9):
            b.box((0, y, z), (9.6, 0.05, 0.02), wood)
    for _ in range(int(rng.integers(2, 12))):
        far = np.exp(rng.uniform(np.log(4), np.log(50)))
        with b.at((rng.uniform(-0.7, 0.7) * far, 0, -far), rng.uniform(0, 6.3), rng.uniform(0.5, 1.3)):
            th.tree(b)
    stone = b.material(("rough", "stones"), np.full(3, rng.uniform(0.1, 0.5)), scale=0.6)
    for _ in range(int(rng.integers(1, 8))):
        far, draw = np.exp(rng.uniform(np.log(1.8), np.log(14))), rng.random()
        with b.at((rng.uniform(-0.5, 0.5) * far, 0, -far), rng.uniform(0, 6.3)):
            if draw < 0.3:
                th.person(b)
            elif draw < 0.5:
                th.animal(b)
            elif draw < 0.75:
                half = rng.uniform(0.1, 0.6, 3)
                b.add(PILLOW, (0, half[1] * 0.7, 0), half, stone, rotation("z", rng.normal(0, 0.3)), 1.25)
            elif draw < 0.85:
                fu.chair(b)
            elif draw < 0.95:
                fu.table(b)
            elif far > 6:
                th.car(b)
    position = np.array([0, rng.uniform(1.0, 1.9), 0.5])
    aim = position + np.array([rng.normal(0, 0.2), rng.normal(-0.05, 0.14), -1])
    look(b, position, aim, roll_of(b), rng.uniform(45, 75))


def outdoor(b: SceneBuilder) -> None:
    """An outdoor scene."""
    daylight(b)
    ground(b)
    street(b) if b.rng.random() < 0.55 else garden(b)
