"""Small things, people, animals and trees, each standing on y = 0 of the current frame."""

from __future__ import annotations

import numpy as np

from .builder import SceneBuilder, hsv, rotation
from .primitives import CUP, ELLIPSOID, FRUSTUM, GABLE, PILLOW


def skin(b: SceneBuilder) -> int:
    rng = b.rng
    return b.material(("plain", "rough"), hsv(rng.uniform(0.04, 0.08), rng.uniform(0.35, 0.6), np.exp(rng.uniform(-2.6, -0.4))),
            contrast=0.08, gloss=0.4, grain=0.15)


def cup(b: SceneBuilder) -> None:
    rng, h = b.rng, b.rng.uniform(0.03, 0.06)
    body, r = b.smooth(), h * b.rng.uniform(0.5, 1)
    b.add(CUP, (0, h, 0), (r, h, r), body, shape=rng.uniform(0.95, 1.5))
    b.add(FRUSTUM, (0, h * 1.5, 0), (r * 1.02, 0.001, r * 1.02), b.material(base=b.colour((0.01, 0.3), 0.6), gloss=1))
    if rng.random() < 0.6:
        b.add(CUP, (r * 1.3, h, 0), (h * 0.5, 0.006, h * 0.5), body, rotation("x", np.pi / 2))


def bottle(b: SceneBuilder) -> None:
    rng, h = b.rng, b.rng.uniform(0.08, 0.16)
    r, body = h * rng.uniform(0.2, 0.4), b.smooth()
    b.rod((0, 0, 0), (0, h * 1.3, 0), r, body)
    b.rod((0, h * 1.3, 0), (0, h * 1.7, 0), r, body, 0.35)
    b.rod((0, h * 1.7, 0), (0, h * 2, 0), r * 0.36, b.smooth())
    if rng.random() < 0.6:
        b.rod((0, h * 0.4, 0), (0, h * 1.0, 0), r * 1.01, b.material(("text", "shapes", "stripes"), b.colour((0.2, 0.8)), fit=(2, 1)))


def bowl(b: SceneBuilder) -> None:
    rng, r = b.rng, b.rng.uniform(0.06, 0.14)
    b.add(CUP, (0, r * 0.25, 0), (r * 0.5, r * 0.25, r * 0.5), b.smooth(), shape=2.0)
    fruit = b.material(("plain", "spots", "rough"), b.colour((0.1, 0.6), 1.4), gloss=0.7, scale=0.1)
    for _ in range(rng.integers(0, 7)):
        s = r * rng.uniform(0.2, 0.35)
        b.add(ELLIPSOID, (rng.normal(0, r * 0.3), r * rng.uniform(0.35, 0.6), rng.normal(0, r * 0.3)), s * rng.uniform(0.8, 1.3, 3),
                fruit, rotation("y", rng.uniform(0, 6)))


def plate(b: SceneBuilder) -> None:
    rng, r = b.rng, b.rng.uniform(0.08, 0.15)
    b.add(CUP, (0, 0.01, 0), (r * 0.65, 0.01, r * 0.65), b.smooth(0.5), shape=1.5)
    for _ in range(rng.integers(0, 6)):
        food = b.material(("rough", "spots", "plain", "stones"), hsv(rng.uniform(0, 0.3), rng.uniform(0.3, 1), rng.uniform(0.1, 0.6)),
                scale=0.06, gloss=0.5)
        half = r * rng.uniform(0.12, 0.5, 3) * (1, 0.5, 1)
        b.add((ELLIPSOID, PILLOW, FRUSTUM)[int(rng.integers(3))], (rng.normal(0, r * 0.25), 0.01 + half[1], rng.normal(0, r * 0.25)),
                half, food, rotation("y", rng.uniform(0, 6)), 1.3)


def book(b: SceneBuilder) -> None:
    rng = b.rng
    x, z, y = rng.uniform(0.06, 0.12), rng.uniform(0.08, 0.16), 0.0
    for _ in range(rng.integers(1, 5)):
        thick, cover = rng.uniform(0.005, 0.025), b.picture()
        turn = rotation("y", rng.normal(0, 0.25))
        b.box((0, y + thick, 0), (x, thick, z), (b.material(base=np.full(3, 0.6)), cover, cover), turn)
        y += 2 * thick


