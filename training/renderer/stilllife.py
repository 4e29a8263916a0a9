"""Things from near: dishes and food, crowded tables from above, single objects, shelves of things, portraits, animals at home."""

from __future__ import annotations

import numpy as np

from . import figures as fi
from . import furniture as fu
from . import nature as na
from . import things as th
from .builder import SceneBuilder, hsv, rotation
from .closeups import backdrop
from .primitives import BOX, CUP, ELLIPSOID, FRUSTUM, PILLOW
from .rooms import look, roll_of


def food_material(b: SceneBuilder) -> int:
    rng = b.rng
    return b.material(("rough", "spots", "plain", "stones", "patches", "cracks", "pebbles"), hsv(rng.uniform(0, 0.33), rng.uniform(0.3, 1),
            np.exp(rng.uniform(-3, -0.4))), scale=rng.uniform(0.02, 0.1), gloss=0.6 * rng.random())


def morsel(b: SceneBuilder, r: float) -> None:
    """A piece of food about r in radius: fruit, bread, slice, leaf, stick, heap, cake."""
    rng, draw, stuff = b.rng, b.rng.random(), food_material(b)
    if draw < 0.3:
        half = r * rng.uniform(0.7, 1.1, 3)
        b.body([fi.ball((0, half[1], 0), half[1]), fi.ball((half[0] * 0.3, half[1] * 1.1, 0), half[1] * 0.85)], stuff, r * 0.5, r * 0.04 * rng.random(),
                1 / r)
        if rng.random() < 0.4:
            b.rod((0, half[1] * 1.9, 0), (r * 0.1, half[1] * 2.5, 0), r * 0.05, b.wood())
    elif draw < 0.5:
        long = r * rng.uniform(1, 3)
        b.body([fi.rod((-long / 2, r * 0.5, 0), (0, r * 0.6, r * rng.normal(0, 0.3)), r * 0.4, r * 0.55), fi.rod((0, r * 0.6, 0), (long / 2, r * 0.5,
                0), r * 0.55, r * 0.38)], stuff, r * 0.3, r * 0.06 * rng.random(), 1.5 / r)
    elif draw < 0.62:
        for k in range(int(rng.integers(1, 6))):
            b.add(FRUSTUM, (r * 0.5 * k, r * 0.12 + r * 0.1 * k, 0), (r * 0.9, r * 0.1, r * 0.9), stuff, rotation("z", -0.25 * (k > 0)), 1.0)
    elif draw < 0.72:
        for _ in range(int(rng.integers(3, 9))):
            yaw = rng.uniform(0, 6.3)
            na.blade(b, np.array([0, r * 0.2, 0]), np.array([np.cos(yaw), rng.uniform(0, 0.8), np.sin(yaw)]) * r * 1.2, r * 0.5, stuff)
    elif draw < 0.88:
        parts = [fi.ball(np.abs(rng.normal(0, 0.4, 3)) * (0, 1, 0) * r + rng.normal(0, 0.5, 3) * (r, 0, r), r * rng.uniform(0.2, 0.5))
                for _ in range(int(rng.integers(4, 16)))]
        b.body(parts, stuff, r * rng.uniform(0.02, 0.3), r * 0.08 * rng.random(), 2 / r)
    else:
        icing, tall = food_material(b), rng.uniform(0.3, 1.0)
        b.rod((0, 0, 0), (0, r * tall, 0), r, stuff, rng.uniform(0.85, 1.15))
        b.add(ELLIPSOID, (0, r * tall, 0), (r, r * rng.uniform(0.05, 0.4), r), icing)
        for _ in range(int(rng.integers(0, 5))):
            b.add(ELLIPSOID, (rng.normal(0, r * 0.4), r * (tall + 0.2), rng.normal(0, r * 0.4)), (r * 0.2,) * 3, food_material(b))


