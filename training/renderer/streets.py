"""Towns: facades with relief, arcades and shop fronts, vehicles from near, squares, yards and stairs."""

from __future__ import annotations

import numpy as np

from . import figures as fi
from . import nature as na
from . import things as th
from .builder import SceneBuilder, hsv, rotation
from .outdoor import daylight
from .primitives import CUP, ELLIPSOID, FRUSTUM, GABLE, PILLOW
from .rooms import look, roll_of


def paving(b: SceneBuilder, scale: float = 1.0) -> int:
    rng = b.rng
    return b.material(("pebbles", "tiles", "bricks", "rough", "stones", "patches", "cracks"), hsv(rng.uniform(0, 0.6), rng.uniform(0, 0.25),
            np.exp(rng.uniform(-2.8, -0.7))), scale=scale * rng.uniform(0.5, 1.5), contrast=0.3)


def opening(b: SceneBuilder, w: float, h: float, glass: int, frame: int, deep: float) -> None:
    """A window about the current wall point (z outward): recess, frame, panes; sometimes arched, shuttered, with a sill."""
    rng = b.rng
    b.box((0, 0, 0.004), (w, h, 0.004), glass)
    for s in (-1, 1):
        b.box((s * w, 0, deep / 2), (0.05, h + 0.05, deep / 2), frame)
        b.box((0, s * h, deep / 2), (w, 0.05, deep / 2), frame)
    b.box((0, 0, 0.02), (0.025, h, 0.02), frame)
    b.box((0, h * 0.25, 0.02), (w, 0.02, 0.02), frame)


def facade(b: SceneBuilder, width: float, floors: int) -> float:
    """A building front in the plane z = 0, half width given, z toward the street; returns its height."""
    rng = b.rng
    wall = b.material(("bricks", "plain", "patches", "plain", "stones", "rough", "tiles", "patches"), b.colour((0.12, 0.8), 0.45),
            scale=rng.uniform(0.7, 2), upright=True, contrast=0.25, grain=0.5)
    trim, glass = b.material(("plain", "patches"), b.colour((0.2, 0.85), 0.3)), b.material(("plain", "scenery"), np.array([0.03, 0.045, 0.06]),
            scale=2, gloss=1, mirror=rng.uniform(0.2, 0.7))
    storey, per = rng.uniform(2.7, 3.6), max(2, int(width / rng.uniform(0.9, 1.6)))
    tall, deep = storey * floors, rng.uniform(0.04, 0.22)
    b.box((0, tall / 2, -4), (width, tall / 2, 4), wall)
    b.box((0, tall + 0.1, -3.8), (width + 0.15, 0.15, 4.1), trim)
    w, h = width / per * rng.uniform(0.35, 0.65), storey * rng.uniform(0.22, 0.36)
    balcony, band, shutters = rng.random() < 0.35, rng.random() < 0.4, rng.random() < 0.3
    paint = b.material(("stripes", "plain"), b.colour((0.05, 0.6), 0.8), scale=0.2)
    for floor in range(floors):
        y = storey * (floor + 0.52)
        if band and floor:
            b.box((0, storey * floor, 0.05), (width, 0.08, 0.07), trim)
        if floor == 0 and rng.random() < 0.6:
            shop(b, width, storey, glass, trim)
            continue
        for k in range(per):
            x = -width + 2 * width * (k + 0.5) / per
            with b.at((x, y, 0)):
                opening(b, w, h, glass, trim, deep)
                if shutters:
                    for s in (-1, 1):
                        b.box((s * w * 1.55, 0, 0.03), (w * 0.5, h, 0.03), paint)
                if balcony and floor and k % 2:
                    b.box((0, -h - 0.1, 0.4), (w * 1.5, 0.07, 0.42), trim)
                    for j in range(7):
                        b.rod(((j / 3 - 1) * w * 1.45, -h, 0.78), ((j / 3 - 1) * w * 1.45, -h + 0.8, 0.78), 0.015, paint)
                    b.box((0, -h + 0.8, 0.78), (w * 1.5, 0.02, 0.02), paint)
    return tall