def fruit(b: SceneBuilder) -> None:
    rng, r = b.rng, b.rng.uniform(0.025, 0.07)
    half = r * rng.uniform(0.8, 1.25, 3)
    b.add(ELLIPSOID, (0, half[1], 0), half, b.material(("plain", "spots", "rough", "stripes"), b.colour((0.1, 0.7), 1.4), gloss=0.6,
            scale=0.15))
    if rng.random() < 0.5:
        b.rod((0, half[1] * 1.9, 0), (rng.normal(0, 0.01), half[1] * 2.4, 0), r * 0.06, b.wood())


def carton(b: SceneBuilder) -> None:
    x, y, z = b.rng.uniform(0.02, 0.12, 3)
    b.box((0, y, 0), (x, y, z), b.picture() if b.rng.random() < 0.6 else b.smooth())


def blob(b: SceneBuilder) -> None:
    """A lump of a few ellipsoids: toys, stones, bread, ornaments."""
    rng, r, stuff = b.rng, b.rng.uniform(0.03, 0.08), b.smooth(1)
    for k in range(rng.integers(1, 5)):
        half = r * rng.uniform(0.4, 1, 3)
        place = (rng.normal(0, r * 0.5), r * 0.5 + rng.uniform(0, r) * k * 0.7, rng.normal(0, r * 0.5))
        b.add((ELLIPSOID, PILLOW)[int(rng.integers(2))], place, half, stuff if rng.random() < 0.7 else b.smooth(1), rotation("x",
                rng.normal(0, 0.6)) @ rotation("z", rng.normal(0, 0.6)), 1.25)


def vase(b: SceneBuilder) -> None:
    rng, h = b.rng, b.rng.uniform(0.06, 0.13)
    r, body = h * rng.uniform(0.3, 0.7), b.smooth()
    b.add(ELLIPSOID, (0, h * 0.8, 0), (r, h * 0.85, r), body)
    b.rod((0, h * 1.5, 0), (0, h * 2.1, 0), r * 0.4, body, 1.4, CUP)
    stem = b.material(("plain",), np.array([0.05, 0.18, 0.04]))
    petal = b.material(("plain", "spots"), b.colour((0.1, 0.8), 1.5))
    for _ in range(rng.integers(0, 7)):
        top = np.array([rng.normal(0, h * 0.6), h * rng.uniform(2.6, 4), rng.normal(0, h * 0.6)])
        b.rod((0, h * 2, 0), top, 0.003, stem)
        b.add(ELLIPSOID, top, h * rng.uniform(0.15, 0.35, 3), petal, rotation("x", rng.normal(0, 0.7)))


def laptop(b: SceneBuilder) -> None:
    rng, w = b.rng, b.rng.uniform(0.13, 0.19)
    metal, keys = b.smooth(0.2), b.material(("text", "tiles"), np.full(3, 0.05), np.full(3, 0.05), np.full(3, 0.4), fit=(1, 1))
    b.box((0, 0.01, 0), (w, 0.009, w * 0.7), (metal, keys, metal))
    with b.at((0, 0.02, -w * 0.7), tilt=rotation("x", -rng.uniform(0.05, 0.5))):
        b.box((0, w * 0.68, -0.004), (w, w * 0.68, 0.004), metal)
        b.box((0, w * 0.68, 0.001), (w * 0.95, w * 0.62, 0.001), b.picture(1.0))


def desk_lamp(b: SceneBuilder) -> None:
    h, metal = b.rng.uniform(0.15, 0.3), b.smooth()
    b.rod((0, 0, 0), (0, 0.02, 0), h * 0.3, metal)
    b.rod((0, 0, 0), (0, h, -h * 0.3), 0.008, metal)
    b.rod((0, h, -h * 0.3), (0, h * 1.5, h * 0.3), 0.007, metal)
    b.rod((0, h * 1.2, h * 0.55), (0, h * 1.6, h * 0.25), h * 0.3, metal, 0.35, CUP)


SMALL = (cup, cup, bottle, bottle, bowl, plate, book, book, fruit, carton, carton, blob, vase, laptop, desk_lamp)