def dish(b: SceneBuilder) -> None:
    """A plate, board or bowl with food."""
    rng, r = b.rng, b.rng.uniform(0.1, 0.17)
    draw = rng.random()
    if draw < 0.55:
        ware = b.material(("plain", "plain", "spots", "stripes"), b.colour((0.3, 0.9), 0.4), gloss=1, scale=0.2, grain=0.1, mirror=0.05)
        b.add(CUP, (0, 0.008, 0), (r * 0.7, 0.008, r * 0.7), ware, shape=1.45)
        floor = 0.006
    elif draw < 0.75:
        b.add(CUP, (0, r * 0.3, 0), (r * 0.5, r * 0.3, r * 0.5), b.smooth(), shape=1.8)
        b.add(FRUSTUM, (0, r * 0.42, 0), (r * 0.82, 0.002, r * 0.82), food_material(b))
        floor = r * 0.4
    else:
        b.box((0, 0.012, 0), (r * 1.3, 0.012, r * 0.9), b.wood(0.2))
        floor = 0.024
    for _ in range(int(rng.integers(2, 10))):
        with b.at((rng.normal(0, r * 0.33), floor, rng.normal(0, r * 0.33)), rng.uniform(0, 6.3)):
            morsel(b, r * rng.uniform(0.12, 0.42))


def cutlery(b: SceneBuilder) -> None:
    metal = b.material(base=np.full(3, 0.5), gloss=1, mirror=0.5)
    for k in range(int(b.rng.integers(1, 4))):
        x = 0.025 * k
        b.rod((x, 0.004, -0.1), (x, 0.006, 0.04), 0.004, metal)
        b.add(ELLIPSOID, (x, 0.006, 0.07), (0.012, 0.004, 0.035), metal)


def glass(b: SceneBuilder) -> None:
    """A tumbler or a stemmed glass with a drink (as good as opaque)."""
    rng, h = b.rng, b.rng.uniform(0.05, 0.09)
    drink = b.material(base=b.colour((0.02, 0.6), 1.2), gloss=1, mirror=0.25, grain=0.05)
    if rng.random() < 0.5:
        b.rod((0, 0, 0), (0, 0.004, 0), h * 0.5, drink)
        b.rod((0, 0, 0), (0, h, 0), 0.004, drink)
        b.add(CUP, (0, h * 1.6, 0), (h * 0.35, h * 0.6, h * 0.35), drink, shape=1.4)
        b.add(FRUSTUM, (0, h * 1.9, 0), (h * 0.42, 0.002, h * 0.42), drink)
    else:
        b.add(CUP, (0, h, 0), (h * 0.5, h, h * 0.5), drink, shape=1.15)
        b.add(FRUSTUM, (0, h * 1.6, 0), (h * 0.54, 0.002, h * 0.54), drink)


def toy(b: SceneBuilder) -> None:
    """A soft toy, doll, vehicle or rounded ornament."""
    rng, draw = b.rng, b.rng.random()
    if draw < 0.4:
        s, fur = rng.uniform(0.05, 0.1), b.material(("fur", "plain", "weave"), b.colour((0.05, 0.8), 0.9), scale=0.08)
        b.body([fi.ball((0, s, 0), s), fi.ball((0, s * 2.3, s * 0.1), s * 0.75), *[fi.rod((q * s * 0.5, s * 0.5, s * 0.3), (q * s * 0.9, s * 0.3, s * 1.2),
                s * 0.35) for q in (-1, 1)], *[fi.rod((q * s * 0.7, s * 1.5, 0), (q * s * 1.4, s, s * 0.5), s * 0.28) for q in (-1, 1)],
                *[fi.ball((q * s * 0.6, s * 3, 0), s * 0.28) for q in (-1, 1)]], fur, s * 0.25, s * 0.03, 2 / s)
        dark = b.material(base=np.full(3, 0.015), gloss=1)
        for q in (-0.3, 0, 0.3):
            b.add(ELLIPSOID, (q * s, s * (2.4 if q else 2.15), s * 0.82), (s * 0.09,) * 3, dark)
    elif draw < 0.6:
        with b.at((0, 0, 0), 0, rng.uniform(0.04, 0.08)):
            from .streets import car
            car(b)
    elif draw < 0.75:
        with b.at((0, 0, 0), 0, rng.uniform(0.1, 0.2)):
            fi.person(b)
    else:
        r = rng.uniform(0.03, 0.08)
        b.body([fi.ball(rng.normal(0, r * 0.5, 3) + [0, r, 0], r * rng.uniform(0.3, 0.7)) for _ in range(int(rng.integers(2, 8)))], b.smooth(1), r * 0.3)


def anything(b: SceneBuilder) -> None:
    """Any thing for a table."""
    draw = b.rng.random()
    if draw < 0.3:
        th.small_thing(b)
    elif draw < 0.45:
        dish(b)
    elif draw < 0.6:
        morsel(b, b.rng.uniform(0.025, 0.07))
    elif draw < 0.7:
        glass(b)
    elif draw < 0.82:
        toy(b)
    elif draw < 0.88:
        cutlery(b)
    else:
        na.potted(b, b.rng.uniform(0.12, 0.4))