def shop(b: SceneBuilder, width: float, storey: float, glass: int, trim: int) -> None:
    """Ground floor: big panes, a door, a sign, an awning."""
    rng, x = b.rng, -width + 0.3
    while x < width - 0.9:
        w = rng.uniform(0.5, 1.4)
        if x + 2 * w > width:
            break
        high = storey * 0.36
        with b.at((x + w, high + 0.25, 0)):
            b.box((0, 0, 0.01), (w, high, 0.01), glass if rng.random() < 0.6 else b.picture(rng.uniform(0, 1.5)))
            for s in (-1, 1):
                b.box((s * w, 0, 0.06), (0.06, high + 0.1, 0.08), trim)
        x += 2 * w + rng.uniform(0.1, 0.5)
    if rng.random() < 0.7:
        b.box((0, storey * 0.88, 0.08), (width * 0.9, storey * 0.08, 0.08), b.material(("text", "plain", "shapes"), b.colour((0.05, 0.8), 1.2),
                fit=(3, 1)))
    if rng.random() < 0.45:
        b.box((0, storey * 0.76, 0.6), (width * 0.85, 0.02, 0.7), b.material(("stripes", "plain"), b.colour((0.1, 0.8), 1.3), scale=0.4),
                rotation("x", 0.4))


def wheel(b: SceneBuilder, place, r: float, wide: float) -> None:
    rubber, rim = b.material(("rough",), np.full(3, 0.02)), b.material(base=np.full(3, b.rng.uniform(0.1, 0.6)), gloss=1, mirror=0.2)
    x, y, z = place
    b.rod((x, y, z - wide), (x, y, z + wide), r, rubber)
    b.rod((x, y, z - wide * 1.03), (x, y, z + wide * 1.03), r * 0.62, rim)


def car(b: SceneBuilder) -> None:
    """A car of blended body panels that faces +x: small, saloon, estate or off-roader."""
    rng = b.rng
    paint = b.material(("plain",), b.colour((0.02, 0.85), 1.0), gloss=1, mirror=0.35, grain=0.03, contrast=0.05)
    glass, black = b.material(base=np.full(3, 0.02), gloss=1, mirror=0.5), b.material(base=np.full(3, 0.02))
    long, wide, r = rng.uniform(1.7, 2.4), rng.uniform(0.78, 0.92), rng.uniform(0.29, 0.37)
    sill, belt, roof = rng.uniform(0.2, 0.35), rng.uniform(0.82, 1.0), rng.uniform(1.35, 1.75)
    back = -long * (0.9 if rng.random() < 0.5 else 0.55)
    b.add(PILLOW, (0, (sill + belt) / 2, 0), (long, (belt - sill) / 2, wide), paint, shape=1.62)
    across = lambda x, y, half, r: fi.rod((x, y, -half), (x, y, half), r)
    b.body([across(-long * 0.8, belt - 0.16, wide * 0.7, 0.2), across(0, belt - 0.14, wide * 0.7, 0.2), across(long * 0.82, belt - 0.26, wide * 0.65,
            0.18)], paint, 0.3)
    nose, top, half = long * rng.uniform(0.25, 0.45), roof - 0.14, wide * 0.6
    b.body([across(x, top, half, 0.13) for x in np.linspace(back * 0.75, nose * 0.35, 5)], paint, 0.2)
    b.body([across(x, y, half * (1.12 if y == belt else 1.0), 0.15) for y, first, last in ((belt, back * 0.95, nose), ((belt + top) / 2, back * 0.85,
            nose * 0.65), (top - 0.1, back * 0.75, nose * 0.4)) for x in np.linspace(first, last, 6)], glass, 0.2)
    lamp, red = b.material(base=np.array([0.8, 0.8, 0.75]), gloss=1), b.material(base=np.array([0.4, 0.02, 0.02]), gloss=1)
    for sz in (-1, 1):
        for sx in (-1, 1):
            wheel(b, (sx * long * 0.62, r, sz * (wide - 0.08)), r, 0.11)
            b.add(ELLIPSOID, (sx * long * 0.94, (sill + belt) / 2 + 0.1, sz * wide * 0.68), (0.12, 0.08, 0.17), lamp if sx > 0 else red)
        b.add(ELLIPSOID, (nose * 0.8, belt + 0.08, sz * (wide + 0.06)), (0.06, 0.07, 0.1), paint)
        b.box((-0.1, belt - 0.14, sz * (wide * 0.985)), (0.09, 0.015, 0.02), black)
    b.box((long * 0.97, (sill + belt) / 2 - 0.08, 0), (0.03, 0.09, wide * 0.5), black)
    b.box((-long * 0.985, (sill + belt) / 2, 0), (0.02, 0.06, 0.25), b.material(("text",), np.full(3, 0.7), fit=(1, 1)))