def small_thing(b: SceneBuilder) -> None:
    """Any thing that stands on a table."""
    SMALL[int(b.rng.integers(len(SMALL)))](b)


def head(b: SceneBuilder, flesh: int, r: float) -> None:
    """A head about the origin that faces +z; r is half its height."""
    rng = b.rng
    hair = b.material(("rough",), hsv(rng.uniform(0.03, 0.12), rng.uniform(0, 0.7), np.exp(rng.uniform(-4.5, -0.7))), scale=0.1)
    dark, white = b.material(base=np.full(3, 0.02), gloss=1), b.material(base=np.full(3, 0.7), gloss=1)
    b.add(ELLIPSOID, (0, 0, 0), (r * 0.72, r, r * 0.85), flesh)
    b.add(ELLIPSOID, (0, -r * 0.55, r * 0.2), (r * 0.45, r * 0.42, r * 0.55), flesh)
    b.add(ELLIPSOID, (0, -r * 0.1, r * 0.8), (r * 0.12, r * 0.25, r * 0.25), flesh, rotation("x", -0.3))
    b.add(ELLIPSOID, (0, -r * 0.48, r * 0.72), (r * 0.25, r * 0.06, r * 0.08), b.material(base=np.array([0.35, 0.08, 0.07])))
    for sx in (-1, 1):
        b.add(ELLIPSOID, (sx * r * 0.3, r * 0.1, r * 0.7), (r * 0.15, r * 0.09, r * 0.12), white)
        b.add(ELLIPSOID, (sx * r * 0.3, r * 0.1, r * 0.79), (r * 0.06, r * 0.07, r * 0.05), dark)
        b.add(ELLIPSOID, (sx * r * 0.3, r * 0.28, r * 0.76), (r * 0.18, r * 0.04, r * 0.06), hair)
        b.add(ELLIPSOID, (sx * r * 0.74, 0, 0), (r * 0.1, r * 0.22, r * 0.15), flesh)
    style = rng.integers(4)
    if style < 3:
        b.add(ELLIPSOID, (0, r * 0.28, -r * 0.15), (r * 0.8, r * 0.82, r * 0.85), hair)
    if style == 1:
        b.add(ELLIPSOID, (0, -r * 0.4, -r * 0.4), (r * 0.85, r * 1.3, r * 0.6), hair)
    if style == 2:
        b.add(FRUSTUM, (0, r * 0.75, 0), (r * 0.95, r * 0.3, r), b.cloth(), shape=0.8)


def person(b: SceneBuilder, seated: bool = False) -> tuple[float, float]:
    """A standing, walking or seated figure of about 1.7 m that faces +z."""
    rng, k = b.rng, b.rng.uniform(0.88, 1.06)
    flesh, shirt, trousers = skin(b), b.cloth(), b.cloth()
    hip, wide = (0.5 if seated else 0.9) * k, rng.uniform(0.15, 0.2)
    shoulder = hip + 0.52 * k
    b.add(PILLOW, (0, (hip + shoulder) / 2, 0), (wide + 0.03, 0.3 * k, 0.12), shirt, shape=1.3)
    b.add(ELLIPSOID, (0, hip, 0), (wide, 0.15, 0.13), trousers)
    b.rod((0, shoulder - 0.05, 0), (0, shoulder + 0.12, 0), 0.055, flesh)
    with b.at((0, shoulder + 0.21 * k, 0.02), rng.normal(0, 0.5)):
        head(b, flesh, 0.13 * k)
    stride = 0.0 if seated else rng.normal(0, 0.16)
    for sx in (-1, 1):
        elbow = np.array([sx * (wide + rng.uniform(0.05, 0.2)), shoulder - 0.28 * k, rng.normal(0, 0.1)])
        hand = elbow + np.array([rng.normal(0, 0.08) - sx * 0.05, rng.uniform(-0.25, 0.12), rng.uniform(0.02, 0.22)])
        b.rod((sx * (wide + 0.02), shoulder - 0.03, 0), elbow, 0.055, shirt, 0.8)
        b.rod(elbow, hand, 0.043, shirt if rng.random() < 0.5 else flesh, 0.75)
        b.add(ELLIPSOID, hand, (0.04, 0.06, 0.045), flesh)
        foot = np.array([sx * 0.1, 0.05, 0.45 if seated else sx * stride])
        knee = np.array([sx * 0.12, 0.5 * k, 0.42]) if seated else foot * 0.5 + np.array([sx * 0.05, 0.47 * k, 0.03])
        b.rod((sx * 0.09, hip, 0), knee, 0.085, trousers, 0.75)
        b.rod(knee, foot, 0.062, trousers, 0.8)
        b.add(PILLOW, foot + np.array([0, 0, 0.07]), (0.05, 0.05, 0.13), b.smooth(), shape=1.3)
    return 0.3, 0.3


