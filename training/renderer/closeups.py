"""Close-ups indoors: table tops with small things, portraits, animals."""

from __future__ import annotations

import numpy as np

from . import furniture as fu
from . import things as th
from .builder import SceneBuilder
from .primitives import FRUSTUM
from .rooms import indoor_light, look, picture, roll_of, shell, window


def backdrop(b: SceneBuilder) -> tuple[float, float, float]:
    """A room with a few blurred-into-the-distance pieces; returns its half sizes and height."""
    rng = b.rng
    w, d, h = rng.uniform(1.2, 4), rng.uniform(1.2, 4), rng.uniform(2.3, 3)
    shell(b, w, d, h)
    b.photo.reach = 0.6
    indoor_light(b, w, d, h)
    for k in range(3):
        angle = (0, np.pi / 2, -np.pi / 2)[k]
        deep, along = (d, w) if k == 0 else (w, d)
        with b.at((-np.sin(angle) * deep, 0, -np.cos(angle) * deep), angle):
            if rng.random() < 0.4:
                with b.at((rng.uniform(-0.5, 0.5) * along, 1.45, 0)):
                    window(b, rng.uniform(0.3, 0.7), 0.6)
            elif rng.random() < 0.6:
                with b.at((rng.uniform(-0.5, 0.5) * along, rng.uniform(1.2, 1.8), 0)):
                    picture(b)
            if rng.random() < 0.6:
                make = (fu.shelf, fu.cabinet, fu.sofa, fu.floor_lamp, fu.plant)[int(rng.integers(5))]
                with b.at((rng.uniform(-0.4, 0.4) * along, 0, 0.4)):
                    make(b)
    return w, d, h


def tabletop(b: SceneBuilder) -> None:
    """Things on a table, seen from near."""
    rng = b.rng
    w, d, _ = backdrop(b)
    height, x, z = rng.uniform(0.4, 0.9), rng.uniform(0.4, 1.0), rng.uniform(0.3, 0.6)
    place = np.array([rng.uniform(-0.4, 0.4) * w, 0, rng.uniform(-0.6, 0.2) * d])
    top = b.wood(0.4) if rng.random() < 0.55 else b.material(("rough", "plaid", "tiles", "marble", "plain", "spots", "stripes", "stones"),
            b.colour((0.05, 0.8), 0.7), scale=0.3, gloss=rng.random())
    crowd = rng.uniform(0.08, 0.26)
    centre = rng.uniform(-0.3, 0.3, 2) * (x, z)
    with b.at(place, rng.normal(0, 0.3)):
        if rng.random() < 0.15:
            b.add(FRUSTUM, (0, height - 0.02, 0), (x * 0.7, 0.02, x * 0.7), top)
            x = z = x * 0.7
        else:
            b.box((0, height - 0.02, 0), (x, 0.02, z), top)
            fu.legs(b, x * 0.9, z * 0.9, height - 0.02, b.wood())
        spots: list[tuple[float, float, float]] = []
        for _ in range(int(rng.integers(3, 22))):
            px, pz = centre[0] + rng.normal(0, crowd), centre[1] + rng.normal(0, crowd)
            if abs(px) > x or abs(pz) > z or any(np.hypot(px - a, pz - c) < r for a, c, r in spots):
                continue
            spots.append((px, pz, 0.11))
            with b.at((px, height, pz), rng.uniform(0, 6.3), rng.uniform(0.7, 1.3)):
                th.small_thing(b)
    target = place + np.array([centre[0], height + rng.uniform(0, 0.12), centre[1]])
    rise, yaw, far = np.radians(rng.uniform(8, 65)), rng.normal(0, 0.7), np.exp(rng.uniform(np.log(0.45), np.log(1.4)))
    position = target + far * np.array([np.sin(yaw) * np.cos(rise), np.sin(rise), np.cos(yaw) * np.cos(rise)])
    position[0], position[2] = np.clip(position[0], -w + 0.1, w - 0.1), np.clip(position[2], -d + 0.1, d - 0.1)
    look(b, position, target + rng.normal(0, 0.06, 3), roll_of(b) * 1.5, rng.uniform(38, 70))
    b.photo.reach = 0.25


def portrait(b: SceneBuilder) -> None:
    """One to three people or animals near the camera."""
    rng = b.rng
    w, d, _ = backdrop(b)
    kind, aim = rng.random(), np.zeros(3)
    z = rng.uniform(-0.4, 0.2) * d
    if kind < 0.65:
        seated = rng.random() < 0.3
        for k in range(int(rng.choice([1, 1, 1, 2, 3]))):
            with b.at((rng.normal(0, 0.1) + 0.6 * k - 0.3 * (k > 0), 0, z - 0.4 * k), rng.normal(0, 0.4)):
                if seated:
                    fu.chair(b)
                th.person(b, seated)
        aim, far = np.array([0.1, 1.05 if seated else 1.4, z]), rng.uniform(0.7, 2.0)
    else:
        for k in range(int(rng.choice([1, 1, 2]))):
            with b.at((rng.normal(0, 0.1) + 0.7 * k, 0, z - 0.3 * k), rng.uniform(0, 6.3)):
                th.animal(b)
        aim, far = np.array([0, 0.35, z]), rng.uniform(0.8, 1.8)
    position = aim + np.array([rng.normal(0, 0.3), rng.uniform(-0.1, 0.35), far])
    position[2] = min(position[2], d - 0.1)
    look(b, position, aim + rng.normal(0, 0.1, 3), roll_of(b), rng.uniform(40, 65))
    b.photo.reach = 0.5