def van(b: SceneBuilder) -> None:
    """A van, lorry or bus that faces +x."""
    rng = b.rng
    paint = b.material(("plain", "shapes", "text", "stripes"), b.colour((0.05, 0.85), 1.0), gloss=1, mirror=0.15, contrast=0.3, scale=2)
    glass = b.material(base=np.full(3, 0.02), gloss=1, mirror=0.5)
    long, wide, tall = rng.uniform(2.3, 5.5), rng.uniform(0.9, 1.25), rng.uniform(1.9, 3.0)
    b.add(PILLOW, (0, 0.35 + tall / 2, 0), (long, tall / 2, wide), paint, shape=1.64)
    for s in (-1, 1):
        if rng.random() < 0.7:
            for k in range(int(long)):
                b.box((-long * 0.8 + 1.75 * k, tall * 0.72, s * wide), (0.7, tall * 0.16, 0.02), glass)
        for x in (-long * 0.6, long * 0.65):
            wheel(b, (x, 0.42, s * (wide - 0.1)), 0.42, 0.12)
    b.box((long * 0.99, tall * 0.72, 0), (0.03, tall * 0.2, wide * 0.85), glass)


def bicycle(b: SceneBuilder) -> None:
    """A bicycle that faces +x, upright."""
    rng, frame = b.rng, b.smooth(1.0)
    black = b.material(base=np.full(3, 0.02))
    for x in (-0.5, 0.5):
        rim = [(x + 0.32 * np.cos(k * np.pi / 6), 0.34 + 0.32 * np.sin(k * np.pi / 6), 0) for k in range(13)]
        b.body([fi.rod(p, q, 0.022) for p, q in zip(rim, rim[1:])], black, 0.005)
        b.rod((x, 0.34, -0.05), (x, 0.34, 0.05), 0.03, frame)
    for p, q in (((-0.5, 0.34, 0), (-0.12, 0.3, 0)), ((-0.12, 0.3, 0), (0.35, 0.75, 0)), ((-0.25, 0.85, 0), (-0.1, 0.3, 0)), ((-0.22, 0.75, 0),
            (0.36, 0.8, 0)), ((0.5, 0.34, 0), (0.33, 0.95, 0)), ((-0.5, 0.34, 0), (-0.22, 0.72, 0))):
        b.rod(p, q, 0.02, frame)
    b.rod((0.35, 0.97, -0.27), (0.35, 0.97, 0.27), 0.015, black)
    b.body([fi.rod((-0.36, 0.88, 0), (-0.12, 0.87, 0), 0.07, 0.03)], black)