def animal(b: SceneBuilder) -> tuple[float, float]:
    """A four-legged figure that faces +x, 0.3 to 0.8 m tall."""
    rng, s = b.rng, b.rng.uniform(0.18, 0.4)
    fur = b.material(("rough", "spots", "plain", "rough"), hsv(rng.uniform(0.03, 0.12), rng.uniform(0, 0.7), np.exp(rng.uniform(-4,
            -0.4))), scale=0.2)
    high = s * rng.uniform(0.9, 1.4)
    b.add(ELLIPSOID, (0, high, 0), (s, s * 0.42, s * 0.38), fur)
    b.add(ELLIPSOID, (s * 0.65, high + s * 0.12, 0), (s * 0.45, s * 0.42, s * 0.33), fur)
    top = np.array([s * 1.2, high + s * rng.uniform(0.3, 0.8), 0])
    b.rod((s * 0.7, high, 0), top, s * 0.24, fur, 0.8)
    with b.at(top, rng.normal(0, 0.6)):
        b.add(ELLIPSOID, (0, 0, 0), (s * 0.34, s * 0.3, s * 0.28), fur)
        b.add(ELLIPSOID, (s * 0.34, -s * 0.08, 0), (s * 0.26, s * 0.14, s * 0.15), fur)
        dark = b.material(base=np.full(3, 0.02), gloss=1)
        b.add(ELLIPSOID, (s * 0.58, -s * 0.05, 0), (s * 0.05, s * 0.05, s * 0.06), dark)
        for sz in (-1, 1):
            b.add(ELLIPSOID, (s * 0.24, s * 0.1, sz * s * 0.17), (s * 0.05, s * 0.05, s * 0.04), dark)
            b.add(ELLIPSOID, (-s * 0.1, s * 0.32, sz * s * 0.18), (s * 0.08, s * 0.2, s * 0.08), fur)
    for x in (-0.7, 0.7):
        for z in (-0.22, 0.22):
            b.rod((s * x, high, s * z), (s * (x + rng.normal(0, 0.15)), 0, s * z), s * 0.15, fur, 0.6)
    b.rod((-s * 0.9, high + s * 0.1, 0), (-s * 1.5, high + s * rng.uniform(-0.4, 0.7), rng.normal(0, s * 0.2)), s * 0.08, fur, 0.5)
    return s * 1.3, s * 0.5


def tree(b: SceneBuilder) -> None:
    """A tree, conifer or bush, 1 to 9 m tall."""
    rng, height = b.rng, b.rng.uniform(2, 9)
    bark = b.material(("rough", "wood"), hsv(0.08, rng.uniform(0.1, 0.5), rng.uniform(0.03, 0.2)), scale=0.5)
    leaf = b.material(("rough", "stones", "rough"), hsv(rng.uniform(0.1, 0.36), rng.uniform(0.4, 0.85), np.exp(rng.uniform(-3.2, -1.2))),
            scale=1.2, contrast=0.8, grain=1.5)
    if rng.random() < 0.3:
        b.rod((0, 0, 0), (0, height * 0.3, 0), height * 0.025, bark)
        for k in range(4):
            y = height * (0.15 + 0.2 * k)
            b.add(FRUSTUM, (0, y + height * 0.12, 0), (height * (0.24 - 0.05 * k), height * 0.16, height * (0.24 - 0.05 * k)), leaf,
                    shape=0.02)
        return
    fork = height * rng.uniform(0.25, 0.5)
    b.rod((0, 0, 0), (rng.normal(0, 0.1), fork, rng.normal(0, 0.1)), height * 0.03, bark, 0.75)
    for _ in range(int(rng.integers(5, 14))):
        place = np.array([rng.normal(0, 0.16), rng.uniform(0.4, 0.95), rng.normal(0, 0.16)]) * height
        b.rod((0, fork * 0.9, 0), place, height * 0.012, bark, 0.5)
        b.add(ELLIPSOID, place, height * rng.uniform(0.08, 0.2, 3), leaf, rotation("y", rng.uniform(0, 6)))


