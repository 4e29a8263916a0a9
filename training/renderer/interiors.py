"""Interiors beyond the furnished box: kitchens, bathrooms, corridors, halls with columns, stairs, shelves, glass fronts."""

from __future__ import annotations

import numpy as np

from . import figures as fi
from . import furniture as fu
from . import nature as na
from . import things as th
from .builder import SceneBuilder, hsv, rotation
from .primitives import CUP, ELLIPSOID, FRUSTUM, PILLOW
from .rooms import door, indoor_light, look, picture, roll_of, shell, window
from .stilllife import anything


def view(b: SceneBuilder, position, aim, fov=(45, 85)) -> None:
    look(b, np.asarray(position, float), np.asarray(aim, float), roll_of(b), b.rng.uniform(*fov))


def wall(b: SceneBuilder, w: float, d: float, side: int):
    """The frame of wall 0 (far), 1 (left), 2 (right) of a room: x along it, z inward."""
    angle = (0, np.pi / 2, -np.pi / 2)[side]
    deep = d if side == 0 else w
    return b.at((-np.sin(angle) * deep, 0, -np.cos(angle) * deep), angle)


def counter(b: SceneBuilder, along: float) -> None:
    """Base cabinets with a worktop, wall cabinets, appliances and things along a wall."""
    rng = b.rng
    front, top = b.wood(0.6), b.material(("marble", "plain", "wood", "patches"), b.colour((0.03, 0.8), 0.3), gloss=1, mirror=0.1, scale=0.5)
    grip, splash = b.smooth(0.1), b.material(("tiles", "bricks", "plain", "marble"), b.colour((0.2, 0.85), 0.5), scale=0.5, gloss=0.8, upright=True)
    b.box((0, 0.43, 0.3), (along, 0.43, 0.29), front)
    b.box((0, 0.88, 0.31), (along, 0.02, 0.32), top)
    b.box((0, 1.2, 0.01), (along, 0.3, 0.01), splash)
    wide = rng.uniform(0.3, 0.6)
    for k in range(int(2 * along / wide)):
        x = -along + wide * (k + 0.5)
        b.box((x, 0.44, 0.6), (wide / 2 - 0.01, 0.38, 0.012), front)
        b.rod((x + wide * 0.35, 0.5, 0.63), (x + wide * 0.35, 0.65, 0.63), 0.008, grip)
        draw = rng.random()
        if draw < 0.6:
            b.box((x, 1.85, 0.17), (wide / 2 - 0.005, 0.35, 0.17), front)
        if rng.random() < 0.45:
            with b.at((x, 0.9, 0.3 + rng.normal(0, 0.08)), rng.uniform(0, 6.3), 1.2):
                anything(b)
    x = rng.uniform(-0.6, 0.6) * along
    b.box((x, 0.895, 0.31), (0.25, 0.006, 0.2), b.material(base=np.full(3, 0.05), gloss=1, mirror=0.3))
    if rng.random() < 0.5:
        b.box((along * rng.choice([-1, 1]) * 0.85, 0.95, 0.33), (0.32, 0.95, 0.33), b.smooth(0.2))