def meal(b: SceneBuilder) -> None:
    """Dishes, drinks and things on a table: from the side, from the chair, or straight from above."""
    rng = b.rng
    w, d, _ = backdrop(b)
    height, x, z = rng.uniform(0.4, 0.9), rng.uniform(0.5, 1.2), rng.uniform(0.35, 0.8)
    place = np.array([rng.uniform(-0.3, 0.3) * w, 0, rng.uniform(-0.4, 0.2) * d])
    top = b.wood(0.4) if rng.random() < 0.5 else b.material(("weave", "plaid", "tiles", "marble", "plain", "patches", "stripes", "cracks"),
            b.colour((0.03, 0.85), 0.6), scale=0.3, gloss=rng.random())
    with b.at(place, rng.normal(0, 0.3)):
        b.box((0, height - 0.02, 0), (x, 0.02, z), top)
        fu.legs(b, x * 0.9, z * 0.9, height - 0.02, b.wood())
        if rng.random() < 0.35:
            cloth = b.material(("weave", "plaid", "stripes", "plain"), b.colour((0.1, 0.85), 0.8), scale=0.2)
            b.terrain((0, height - 0.004, 0), (x * rng.uniform(0.3, 0.9), 0.016, z * rng.uniform(0.3, 0.9)), na.waves(b, 6, rng.uniform(3, 8), 0.6), cloth)
        crowd, spots = rng.uniform(0.1, 0.35), []
        main, first = dish if rng.random() < 0.6 else anything, True
        for _ in range(int(rng.integers(2, 18))):
            px, pz = (0.0, 0.0) if first else rng.normal(0, crowd, 2)
            if abs(px) > x or abs(pz) > z or any(np.hypot(px - a, pz - c) < 0.16 for a, c in spots):
                continue
            spots.append((px, pz))
            with b.at((px, height, pz), rng.uniform(0, 6.3), rng.uniform(0.8, 1.3)):
                main(b) if first else anything(b)
            first = False
    target = place + np.array([0, height + rng.uniform(0, 0.06), 0]) + rng.normal(0, 0.04, 3)
    rise = np.radians(rng.uniform(5, 55) if rng.random() < 0.75 else rng.uniform(55, 86))
    yaw, far = rng.normal(0, 0.8), np.exp(rng.uniform(np.log(0.3), np.log(1.1)))
    position = target + far * np.array([np.sin(yaw) * np.cos(rise), np.sin(rise), np.cos(yaw) * np.cos(rise)])
    look(b, position, target, roll_of(b) * 1.5, rng.uniform(28, 62))
    b.photo.reach = 0.2