def furnish(b: SceneBuilder, half: float) -> None:
    """People, vehicles, lamps, benches, bins, plants and signs along the pavements of a road of half width `half`."""
    rng = b.rng
    for side in (-1, 1):
        for k in range(int(rng.integers(3, 9))):
            z, draw, x = -np.exp(rng.uniform(np.log(2), np.log(40))), rng.random(), side * (half + rng.uniform(0.4, 1.6))
            with b.at((x, 0.13, z), rng.uniform(0, 6.3)):
                if draw < 0.4:
                    fi.person(b)
                elif draw < 0.52:
                    na.tree(b, rng.uniform(3, 8))
                elif draw < 0.62:
                    post = b.material(base=np.full(3, rng.uniform(0.02, 0.4)))
                    b.rod((0, 0, 0), (0, rng.uniform(3, 6), 0), 0.06, post)
                elif draw < 0.7:
                    bicycle(b)
                elif draw < 0.78:
                    na.potted(b, rng.uniform(0.6, 1.6))
                elif draw < 0.86:
                    b.rod((0, 0, 0), (0, 2.2, 0), 0.03, b.smooth(0.2))
                    b.rod((0, 2.3, 0), (0, 2.3, 0.02), 0.3, b.material(("shapes", "text"), b.colour((0.2, 0.8), 1.5), fit=(1, 1)))
                else:
                    b.rod((0, 0, 0), (0, 0.9, 0), 0.25, b.smooth(0.5), 1.1)
        z = -rng.uniform(1, 6)
        while z > -45 and rng.random() < 0.85:
            if rng.random() < 0.5:
                with b.at((side * (half - 1.0), 0.01, z), np.pi / 2 + np.pi * rng.integers(2) + rng.normal(0, 0.03)):
                    car(b) if rng.random() < 0.8 else van(b)
            z -= rng.uniform(5, 8)


def town(b: SceneBuilder) -> None:
    """A street between facades."""
    rng, half = b.rng, b.rng.uniform(1.5, 5.5)
    daylight(b)
    b.box((0, -1, 0), (300, 1, 300), paving(b, 1.5))
    b.box((0, 0, 0), (half, 0.01, 300), paving(b))
    wide, walk = rng.uniform(1.2, 3), paving(b)
    for side in (-1, 1):
        b.box((side * (half + wide), 0.06, 0), (wide, 0.07, 300), walk)
        z = rng.uniform(2, 12)
        while z > -80:
            width = rng.uniform(2.5, 8)
            with b.at((side * (half + 2 * wide), 0, z - width), -side * np.pi / 2):
                if rng.random() < 0.9:
                    facade(b, width, int(rng.integers(1, 6)))
                else:
                    na.tree(b, rng.uniform(4, 9))
            z -= 2 * width + (0 if rng.random() < 0.7 else rng.uniform(0, 5))
    if rng.random() < 0.4:
        with b.at((rng.normal(0, 3), 0, -rng.uniform(30, 90))):
            facade(b, rng.uniform(6, 20), int(rng.integers(2, 8)))
    furnish(b, half)
    x = rng.uniform(-1, 1) * (half + wide)
    position = np.array([x, rng.uniform(1.3, 1.8) if rng.random() < 0.8 else rng.uniform(0.4, 6), rng.uniform(0, 4)])
    yaw = rng.normal(0, 0.25) if rng.random() < 0.75 else rng.normal(0, 0.9)
    look(b, position, position + np.array([np.sin(yaw), rng.normal(0.03, 0.12), -np.cos(yaw)]), roll_of(b), rng.uniform(38, 78))


def vehicle(b: SceneBuilder) -> None:
    """One or two vehicles from near, before a house, a facade or trees."""
    rng = b.rng
    daylight(b)
    b.box((0, -1, 0), (300, 1, 300), paving(b))
    far = rng.uniform(4, 14)
    with b.at((rng.normal(0, 3), 0, -far)):
        facade(b, rng.uniform(5, 14), int(rng.integers(1, 4))) if rng.random() < 0.6 else th.house(b)
    for _ in range(int(rng.integers(0, 6))):
        with b.at((rng.normal(0, 6), 0, -rng.uniform(3.5, 12)), rng.uniform(0, 6.3)):
            na.tree(b, rng.uniform(3, 8)) if rng.random() < 0.5 else na.bush(b, rng.uniform(0.6, 1.5)) if rng.random() < 0.5 else fi.person(b)
    kinds, yaw = (car, car, car, van, bicycle), rng.uniform(0, 6.3)
    make = kinds[int(rng.integers(5))]
    size = {car: 1.0, van: 1.5, bicycle: 0.42}[make]
    for k in range(int(rng.choice([1, 1, 2]))):
        with b.at((2.6 * k * size, 0, -2.2 * k * size), yaw):
            make(b)
    angle, gap = rng.normal(0, 0.5), size * rng.uniform(3.2, 7)
    position = np.array([np.sin(angle) * gap, rng.uniform(0.5, 2.0), np.cos(angle) * gap])
    look(b, position, np.array([rng.normal(0, 0.4), 0.7 * size, 0]), roll_of(b), rng.uniform(35, 65))