def kitchen(b: SceneBuilder) -> None:
    rng, w, d, h = b.rng, b.rng.uniform(1.4, 3), b.rng.uniform(1.6, 3), b.rng.uniform(2.3, 2.9)
    shell(b, w, d, h)
    indoor_light(b, w, d, h)
    for side in range(3):
        with wall(b, w, d, side):
            along = w if side == 0 else d
            if rng.random() < (0.9 if side == 0 else 0.5):
                counter(b, along * rng.uniform(0.5, 1))
            elif rng.random() < 0.7:
                with b.at((rng.uniform(-0.3, 0.3) * along, 1.5, 0)):
                    window(b, rng.uniform(0.4, 0.9), 0.55)
            if rng.random() < 0.3:
                with b.at((rng.uniform(-0.5, 0.5) * along, 1.6, 0.02)):
                    window(b, rng.uniform(0.3, 0.6), 0.4)
    if rng.random() < 0.6:
        with b.at((rng.normal(0, 0.4), 0, rng.normal(0, 0.4)), rng.normal(0, 0.3)):
            fu.table(b)
    for _ in range(int(rng.integers(0, 4))):
        with b.at((rng.uniform(-0.5, 0.5) * w, 0, rng.uniform(-0.4, 0.4) * d), rng.uniform(0, 6.3)):
            (fi.person, fu.chair, fu.chair)[int(rng.integers(3))](b)
    view(b, (rng.uniform(-0.6, 0.6) * w, rng.uniform(1.1, 1.7), d * 0.9), (rng.uniform(-0.6, 0.6) * w, rng.uniform(0.6, 1.2), -d))


def bathroom(b: SceneBuilder) -> None:
    rng, w, d, h = b.rng, b.rng.uniform(0.9, 1.8), b.rng.uniform(1.1, 2), b.rng.uniform(2.2, 2.7)
    shell(b, w, d, h)
    indoor_light(b, w, d, h)
    white = b.material(base=np.full(3, rng.uniform(0.5, 0.85)), gloss=1, mirror=0.1, grain=0.05)
    tiles = b.material(("tiles", "bricks", "marble"), b.colour((0.2, 0.85), 0.4), scale=rng.uniform(0.3, 0.8), gloss=1, mirror=0.08)
    b.box((0, 0.65, -d + 0.01), (w, 0.65, 0.012), tiles)
    x = rng.uniform(-0.4, 0.4) * w
    with b.at((x, 0, -d)):  # basin and looking glass
        b.box((0, 0.82, 0.25), (0.4, 0.06, 0.25), white)
        b.add(ELLIPSOID, (0, 0.885, 0.27), (0.24, 0.01, 0.17), b.material(base=np.full(3, 0.4), gloss=1))
        b.box((0, 0.4, 0.22), (0.38, 0.37, 0.21), b.wood())
        b.rod((0, 0.88, 0.05), (0, 1.05, 0.08), 0.015, b.material(base=np.full(3, 0.5), mirror=0.6))
        b.box((0, 1.55, 0.015), (rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.5), 0.015), b.material(base=np.full(3, 0.7), mirror=0.9))
    with b.at((-w + 0.25, 0, rng.uniform(-0.5, 0.3) * d), np.pi / 2):  # toilet
        b.body([fi.rod((0, 0.1, 0), (0, 0.3, 0.05), 0.13, 0.17), fi.rod((0, 0.33, -0.08), (0, 0.33, 0.16), 0.17)], white, 0.08)
        b.box((0, 0.55, -0.18), (0.2, 0.2, 0.08), white)
    if rng.random() < 0.7:
        with b.at((w - 0.38, 0, -d * 0.2)):
            b.add(PILLOW, (0, 0.28, 0), (0.38, 0.28, 0.8), white, shape=1.65)
            b.box((0, 0.555, 0), (0.28, 0.01, 0.65), b.material(base=np.full(3, 0.3), gloss=1))
    for _ in range(int(rng.integers(0, 5))):
        with b.at((x + rng.uniform(-0.35, 0.35), 0.88, -d + rng.uniform(0.1, 0.4)), rng.uniform(0, 6.3)):
            th.bottle(b) if rng.random() < 0.6 else na.potted(b, 0.2)
    view(b, (rng.uniform(-0.5, 0.5) * w, rng.uniform(1.2, 1.7), d * 0.92), (rng.uniform(-0.6, 0.6) * w, rng.uniform(0.5, 1.2), -d), (55, 88))


