"""Plants, flowers, trees, rocks and rolling ground; each thing stands on y = 0 of the current frame."""

from __future__ import annotations

import numpy as np

from .builder import SceneBuilder, hsv, rotation
from .figures import ball, rod
from .primitives import CUP, ELLIPSOID, FRUSTUM


def leaf_material(b: SceneBuilder, scale: float = 0.1) -> int:
    rng = b.rng
    return b.material(("leaves", "plain", "rough", "leaves", "stripes"), hsv(rng.uniform(0.16, 0.4), rng.uniform(0.4, 0.9), np.exp(rng.uniform(-3.4,
            -0.9))), scale=scale, contrast=0.4, gloss=0.5, grain=1.0)


def blade(b: SceneBuilder, start: np.ndarray, out: np.ndarray, width: float, material: int, droop: float = 0.3) -> None:
    """A leaf from start along out (metres), drooping: two flattened ellipsoids."""
    length = np.linalg.norm(out)
    middle, end = start + out * 0.5, start + out + np.array([0, -droop * length, 0])
    for p, q, wide in ((start, middle, width), (middle - out * 0.08, end, width * 0.9)):
        y = (q - p) / (np.linalg.norm(q - p) + 1e-9)
        x = np.cross(y, [0.02, 1, 0.01])
        x /= np.linalg.norm(x) + 1e-9
        turn = np.stack([x, y, np.cross(x, y)], 1)
        b.add(ELLIPSOID, (p + q) / 2, (wide, np.linalg.norm(q - p) * 0.62, max(width * 0.06, 5e-4)), material, turn)


def rosette(b: SceneBuilder, size: float) -> None:
    """A plant of many leaves from one place: houseplants, agaves, grasses, ferns."""
    rng, leaf = b.rng, leaf_material(b)
    count, upright, width = int(rng.integers(7, 30)), rng.uniform(0.2, 1.5), size * np.exp(rng.uniform(-4, -1.3))
    stem = rng.uniform(0, 0.5) * size if rng.random() < 0.5 else 0.0
    for k in range(count):
        yaw = k * 2.4 + rng.normal(0, 0.3)
        out = np.array([np.cos(yaw), upright * rng.uniform(0.3, 1.5), np.sin(yaw)])
        out *= size * rng.uniform(0.5, 1) / np.linalg.norm(out)
        start = np.array([0, stem * rng.uniform(0, 1), 0])
        if stem:
            b.rod((0, 0, 0), start + out * 0.4, size * 0.012, leaf, 0.6)
            blade(b, start + out * 0.4, out * 0.6, width, leaf, rng.uniform(0, 0.5))
        else:
            blade(b, start, out, width, leaf, rng.uniform(0, 0.7))


def flower(b: SceneBuilder, size: float) -> None:
    """A stem with leaves and a blossom of petals, about `size` tall."""
    rng, green = b.rng, leaf_material(b)
    petal = b.material(("plain", "stripes", "spots", "plain"), b.colour((0.1, 0.85), 1.6), scale=0.04, contrast=0.3)
    heart = b.material(("rough", "spots"), hsv(rng.uniform(0.05, 0.17), rng.uniform(0.5, 1), rng.uniform(0.03, 0.5)), scale=0.02)
    top = np.array([rng.normal(0, 0.1), 1, rng.normal(0, 0.1)]) * size
    b.rod((0, 0, 0), top, size * 0.015, green, 0.7)
    for _ in range(rng.integers(0, 5)):
        yaw = rng.uniform(0, 6.3)
        blade(b, top * rng.uniform(0.1, 0.7), np.array([np.cos(yaw), 0.5, np.sin(yaw)]) * size * rng.uniform(0.15, 0.4), size * 0.06, green)
    r, count, open_ = size * rng.uniform(0.08, 0.3), int(rng.integers(4, 16)), rng.uniform(-0.2, 1.2)
    with b.at(top, rng.uniform(0, 6.3), tilt=rotation("x", rng.uniform(0, 1.1))):
        layers = 1 if rng.random() < 0.6 else int(rng.integers(2, 4))
        for layer in range(layers):
            for k in range(count):
                yaw = 2 * np.pi * (k + 0.5 * layer) / count
                out = np.array([np.cos(yaw), open_ + 0.5 * layer, np.sin(yaw)]) * r * (1 - 0.2 * layer)
                blade(b, np.zeros(3), out, r * min(0.45, 2.2 / count), petal, rng.uniform(0, 0.2))
        b.add(ELLIPSOID, (0, r * 0.06, 0), (r * 0.28, r * rng.uniform(0.1, 0.3), r * 0.28), heart)


