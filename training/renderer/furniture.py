"""Furniture-like assemblies. Each stands on y = 0 with its back toward -z and its front
toward +z, and returns its half footprint (x, z) in metres."""

from __future__ import annotations

import numpy as np

from .builder import SceneBuilder, rotation
from .primitives import BOX, CUP, ELLIPSOID, FRUSTUM, PILLOW
from .things import small_thing

Foot = tuple[float, float]


def legs(b: SceneBuilder, x: float, z: float, height: float, material: int) -> None:
    """Four legs at (+-x, +-z)."""
    thick, splay = b.rng.uniform(0.015, 0.04), b.rng.uniform(0, 0.06) * b.rng.integers(2)
    square = b.rng.random() < 0.5
    for sx in (-1, 1):
        for sz in (-1, 1):
            if square:
                b.box((sx * x, height / 2, sz * z), (thick, height / 2, thick), material)
            else:
                b.rod((sx * (x + splay), 0, sz * (z + splay)), (sx * x, height, sz * z), thick * 0.7, material, 1.3)


def table(b: SceneBuilder, low: bool = False) -> Foot:
    rng = b.rng
    x, z = rng.uniform(0.35, 1.0), rng.uniform(0.3, 0.5)
    height = rng.uniform(0.35, 0.5) if low else rng.uniform(0.68, 0.8)
    top, thick = b.wood(), rng.uniform(0.012, 0.035)
    if rng.random() < 0.25:
        x = z = rng.uniform(0.3, 0.65)
        b.add(FRUSTUM, (0, height, 0), (x, thick, z), top)
        b.rod((0, 0, 0), (0, height, 0), 0.05, b.smooth(0.3))
        b.add(FRUSTUM, (0, 0.02, 0), (x * 0.55, 0.02, z * 0.55), b.smooth(0.3))
    else:
        b.box((0, height, 0), (x, thick, z), top)
        legs(b, x * 0.9, z * 0.85, height, top if rng.random() < 0.6 else b.smooth(0.3))
    for _ in range(rng.integers(0, 5)):
        with b.at((rng.uniform(-0.8, 0.8) * x, height + thick, rng.uniform(-0.7, 0.7) * z), rng.uniform(0, 6.3)):
            small_thing(b)
    return x, z


def chair(b: SceneBuilder) -> Foot:
    rng = b.rng
    w, height, back = rng.uniform(0.19, 0.26), rng.uniform(0.42, 0.48), rng.uniform(0.35, 0.55)
    frame = b.wood() if rng.random() < 0.6 else b.smooth(0.6)
    seat = frame if rng.random() < 0.4 else b.cloth()
    b.add(PILLOW if rng.random() < 0.4 else BOX, (0, height, 0), (w, rng.uniform(0.015, 0.05), w), seat, shape=1.5)
    legs(b, w * 0.9, w * 0.9, height, frame)
    lean = rotation("x", -rng.uniform(0.0, 0.25))
    with b.at((0, height, -w), tilt=lean):
        style = rng.integers(3)
        if style == 0:
            b.box((0, back * 0.6, 0), (w, back * 0.4, 0.015), seat)
        elif style == 1:
            for k in range(5):
                b.box(((k - 2) / 2 * w * 0.8, back / 2, 0), (0.012, back / 2, 0.01), frame)
        else:
            for k in range(3):
                b.box((0, back * (0.35 + 0.28 * k), 0), (w, 0.03, 0.01), frame)
        b.box((0, back, 0), (w, 0.03, 0.015), frame)
        for sx in (-1, 1):
            b.box((sx * w * 0.95, back / 2, 0), (0.016, back / 2, 0.016), frame)
    return w, w


def sofa(b: SceneBuilder, seats: int | None = None) -> Foot:
    rng = b.rng
    seats = int(rng.integers(1, 4)) if seats is None else seats
    w, depth, seat = 0.32 * seats + 0.1, rng.uniform(0.38, 0.48), rng.uniform(0.36, 0.46)
    cloth, arm = b.cloth(), rng.uniform(0.06, 0.14)
    soft = PILLOW if rng.random() < 0.7 else BOX
    b.box((0, seat * 0.45, 0), (w, seat * 0.4, depth), cloth)
    b.add(soft, (0, 0.55, -depth + 0.1), (w, rng.uniform(0.25, 0.4), 0.12), cloth, rotation("x", -0.1), 1.5)
    for sx in (-1, 1):
        b.add(soft, (sx * w, 0.32, 0), (arm, rng.uniform(0.26, 0.34), depth), cloth, shape=1.45)
    step = (w - arm) / seats
    for k in range(seats):
        x = (2 * k + 1 - seats) * step
        b.add(PILLOW, (x, seat, 0.05), (step, 0.1, depth * 0.9), cloth, shape=1.5)
        if rng.random() < 0.6:
            turn = rotation("y", rng.normal(0, 0.3)) @ rotation("x", -0.3) @ rotation("z", rng.normal(0, 0.4))
            b.add(PILLOW, (x + rng.normal(0, 0.08), seat + 0.25, -depth + 0.32), (0.2, 0.2, 0.08), b.cloth(), turn, 1.35)
    return w + arm, depth