def corridor(b: SceneBuilder) -> None:
    """A long passage with doors, pictures, lamps, people; of an office, hotel, arcade or underground."""
    rng, w, d, h = b.rng, b.rng.uniform(0.7, 2.5), b.rng.uniform(6, 25), b.rng.uniform(2.3, 4)
    shell(b, w, d, h)
    indoor_light(b, w, 2, h)
    step, columns = rng.uniform(1.5, 4), rng.random() < 0.3
    stone, lamp = b.material(("marble", "plain", "patches", "bricks"), b.colour((0.1, 0.8), 0.3)), b.material(base=np.full(3, 0.8),
            emission=rng.uniform(1, 3), shadowless=1)
    for side in (1, 2):
        with wall(b, w, d, side):
            x = -d + rng.uniform(0.5, 2)
            while x < d - 1:
                draw = rng.random()
                with b.at((x, 0, 0)):
                    if columns:
                        b.rod((0, 0, 0.25), (0, h, 0.25), 0.16, stone)
                    elif draw < 0.45:
                        door(b)
                    elif draw < 0.6:
                        with b.at((0, 1.5, 0)):
                            picture(b)
                    elif draw < 0.75:
                        with b.at((0, 1.4, 0)):
                            window(b, 0.6, 0.6)
                    elif draw < 0.9:
                        with b.at((0, 0, 0.3)):
                            (fu.cabinet, fu.chair, fu.plant, fu.shelf)[int(rng.integers(4))](b)
                x += step
    for k in range(int(2 * d / step)):
        b.box((0, h - 0.02, -d + step * k), (0.25, 0.02, 0.4), lamp)
    with b.at((0, 0, -d)):
        door(b) if rng.random() < 0.5 else None
    for _ in range(int(rng.integers(0, 5))):
        with b.at((rng.uniform(-0.6, 0.6) * w, 0, d - 1.5 - np.exp(rng.uniform(0.3, 3))), rng.uniform(0, 6.3)):
            fi.person(b)
    view(b, (rng.uniform(-0.5, 0.5) * w, rng.uniform(1.0, 1.8), d - 0.5), (rng.normal(0, 0.3) * w, rng.uniform(0.9, 1.7), d - 5), (45, 80))


def hall(b: SceneBuilder) -> None:
    """A large hall: columns, rows of seats or tables, tall windows, people."""
    rng, w, d, h = b.rng, b.rng.uniform(4, 12), b.rng.uniform(6, 18), b.rng.uniform(3.5, 9)
    shell(b, w, d, h)
    indoor_light(b, w, d * 0.5, h)
    stone, r = b.material(("marble", "plain", "patches", "bricks", "stones"), b.colour((0.15, 0.8), 0.3)), rng.uniform(0.15, 0.5)
    gap = rng.uniform(2.5, 5)
    for k in range(int(2 * d / gap)):
        for s in (-1, 1):
            z = -d + gap * (k + 0.5)
            b.rod((s * w * 0.62, 0, z), (s * w * 0.62, h, z), r, stone, 0.9)
            b.box((s * w * 0.62, h - 0.2, z), (r * 1.4, 0.2, r * 1.4), stone)
            if rng.random() < 0.7:
                with b.at((s * w, h * 0.5, z), -s * np.pi / 2):
                    window(b, rng.uniform(0.4, 0.9), h * 0.28)
    make = (fu.chair, fu.table, fu.sofa, lambda c: fi.person(c, False), fu.shelf)[int(rng.integers(5))]
    for _ in range(int(rng.integers(4, 22))):
        z = d - 2 - np.exp(rng.uniform(0.3, np.log(2 * d)))
        with b.at((rng.uniform(-0.5, 0.5) * w, 0, z), rng.integers(4) * np.pi / 2 + rng.normal(0, 0.1)):
            make(b) if rng.random() < 0.6 else fi.person(b)
        if len(b.rows) > 900:
            break
    with wall(b, w, d, 0):
        for _ in range(int(rng.integers(0, 4))):
            with b.at((rng.uniform(-0.7, 0.7) * w, rng.uniform(1.5, h - 1), 0), 0, 2):
                picture(b) if rng.random() < 0.5 else window(b, 0.5, 0.6)
    view(b, (rng.uniform(-0.5, 0.5) * w, rng.uniform(1.2, 2.2), d - 1), (rng.uniform(-0.4, 0.4) * w, rng.uniform(1, 2.5), -d * 0.5))