def car(b: SceneBuilder) -> None:
    """A car that faces +x, about 4.2 m long."""
    rng, paint = b.rng, b.material(("plain",), b.colour((0.02, 0.8), 1.0), gloss=1, mirror=0.25, grain=0.05)
    glass, rubber = b.material(base=np.full(3, 0.03), gloss=1, mirror=0.3), b.material(("rough",), np.full(3, 0.02))
    tall = rng.uniform(0.9, 1.3)
    b.add(PILLOW, (0, 0.62, 0), (2.1, 0.36, 0.85), paint, shape=1.6)
    b.add(PILLOW, (-0.25, 0.62 + tall * 0.42, 0), (1.25, tall * 0.42, 0.74), (glass, paint, paint), shape=1.45)
    b.box((-0.25, 0.62 + tall * 0.8, 0), (0.7, 0.02, 0.6), paint)
    lamp = b.material(base=np.array([0.8, 0.75, 0.6]), gloss=1)
    for sx in (-1, 1):
        for sz in (-1, 1):
            b.rod((sx * 1.3, 0.33, sz * 0.68), (sx * 1.3, 0.33, sz * 0.88), 0.33, rubber)
            b.rod((sx * 1.3, 0.33, sz * 0.88), (sx * 1.3, 0.33, sz * 0.89), 0.2, b.material(base=np.full(3, 0.4), gloss=1))
            b.add(ELLIPSOID, (sx * 1.95, 0.68, sz * 0.6), (0.12, 0.09, 0.16), lamp if sx > 0 else b.material(base=np.array([0.4, 0.02,
                    0.02])))


def house(b: SceneBuilder) -> float:
    """A house that faces +z; returns half its width."""
    rng = b.rng
    w, d, h = rng.uniform(2.5, 7), rng.uniform(2.5, 5), rng.uniform(1.4, 5)
    wall = b.material(("bricks", "plain", "rough", "stones", "wood"), b.colour((0.15, 0.8), 0.4), scale=rng.uniform(0.8, 2), upright=True)
    roof = b.material(("tiles", "stripes", "bricks", "rough"), b.colour((0.03, 0.35), 0.5), scale=1.5)
    tall = rng.random() < 0.25
    h = h * 3 if tall else h
    face = b.material(("panes",), b.colour((0.15, 0.7), 0.4), np.array([0.05, 0.07, 0.1]), np.full(3, 0.7), fit=(max(1, round(w / 3)),
            max(1, round(h / 2.4)))) if tall else wall
    b.box((0, h, -d), (w, h, d), (face, wall, wall))
    if tall or rng.random() < 0.15:
        b.box((0, 2 * h, -d), (w + 0.2, 0.15, d + 0.2), roof)
    else:
        peak = rng.uniform(0.6, 1.6)
        if rng.random() < 0.5:
            b.add(GABLE, (0, 2 * h + peak, -d), (w * 1.08, peak, d * 1.08), roof)
        else:
            b.add(GABLE, (0, 2 * h + peak, -d), (d * 1.08, peak, w * 1.08), roof, rotation("y", np.pi / 2))
    glass, frame = b.material(base=np.array([0.05, 0.07, 0.1]), gloss=1, mirror=0.35), b.material(base=b.colour((0.3, 0.85), 0.2))
    if not tall:
        for floor in range(max(1, int(h / 1.3))):
            for k in range(max(2, int(w / 1.2))):
                x, y = -w + 2 * w * (k + 0.5) / max(2, int(w / 1.2)), 1.5 + 2.6 * floor
                b.box((x, y, 0), (0.55, 0.7, 0.05), frame)
                b.box((x, y, 0.03), (0.48, 0.62, 0.03), glass)
    b.box((rng.uniform(-0.6, 0.6) * w, 1.05, 0.02), (0.5, 1.05, 0.06), b.wood(1.0))
    return w