def bed(b: SceneBuilder) -> Foot:
    rng = b.rng
    w, long, height = rng.uniform(0.45, 0.95), rng.uniform(0.95, 1.1), rng.uniform(0.2, 0.35)
    frame, sheet, cover = b.wood(), b.cloth(), b.cloth()
    b.box((0, height * 0.7, 0), (w, height * 0.4, long), frame)
    b.add(PILLOW, (0, height + 0.15, 0), (w * 0.98, 0.14, long * 0.98), sheet, shape=1.6)
    b.add(PILLOW, (0, height + 0.18, long * 0.3), (w * 1.03, 0.15, long * 0.72), cover, shape=1.6)
    b.box((0, 0.5, -long), (w * 1.02, rng.uniform(0.3, 0.65), 0.04), frame)
    for x in ((0,) if w < 0.6 else (-w / 2, w / 2)):
        b.add(PILLOW, (x, height + 0.36, -long * 0.72), (0.3, 0.1, 0.2), sheet, rotation("x", rng.uniform(0, 0.6)), 1.35)
    return w, long


def books(b: SceneBuilder, width: float, height: float, depth: float) -> None:
    """A row of upright books along x from -width to width."""
    x, rng = -width, b.rng
    covers = [b.material(("plain", "text", "stripes", "shapes"), b.colour((0.02, 0.7), 0.9), fit=(1, 1)) for _ in range(4)]
    while x < width * rng.uniform(0.3, 1):
        thick, tall = rng.uniform(0.008, 0.03), height * rng.uniform(0.6, 0.92) / 2
        if x + 2 * thick > width:
            break
        b.box((x + thick, tall, 0), (thick * 0.94, tall, depth * rng.uniform(0.7, 0.95)), covers[int(rng.integers(4))])
        x += 2 * thick


def shelf(b: SceneBuilder) -> Foot:
    rng = b.rng
    w, depth, boards = rng.uniform(0.3, 0.8), rng.uniform(0.13, 0.2), int(rng.integers(2, 6))
    gap = rng.uniform(0.28, 0.42)
    wood, height = b.wood(), gap * boards
    for sx in (-1, 1):
        b.box((sx * w, height / 2, 0), (0.012, height / 2, depth), wood)
    if rng.random() < 0.7:
        b.box((0, height / 2, -depth), (w, height / 2, 0.006), wood)
    for k in range(boards + 1):
        b.box((0, k * gap + 0.01, 0), (w, 0.012, depth), wood)
        draw = rng.random()
        if k < boards and draw < 0.4:
            with b.at((0, k * gap + 0.022, 0)):
                books(b, w * 0.95, gap, depth)
        elif draw < 0.85:
            for _ in range(rng.integers(1, 4)):
                with b.at((rng.uniform(-0.8, 0.8) * w, k * gap + 0.022, rng.normal(0, 0.03)), rng.uniform(-0.5, 0.5), 0.8):
                    small_thing(b)
    return w, depth


def cabinet(b: SceneBuilder) -> Foot:
    rng = b.rng
    w, depth, height = rng.uniform(0.25, 0.9), rng.uniform(0.2, 0.32), rng.choice([0.5, 0.75, 0.9, 1.2, 2.0]) * rng.uniform(0.9, 1.1)
    body = b.wood() if rng.random() < 0.7 else b.smooth(0.4)
    front = body if rng.random() < 0.5 else b.wood()
    b.box((0, height / 2, 0), (w, height / 2, depth), body)
    rows, cols = (int(rng.integers(1, 5)), int(rng.integers(1, 4))) if height < 1.5 else (1, 2)
    knob = b.smooth(0.3)
    for r in range(rows):
        for c in range(cols):
            x, y = (c + 0.5) / cols * 2 * w - w, (r + 0.5) / rows * height
            b.box((x, y, depth), (w / cols - 0.012, height / rows / 2 - 0.012, 0.012), front)
            if rng.random() < 0.85:
                b.add(ELLIPSOID, (x, y, depth + 0.03), (0.03, 0.012, 0.018), knob)
    if height < 1.3:
        for _ in range(rng.integers(0, 4)):
            with b.at((rng.uniform(-0.8, 0.8) * w, height, rng.normal(0, 0.05)), rng.uniform(0, 6.3)):
                small_thing(b)
        if rng.random() < 0.3:
            screen(b, height)
    return w, depth