def stairs(b: SceneBuilder) -> None:
    """A flight of stairs with a rail in a hallway, from below or from above."""
    rng, w, d, h = b.rng, b.rng.uniform(1.4, 3), b.rng.uniform(2.5, 4.5), b.rng.uniform(3.5, 6)
    shell(b, w, d, h)
    indoor_light(b, w, d, h)
    stuff, rail, rise, run = b.wood(), b.smooth(0.3), rng.uniform(0.15, 0.2), rng.uniform(0.22, 0.32)
    wide, x = rng.uniform(0.4, 0.9), rng.uniform(-0.6, 0.6)
    count = int(min(h / rise - 3, 2 * d / run - 3))
    for k in range(count):
        z = d * 0.4 - run * k
        b.box((x, rise * (k + 1) / 2, z), (wide, rise * (k + 1) / 2, run / 2), stuff)
        for s in (-1, 1):
            b.rod((x + s * wide, rise * (k + 1), z), (x + s * wide, rise * (k + 1) + 0.85, z), 0.015, rail)
    for s in (-1, 1):
        b.rod((x + s * wide, rise + 0.87, d * 0.4), (x + s * wide, rise * count + 0.87, d * 0.4 - run * (count - 1)), 0.03, rail)
    for side in range(3):
        with wall(b, w, d, side):
            for _ in range(int(rng.integers(0, 4))):
                with b.at((rng.uniform(-0.8, 0.8) * (w if side == 0 else d), rng.uniform(1.4, h - 0.8), 0)):
                    picture(b) if rng.random() < 0.6 else window(b, 0.5, 0.6)
    if rng.random() < 0.5:
        with b.at((-x, 0, 0), rng.uniform(0, 6.3)):
            (fi.person, fu.plant, fu.cabinet)[int(rng.integers(3))](b)
    view(b, (rng.uniform(-0.7, 0.7) * w, rng.uniform(0.8, 1.8), d * 0.93), (x * 0.7, rng.uniform(0.7, 2.2), -d * 0.3), (50, 85))


def library(b: SceneBuilder) -> None:
    """Near a wall of shelves, a desk or a wall with pictures: frontal and slanting views of crowded surfaces."""
    rng, w, d, h = b.rng, b.rng.uniform(1.5, 3), b.rng.uniform(1.2, 2.5), b.rng.uniform(2.3, 3)
    shell(b, w, d, h)
    indoor_light(b, w, d, h)
    b.photo.reach = 0.5
    with wall(b, w, d, 0):
        draw, x = rng.random(), -w + 0.5
        while x < w - 0.4:
            with b.at((x, 0, 0.25)):
                half, _ = fu.shelf(b) if draw < 0.5 else fu.desk(b) if draw < 0.75 else fu.cabinet(b)
            if draw > 0.5:
                for _ in range(int(rng.integers(1, 4))):
                    with b.at((x + rng.normal(0, 0.3), rng.uniform(1.3, 1.9), 0)):
                        picture(b)
            x += 2 * half + rng.uniform(0, 0.4)
    with b.at((rng.normal(0, 0.5), 0, -d + 1.0), rng.normal(0, 0.5)):
        (fi.person, fu.chair, lambda c: na.potted(c, 0.9), fu.floor_lamp)[int(rng.integers(4))](b)
    slant = rng.uniform(-0.9, 0.9)
    view(b, (slant * w, rng.uniform(0.9, 1.7), -d + rng.uniform(0.9, 2.2)), (slant * w * rng.uniform(-0.3, 0.6), rng.uniform(0.7, 1.6), -d), (40, 75))