def heap(b: SceneBuilder) -> None:
    """A market-like heap or rows of similar things that fill the picture: fruit, stones, boxes, pots, toys, books."""
    rng = b.rng
    backdrop(b)
    top = b.material(("wood", "weave", "plain", "patches", "cracks", "grass", "pebbles"), b.colour((0.03, 0.7), 0.6), scale=0.4)
    b.box((0, 0.3, 0), (3, 0.3, 3), top)
    size, makes = rng.uniform(0.03, 0.1), (lambda c: morsel(c, 0.05), lambda c: na.rock(c, 0.1), th.carton, toy, th.bottle, th.fruit, th.cup, anything)
    kinds = [makes[int(k)] for k in rng.integers(len(makes), size=int(rng.choice([1, 1, 2, 3])))]
    step = size * rng.uniform(1.5, 2.6)
    for i in range(-4, 5):
        for j in range(-4, 4):
            if rng.random() < 0.75:
                with b.at((i * step + rng.normal(0, step * 0.2), 0.6 + rng.uniform(0, 0.3) * size, j * step), rng.uniform(0, 6.3), size / 0.06):
                    kinds[(i // 2 + 4) % len(kinds)](b)
        if len(b.rows) > 700:
            break
    rise, far = np.radians(rng.uniform(12, 80)), size * rng.uniform(5, 13)
    target = np.array([rng.normal(0, size), 0.62, rng.normal(0, size)])
    position = target + far * np.array([rng.normal(0, 0.3) * np.cos(rise), np.sin(rise), np.cos(rise)])
    look(b, position, target, roll_of(b) * 1.5, rng.uniform(35, 65))
    b.photo.reach = 0.2


def portrait(b: SceneBuilder, outside: bool = False) -> None:
    """One to four people near the camera, heads or half or whole figures, indoors or before trees and houses."""
    rng = b.rng
    if outside:
        scenic_ground(b)
        w, d = 6.0, 8.0
    else:
        w, d, _ = backdrop(b)
    z, seated = (0.0 if outside else rng.uniform(-0.4, 0.2) * d), rng.random() < 0.3
    count = int(rng.choice([1, 1, 1, 2, 3, 4]))
    for k in range(count):
        with b.at((rng.normal(0, 0.1) + 0.55 * (k - (count - 1) / 2), 0, z - rng.uniform(0, 0.5) * (k % 2)), rng.normal(0, 0.45)):
            if seated:
                fu.chair(b)
            fi.person(b, seated, 0.12 if k else 0.0)
    close = rng.random()
    head = 1.15 if seated else 1.5
    aim = np.array([-0.275 * (count - 1) if close < 0.45 else 0.0, head * rng.uniform(0.95, 1.04) if close < 0.45 else head * rng.uniform(0.6, 0.9), z])
    far = rng.uniform(0.45, 0.9) if close < 0.45 else rng.uniform(1.0, 3.0)
    fov = rng.uniform(24, 50) if close < 0.45 else rng.uniform(35, 62)
    position = aim + np.array([rng.normal(0, 0.25) * far, rng.uniform(-0.15, 0.25) * far, far])
    position[2] = min(position[2], d - 0.1)
    look(b, position, aim + rng.normal(0, 0.05, 3), roll_of(b), fov)
    b.photo.reach = 0.4


def scenic_ground(b: SceneBuilder) -> None:
    """Daylight, ground, and something behind: trees, hedges, a facade, hills."""
    from .landscapes import hills, soil
    from .outdoor import daylight
    from .streets import facade, paving

    rng, draw = b.rng, b.rng.random()
    daylight(b)
    if draw < 0.25:
        hills(b, -0.3)
        b.box((0, -1, 0), (5, 1, 5), soil(b, 1))
        return
    b.box((0, -1, 0), (400, 1, 400), soil(b, 1) if draw < 0.7 else paving(b))
    for _ in range(int(rng.integers(0, 8))):
        with b.at((rng.normal(0, 5), 0, -np.exp(rng.uniform(0.6, 3))), rng.uniform(0, 6.3)):
            na.tree(b) if rng.random() < 0.6 else na.bush(b, rng.uniform(0.6, 2))
    if draw > 0.6:
        with b.at((rng.normal(0, 4), 0, -rng.uniform(2, 15)), rng.normal(0, 0.3)):
            facade(b, rng.uniform(4, 12), int(rng.integers(1, 5)))


def pets(b: SceneBuilder) -> None:
    """Animals or birds near the camera, on a floor, a sofa's height, or outside."""
    rng, outside = b.rng, b.rng.random() < 0.55
    z = 0.0
    if outside:
        scenic_ground(b)
    else:
        _, d, _ = backdrop(b)
        z = rng.uniform(-0.3, 0.2) * d
    size = np.exp(rng.uniform(np.log(0.12), np.log(0.55 if outside else 0.3)))
    feathered = rng.random() < 0.15
    size = 0.15 if feathered else size
    raised = 0.0
    with b.at((0, 0, z)):
        if not outside and rng.random() < 0.4:
            raised = rng.uniform(0.2, 0.5)
            b.add((BOX, PILLOW)[int(rng.integers(2))], (0, raised / 2, 0), (1.0, raised / 2, 0.5), b.cloth(), shape=1.6)
        for k in range(int(rng.choice([1, 1, 2, 3]))):
            with b.at((size * 2.4 * k - 0.3 * size * k, raised, -size * 1.5 * k), rng.uniform(0, 6.3)):
                fi.bird(b) if feathered else fi.animal(b, size)
    target = np.array([rng.normal(0, size * 0.3), raised + size * rng.uniform(0.6, 1.4), z])
    rise, far = np.radians(rng.uniform(-5, 50)), size * rng.uniform(3.0, 7.0)
    position = target + far * np.array([rng.normal(0, 0.2), np.sin(rise), np.cos(rise)])
    position[1] = max(position[1], 0.08)
    look(b, position, target, roll_of(b), rng.uniform(30, 60))
    b.photo.reach = 0.4