def screen(b: SceneBuilder, height: float) -> None:
    """A television or monitor standing on `height`."""
    rng, w = b.rng, b.rng.uniform(0.25, 0.6)
    dark = b.material(base=np.full(3, 0.02), gloss=1, mirror=0.15)
    face = b.picture(1.2) if rng.random() < 0.5 else dark
    b.box((0, height + 0.06 + w * 0.56, 0), (w, w * 0.56, 0.02), dark)
    b.box((0, height + 0.06 + w * 0.56, 0.021), (w * 0.97, w * 0.53, 0.002), face)
    b.box((0, height + 0.03, 0), (0.05, 0.05, 0.03), dark)


def desk(b: SceneBuilder) -> Foot:
    rng, x, z = b.rng, b.rng.uniform(0.5, 0.85), b.rng.uniform(0.28, 0.4)
    wood = b.wood()
    b.box((0, 0.73, 0), (x, 0.018, z), wood)
    legs(b, x * 0.94, z * 0.9, 0.73, wood)
    if rng.random() < 0.6:
        b.box((x * 0.6, 0.4, 0), (x * 0.28, 0.32, z * 0.9), b.wood())
    with b.at((rng.uniform(-0.3, 0.2), 0, -0.1), rng.normal(0, 0.2)):
        screen(b, 0.75)
    for _ in range(rng.integers(1, 5)):
        with b.at((rng.uniform(-0.85, 0.85) * x, 0.75, rng.uniform(0, 0.8) * z), rng.uniform(0, 6.3)):
            small_thing(b)
    with b.at((rng.normal(0, 0.2), 0, z + 0.3), np.pi + rng.normal(0, 0.5)):
        chair(b)
    return x, z + 0.5


def floor_lamp(b: SceneBuilder, height: float | None = None) -> Foot:
    rng = b.rng
    height, metal = rng.uniform(1.2, 1.8) if height is None else height, b.smooth(0.3)
    wide = height * rng.uniform(0.1, 0.16)
    glow = rng.uniform(0.5, 4) * rng.integers(2)
    b.add(FRUSTUM, (0, 0.015, 0), (wide * 0.9, 0.015, wide * 0.9), metal)
    b.rod((0, 0, 0), (0, height, 0), height * 0.012, metal)
    shade_ = b.material(("plain",), b.colour((0.4, 0.85), 0.2), emission=glow, shadowless=1)
    b.add(CUP, (0, height, 0), (wide, height * 0.09, wide), shade_, shape=rng.uniform(0.4, 1.0))
    if glow and len(b.lights) < 2:
        b.light((0, height, 0), np.array([1, 0.8, 0.55]) * glow * 0.5, (wide / 2, 0, 0), (0, wide / 2, 0))
    return wide, wide


def plant(b: SceneBuilder) -> Foot:
    rng, size = b.rng, b.rng.uniform(0.25, 0.6)
    b.add(CUP, (0, size * 0.3, 0), (size * 0.22, size * 0.3, size * 0.22), b.smooth(), shape=1.0)
    b.add(FRUSTUM, (0, size * 0.5, 0), (size * 0.2, 0.01, size * 0.2), b.material(("rough",), np.array([0.05, 0.03, 0.02])))
    green = b.material(("rough", "plain", "stripes"), np.array([0.05, 0.2, 0.04]) * rng.uniform(0.5, 2.2, 3), scale=0.1)
    for _ in range(int(rng.integers(6, 18))):
        yaw, rise = rng.uniform(0, 6.3), rng.uniform(0.2, 1.3)
        away = np.array([np.cos(yaw) * np.cos(rise), np.sin(rise), np.sin(yaw) * np.cos(rise)]) * size * rng.uniform(0.5, 1.3)
        turn = rotation("y", -yaw) @ rotation("z", rise)
        b.add(ELLIPSOID, np.array([0, size * 0.6, 0]) + away * 0.6, (size * rng.uniform(0.25, 0.5), 0.012, size * rng.uniform(0.05,
                0.14)), green, turn)
    return size * 0.4, size * 0.4


def crate(b: SceneBuilder) -> Foot:
    rng = b.rng
    x, y, z = rng.uniform(0.12, 0.4, 3)
    b.box((0, y, 0), (x, y, z), b.material(("plain", "text", "wood", "rough"), b.colour((0.1, 0.6), 0.5), fit=(1, 1)))
    if rng.random() < 0.4:
        with b.at((0, 2 * y, 0), rng.uniform(-0.5, 0.5)):
            b.box((0, y * 0.6, 0), (x * 0.7, y * 0.6, z * 0.7), b.smooth())
    return x, z