def rock(b: SceneBuilder, size: float, stuff: int | None = None) -> None:
    """A lump of stone, about `size` wide."""
    rng = b.rng
    if stuff is None:
        stuff = b.material(("rough", "stones", "marble", "cracks"), hsv(rng.uniform(0, 0.6), rng.uniform(0, 0.25), np.exp(rng.uniform(-3, -0.5))),
                scale=max(size, 0.05))
    parts = [ball(rng.normal(0, size * 0.28, 3) * (1, 0.5, 1), size * rng.uniform(0.25, 0.5)) for _ in range(int(rng.integers(2, 6)))]
    with b.at((0, size * 0.2, 0), 0, 1, np.diag(rng.uniform(0.6, 1.2, 3))):
        b.body(parts, stuff, size * rng.uniform(0.05, 0.4), size * rng.uniform(0.01, 0.08), rng.uniform(0.6, 2) / size)


def bush(b: SceneBuilder, size: float) -> None:
    """A rounded, lumpy bush or hedge, about `size` wide."""
    rng, leaf = b.rng, b.material(("leaves", "rough"), hsv(b.rng.uniform(0.12, 0.38), b.rng.uniform(0.4, 0.85), np.exp(b.rng.uniform(-3.2, -1))),
            scale=0.5 * size, contrast=0.8, grain=1.5)
    parts = [ball((rng.normal(0, 0.3) * size, size * rng.uniform(0.15, 0.5), rng.normal(0, 0.25) * size), size * rng.uniform(0.2, 0.38))
            for _ in range(int(rng.integers(3, 9)))]
    b.body(parts, leaf, size * 0.08, size * 0.05, rng.uniform(1.5, 3.5) / size)


def broadleaf(b: SceneBuilder, height: float) -> None:
    """A tree with a blended trunk, boughs and lumpy foliage."""
    rng = b.rng
    bark = b.material(("bark", "rough", "wood"), hsv(0.08, rng.uniform(0.1, 0.5), rng.uniform(0.03, 0.25)), scale=0.5)
    leaf = b.material(("leaves", "leaves", "rough"), hsv(rng.uniform(0.08, 0.36), rng.uniform(0.4, 0.9), np.exp(rng.uniform(-3.2, -1.0))),
            scale=rng.uniform(0.6, 1.6), contrast=0.8, grain=1.5)
    fork, thick = height * rng.uniform(0.2, 0.5), height * rng.uniform(0.018, 0.045)
    crown, boughs = [], [rod((0, -0.1, 0), (0, fork, 0), thick * 1.1, thick * 0.8), rod((0, -0.05, 0), (0, thick * 2, 0), thick * 1.5, thick)]
    for k in range(int(rng.integers(4, 9))):
        yaw = k * 2.4 + rng.normal(0, 0.4)
        tip = np.array([np.cos(yaw) * rng.uniform(0.08, 0.3), rng.uniform(0.55, 0.95), np.sin(yaw) * rng.uniform(0.08, 0.3)]) * height
        boughs.append(rod((0, fork, 0), tip, thick * 0.6, thick * 0.2))
        crown.append(ball(tip, height * rng.uniform(0.09, 0.2)))
    b.body(boughs, bark, thick * 0.7, thick * 0.12, 2 / thick)
    if rng.random() < 0.88:
        b.body(crown, leaf, height * 0.04, height * 0.025, rng.uniform(6, 14) / height)