def masonry(b: SceneBuilder) -> None:
    """Old stone near: columns, an arch, a wall, steps, a statue, a fountain."""
    rng = b.rng
    daylight(b)
    ground = paving(b)
    b.box((0, -1, 0), (300, 1, 300), ground)
    stone = b.material(("bricks", "stones", "patches", "marble", "cracks", "plain"), hsv(rng.uniform(0.03, 0.6), rng.uniform(0, 0.4),
            np.exp(rng.uniform(-1.8, -0.3))), scale=rng.uniform(0.6, 1.6), contrast=0.3, upright=True)
    wall = rng.uniform(4, 12)
    if rng.random() < 0.75:
        with b.at((rng.normal(0, 2), 0, -wall)):
            facade(b, rng.uniform(5, 12), int(rng.integers(1, 4))) if rng.random() < 0.6 else b.box((0, 2, -0.5), (12, rng.uniform(1, 4), 0.5), stone)
    draw = rng.random()
    if draw < 0.4:
        count, tall, r, gap = int(rng.integers(2, 8)), rng.uniform(2.5, 6), rng.uniform(0.15, 0.45), rng.uniform(1.2, 2.5)
        with b.at((rng.normal(0, 1), 0, -rng.uniform(1, 3)), rng.normal(0, 0.7)):
            for k in range(count):
                x = (k - (count - 1) / 2) * gap
                b.rod((x, 0, 0), (x, tall, 0), r, stone, rng.uniform(0.8, 1))
                b.box((x, 0.12, 0), (r * 1.4, 0.12, r * 1.4), stone)
                b.box((x, tall, 0), (r * 1.4, 0.12, r * 1.4), stone)
            b.box((0, tall + 0.4, 0), (count * gap / 2, 0.4, r * 1.3), stone)
            if rng.random() < 0.4:
                b.add(GABLE, (0, tall + 1.4, 0), (count * gap / 2, 0.7, r * 1.4), stone)
    elif draw < 0.7:
        rise, run, wide = rng.uniform(0.13, 0.2), rng.uniform(0.25, 0.45), rng.uniform(1, 4)
        with b.at((rng.normal(0, 0.6), 0, -1), rng.normal(0, 0.5)):
            for k in range(int(rng.integers(4, 16))):
                b.box((0, rise * (k + 0.5), -run * k - 2), (wide, rise / 2, 2), stone)
            for s in (-1, 1):
                b.box((s * wide, 0.5, -1.5), (0.2, 0.5, 2), stone)
    else:
        r = rng.uniform(0.4, 1.6)
        with b.at((rng.normal(0, 0.5), 0, -r)):
            b.add(CUP, (0, 0.35, 0), (r, 0.35, r), stone, shape=1.15)
            b.rod((0, 0, 0), (0, 1.2, 0), r * 0.25, stone, 0.7)
            with b.at((0, 1.2, 0), rng.uniform(0, 6.3), rng.uniform(0.8, 1.4)):
                fi.person(b) if rng.random() < 0.5 else na.rock(b, 0.8, stone)
    for _ in range(int(rng.integers(0, 6))):
        with b.at((rng.normal(0, 3), 0, -rng.uniform(0.5, 8)), rng.uniform(0, 6.3)):
            (lambda c: na.potted(c, c.rng.uniform(0.5, 1.5)), fi.person, fi.person, lambda c: na.bush(c, 0.9), fi.bird)[int(rng.integers(5))](b)
    position = np.array([rng.normal(0, 1.2), rng.uniform(0.5, 2.0), rng.uniform(1.5, 5)])
    aim = np.array([rng.normal(0, 0.8), rng.uniform(0.6, 2.2), -2])
    look(b, position, aim, roll_of(b), rng.uniform(38, 75))