def conifer(b: SceneBuilder, height: float) -> None:
    rng = b.rng
    leaf = b.material(("leaves", "rough"), hsv(rng.uniform(0.25, 0.42), rng.uniform(0.3, 0.7), np.exp(rng.uniform(-3.6, -1.8))), scale=0.8,
            contrast=0.8, grain=1.5)
    b.rod((0, 0, 0), (0, height * 0.4, 0), height * 0.02, b.material(("bark",), np.array([0.08, 0.05, 0.03])))
    tiers, wide = int(rng.integers(4, 9)), height * rng.uniform(0.13, 0.26)
    for k in range(tiers):
        y, r = height * (0.15 + 0.8 * k / tiers), wide * (1 - k / (tiers + 0.5))
        b.add(FRUSTUM, (0, y + height * 0.06, 0), (r, height * 0.1, r), leaf, rotation("y", rng.uniform(0, 6)), 0.15)


def palm(b: SceneBuilder, height: float) -> None:
    rng = b.rng
    bark = b.material(("bark", "bricks"), np.array([0.2, 0.15, 0.1]) * rng.uniform(0.4, 1.4), scale=0.3)
    top = np.array([rng.normal(0, 0.12), 1, rng.normal(0, 0.12)]) * height
    b.body([rod((0, 0, 0), top * [0.3, 0.5, 0.3], height * 0.035, height * 0.025), rod(top * [0.3, 0.5, 0.3], top, height * 0.025)], bark,
            height * 0.02)
    leaf = leaf_material(b, 0.4)
    for k in range(int(rng.integers(8, 16))):
        out = np.array([np.cos(k * 2.4), rng.uniform(-0.2, 0.7), np.sin(k * 2.4)]) * height * rng.uniform(0.25, 0.4)
        blade(b, top, out, height * 0.035, leaf, rng.uniform(0.3, 0.8))


def tree(b: SceneBuilder, height: float | None = None) -> None:
    """Any tree."""
    rng = b.rng
    height = np.exp(rng.uniform(np.log(2), np.log(11))) if height is None else height
    draw = rng.random()
    (broadleaf if draw < 0.7 else conifer if draw < 0.9 else palm)(b, height)


def potted(b: SceneBuilder, size: float) -> None:
    """A plant in a pot, about `size` tall."""
    rng, r = b.rng, size * b.rng.uniform(0.15, 0.3)
    b.add(CUP, (0, r * 0.9, 0), (r * 0.75, r * 0.9, r * 0.75), b.smooth(), shape=rng.uniform(1.0, 1.5))
    b.add(FRUSTUM, (0, r * 1.6, 0), (r * 0.9, 0.002, r * 0.9), b.material(("rough",), np.array([0.04, 0.025, 0.015])))
    with b.at((0, r * 1.6, 0)):
        draw = rng.random()
        if draw < 0.6:
            rosette(b, size * 0.8)
        elif draw < 0.85:
            for _ in range(int(rng.integers(2, 8))):
                with b.at((rng.normal(0, r * 0.3), 0, rng.normal(0, r * 0.3)), tilt=rotation("x", rng.normal(0, 0.2)) @ rotation("z", rng.normal(0,
                        0.2))):
                    flower(b, size * rng.uniform(0.4, 0.8))
        else:
            bush(b, size * 0.7)


def waves(b: SceneBuilder, count: int, slowest: float, gain: float, ridged: float = 0.0) -> np.ndarray:
    """Waves for SceneBuilder.terrain: octaves from `slowest` (radians a unit), each `gain` as high as the last; sum below 0.95."""
    rng, rows = b.rng, []
    for k in range(count):
        rate, yaw = slowest * 1.75 ** k, rng.uniform(0, 6.3)
        rows.append([rate * np.cos(yaw), rate * np.sin(yaw), rng.uniform(0, 6.3), gain ** k * rng.uniform(0.6, 1.0), rng.random() < ridged])
    table = np.array(rows, float)
    table[:, 3] *= 0.95 / table[:, 3].sum()
    return table
