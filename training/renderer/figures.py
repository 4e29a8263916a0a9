"""People and animals of blended limbs; each stands on y = 0 of the current frame, people face +z, animals +x."""

from __future__ import annotations

import numpy as np

from .builder import SceneBuilder, hsv, rotation
from .primitives import ELLIPSOID, FRUSTUM
from .things import skin

Parts = list[list[float]]


def rod(a, b, ra: float, rb: float | None = None) -> list[float]:
    """A round-ended rod from a to b with radii ra and rb."""
    return [*map(float, a), float(ra), *map(float, b), float(ra if rb is None else rb)]


def ball(a, r: float) -> list[float]:
    return rod(a, np.asarray(a, float) + [0, 1e-4, 0], r)


def hair_material(b: SceneBuilder) -> int:
    rng = b.rng
    return b.material(("rough", "stripes", "fur"), hsv(rng.uniform(0.03, 0.12), rng.uniform(0, 0.7), np.exp(rng.uniform(-4.5, -0.7))), scale=0.08,
            contrast=0.25)


def face(b: SceneBuilder, flesh: int, r: float) -> None:
    """A head about the origin that faces +z, neck included; r is half its height."""
    rng = b.rng
    jaw, brow = rng.uniform(0.4, 0.55), rng.uniform(0.68, 0.78)
    parts = [ball((0, r * 0.25, -r * 0.1), r * brow), rod((0, -r * 0.1, r * 0.1), (0, -r * 0.55, r * 0.25), r * 0.6, r * jaw),
             rod((0, r * 0.15, r * 0.68), (0, -r * 0.18, r * 0.88), r * 0.06, r * 0.13),
             rod((-r * 0.45, -r * 0.15, r * 0.3), (r * 0.45, -r * 0.15, r * 0.3), r * 0.22),
             rod((-r * 0.35, r * 0.28, r * 0.55), (r * 0.35, r * 0.28, r * 0.55), r * 0.13),
             rod((0, -r * 0.6, -r * 0.1), (0, -r * 1.7, -r * 0.2), r * 0.42, r * 0.5)]
    parts += [rod((s * r * 0.74, r * 0.1, -r * 0.05), (s * r * 0.76, -r * 0.2, 0), r * 0.12, r * 0.06) for s in (-1, 1)]
    b.body(parts, flesh, r * 0.16)
    dark, white = b.material(base=hsv(rng.random(), 0.4, 0.04), gloss=1), b.material(base=np.full(3, 0.65), gloss=1)
    lips = b.material(base=np.array([0.35, 0.1, 0.09]) * rng.uniform(0.5, 1.3), gloss=0.4)
    hair = hair_material(b)
    b.add(ELLIPSOID, (0, -r * 0.48, r * 0.72), (r * 0.24, r * rng.uniform(0.04, 0.1), r * 0.1), lips)
    for s in (-1, 1):
        b.add(ELLIPSOID, (s * r * 0.3, r * 0.08, r * 0.62), (r * 0.14, r * 0.08, r * 0.1), white)
        b.add(ELLIPSOID, (s * r * 0.3, r * 0.08, r * 0.69), (r * 0.065, r * 0.07, r * 0.05), dark)
        b.add(ELLIPSOID, (s * r * 0.31, r * 0.27, r * 0.64), (r * 0.17, r * 0.035, r * 0.07), hair)
    hairdo(b, hair, r)
    if rng.random() < 0.15:  # beard
        b.body([rod((-r * 0.35, -r * 0.55, r * 0.35), (r * 0.35, -r * 0.55, r * 0.35), r * 0.3), ball((0, -r * 0.8, r * 0.5), r * 0.28)], hair,
                r * 0.2, r * 0.02, 3 / r)
    if rng.random() < 0.18:  # glasses
        for s in (-1, 1):
            b.rod((s * r * 0.3, r * 0.08, r * 0.78), (s * r * 0.3, r * 0.08, r * 0.8), r * 0.2, dark)


def hairdo(b: SceneBuilder, hair: int, r: float) -> None:
    """Short, long, bunned or curly hair, a hat, or none."""
    rng, style = b.rng, b.rng.integers(7)
    top = [ball((0, r * 0.42, -r * 0.2), r * 0.72), rod((-r * 0.5, r * 0.3, -r * 0.25), (r * 0.5, r * 0.3, -r * 0.25), r * 0.42)]
    bump = rng.uniform(0, 0.05) * r
    if style == 1 or style == 2:
        low = -r * rng.uniform(0.6, 2.2)
        for s in (-1, 1):
            top.append(rod((s * r * 0.6, r * 0.2, -r * 0.25), (s * r * 0.7, low, -r * 0.1), r * 0.25, r * 0.2))
        top.append(rod((0, r * 0.2, -r * 0.5), (0, low, -r * 0.55), r * 0.5, r * 0.4))
    if style == 3:
        top.append(ball((0, r * rng.uniform(0.3, 1.2), -r * 0.8), r * 0.35))
    if style == 4:
        top = [ball(np.array([0, r * 0.45, -r * 0.25]) + rng.normal(0, r * 0.35, 3) * (1, 0.7, 0.7), r * 0.45) for _ in range(9)]
        bump = r * 0.08
    if style < 5:
        b.body(top, hair, r * 0.2, bump, 2.5 / r)
    if style == 5:
        cloth = b.cloth()
        b.add(FRUSTUM, (0, r * 0.85, -r * 0.08), (r * 0.82, r * 0.32, r * 0.88), cloth, shape=0.85)
        b.add(FRUSTUM, (0, r * 0.56, r * rng.uniform(0, 0.4)), (r * rng.uniform(0.9, 1.5), r * 0.04, r * 1.1), cloth)


def person(b: SceneBuilder, seated: bool = False, children: float = 0.12) -> tuple[float, float]:
    """A standing, walking or seated figure of 1.5 to 1.85 m with blended limbs; a share are children."""
    rng, k = b.rng, b.rng.uniform(0.88, 1.06) * (b.rng.uniform(0.6, 0.85) if b.rng.random() < children else 1)
    flesh, shirt, trousers = skin(b), b.cloth(), b.cloth()
    hip, wide, stout = (0.5 if seated else 0.9) * k, rng.uniform(0.14, 0.19) * k, rng.uniform(0.85, 1.35)
    shoulder, lean = hip + 0.52 * k, rng.normal(0.02, 0.05)
    chest = (0, hip + 0.34 * k, lean)
    body = [rod((-wide * 0.7, hip + 0.05, 0), (wide * 0.7, hip + 0.05, 0), 0.11 * stout), ball((0, hip + 0.18 * k, 0.02), 0.13 * stout),
            rod((-wide * 0.6, chest[1], lean), (wide * 0.6, chest[1], lean), 0.115 * stout),
            rod((-wide, shoulder - 0.03, lean), (wide, shoulder - 0.03, lean), 0.065)]
    bare, legs = [], [rod((-wide * 0.6, hip, 0), (wide * 0.6, hip, 0), 0.12 * stout)]
    skirt, short, stride = rng.random() < 0.2, rng.random() < 0.45, 0.0 if seated else rng.normal(0, 0.16)
    for s in (-1, 1):
        elbow = np.array([s * (wide + rng.uniform(0.04, 0.22)), shoulder - rng.uniform(0.15, 0.28) * k, lean + rng.normal(0.02, 0.12)])
        hand = elbow + np.array([rng.normal(0, 0.1) - s * 0.05, rng.uniform(-0.25, 0.2), rng.uniform(0.02, 0.24)])
        body.append(rod((s * wide, shoulder - 0.04, lean), elbow, 0.062, 0.048))
        (bare if short else body).append(rod(elbow, hand, 0.046, 0.032))
        finger = hand + (hand - elbow) * 0.3
        bare.append(rod(hand, finger, 0.036, 0.028))
        bare.append(rod(hand, finger + [0, 0.03, 0.04], 0.02, 0.014))
        foot = np.array([s * 0.1, 0.06, 0.5 if seated else s * stride])
        knee = np.array([s * 0.12, 0.5 * k, 0.42]) if seated else foot * 0.5 + np.array([s * 0.05, 0.47 * k, 0.05])
        legs.append(rod((s * wide * 0.55, hip, 0), knee, 0.09 * stout, 0.065))
        (bare if skirt else legs).append(rod(knee, foot, 0.062, 0.045))
        b.body([rod(foot - [0, 0.02, 0.04], foot + np.array([0, -0.025, 0.15]), 0.045, 0.035)], b.smooth(0.4), 0.01)
    b.body(body, shirt, 0.07, rng.uniform(0, 0.006), 9)
    b.body(bare, flesh, 0.03)
    b.body(legs, trousers, 0.06, rng.uniform(0, 0.005), 9)
    if skirt and not seated:
        b.rod((0, hip * rng.uniform(0.45, 0.7), 0), (0, hip + 0.06, 0), wide * 1.5, trousers, 0.75)
    with b.at((0, shoulder + 0.2 * k, lean + 0.02), rng.normal(0, 0.5), tilt=rotation("x", rng.normal(0, 0.15)) @ rotation("z", rng.normal(0, 0.1))):
        face(b, flesh, 0.128 * k)
    return 0.3, 0.3


def fur_material(b: SceneBuilder, scale: float) -> int:
    rng = b.rng
    base = hsv(rng.uniform(0.03, 0.12), rng.uniform(0, 0.7), np.exp(rng.uniform(-4, -0.3)))
    return b.material(("fur", "rough", "spots", "stripes", "plain", "fur"), base, base * rng.uniform(0.2, 1.6) if rng.random() < 0.7 else np.full(3,
            0.7), scale=scale, contrast=0.6)


def animal(b: SceneBuilder, size: float | None = None) -> tuple[float, float]:
    """A cat-, dog-, sheep- or horse-like figure, standing, sitting or lying; 0.15 to 1 m tall at the back."""
    rng = b.rng
    s = np.exp(rng.uniform(np.log(0.14), np.log(0.55))) if size is None else size
    fur, pose = fur_material(b, s), rng.random()
    long, leg, fat = rng.uniform(0.8, 1.2), rng.uniform(0.7, 1.5), rng.uniform(0.75, 1.3)
    high = s * (0.38 * fat if pose < 0.2 else leg)
    rump = high if pose > 0.45 or pose < 0.2 else s * 0.4
    neck = np.array([s * long * 1.1, high + s * rng.uniform(0.3, 0.9), 0])
    parts = [rod((-s * long * 0.7, rump, 0), (0, (high + rump) / 2 + s * 0.03, 0), s * 0.34 * fat, s * 0.36 * fat),
             rod((0, (high + rump) / 2 + s * 0.03, 0), (s * long * 0.65, high, 0), s * 0.36 * fat, s * 0.36),
             rod((s * long * 0.7, high + s * 0.1, 0), neck, s * 0.28, s * 0.2)]
    for z in (-1, 1):
        front, knee = s * (long * 0.7 + rng.normal(0, 0.12)), rng.normal(0.05, 0.05) * s
        low = s * 0.1
        if pose < 0.2:  # lying
            parts.append(rod((s * long * 0.6, high * 0.7, z * s * 0.3), (s * long * 1.3, low, z * s * 0.25), s * 0.13, s * 0.09))
            parts.append(rod((-s * long * 0.6, high * 0.8, z * s * 0.35), (-s * long * 0.2, low, z * s * 0.45), s * 0.2, s * 0.1))
            continue
        parts.append(rod((s * long * 0.65, high, z * s * 0.2), (front + knee, high * 0.5, z * s * 0.2), s * 0.17, s * 0.1))
        parts.append(rod((front + knee, high * 0.5, z * s * 0.2), (front, low, z * s * 0.2), s * 0.1, s * 0.075))
        parts.append(rod((front, low * 0.8, z * s * 0.2), (front + s * 0.12, low * 0.7, z * s * 0.2), s * 0.085))
        back = -s * (long * 0.75 + rng.normal(0, 0.12))
        if pose < 0.45:  # sitting
            parts.append(rod((-s * long * 0.6, rump, z * s * 0.25), (-s * long * 0.2, rump * 0.9, z * s * 0.4), s * 0.28, s * 0.15))
            parts.append(rod((-s * long * 0.3, low, z * s * 0.35), (s * 0.1, low, z * s * 0.35), s * 0.1))
        else:
            parts.append(rod((-s * long * 0.65, rump, z * s * 0.2), (back + s * 0.12, high * 0.55, z * s * 0.2), s * 0.23, s * 0.12))
            parts.append(rod((back + s * 0.12, high * 0.55, z * s * 0.2), (back, low, z * s * 0.2), s * 0.11, s * 0.075))
    tail = np.array([-s * long * 1.5, rump + s * rng.uniform(-0.5, 0.8), rng.normal(0, s * 0.4)])
    parts.append(rod((-s * long * 0.95, rump + s * 0.1, 0), tail, s * 0.1, s * rng.uniform(0.04, 0.14)))
    b.body(parts, fur, s * 0.16, s * rng.uniform(0, 0.03), 2 / s)
    with b.at(neck, rng.normal(0, 0.6), tilt=rotation("z", rng.normal(-0.1, 0.2))):
        muzzle(b, fur, s)
    return s * 1.5, s * 0.6


def muzzle(b: SceneBuilder, fur: int, s: float) -> None:
    """An animal's head about the origin that faces +x."""
    rng, nose = b.rng, b.rng.uniform(0.3, 0.75)
    parts = [ball((0.05 * s, 0.02 * s, 0), s * 0.27), rod((s * 0.15, -s * 0.05, 0), (s * nose, -s * 0.12, 0), s * 0.19, s * rng.uniform(0.08, 0.13))]
    pointed, tall = rng.random() < 0.5, rng.uniform(0.15, 0.4)
    for z in (-1, 1):
        tip = (-s * 0.1, s * (0.2 + tall), z * s * 0.24) if pointed else (-s * 0.08, -s * tall * 0.6, z * s * 0.36)
        parts.append(rod((-s * 0.05, s * 0.16, z * s * 0.18), tip, s * 0.1, s * (0.02 if pointed else 0.09)))
    b.body(parts, fur, s * 0.1)
    dark = b.material(base=np.full(3, 0.015), gloss=1)
    b.add(ELLIPSOID, (s * (nose + 0.09), -s * 0.09, 0), (s * 0.05, s * 0.05, s * 0.07), dark)
    for z in (-1, 1):
        b.add(ELLIPSOID, (s * 0.24, s * 0.08, z * s * 0.14), (s * 0.045, s * 0.05, s * 0.045), dark)


def bird(b: SceneBuilder) -> tuple[float, float]:
    """A standing bird, 0.12 to 0.5 m tall, that faces +x."""
    rng, s = b.rng, b.rng.uniform(0.06, 0.22)
    plumage = b.material(("fur", "rough", "spots", "plain"), b.colour((0.03, 0.8), 0.9), scale=s)
    tail, head = rng.uniform(1.2, 2.2), np.array([s * rng.uniform(0.5, 0.9), s * rng.uniform(1.9, 2.6), 0])
    b.body([rod((-s * 0.4, s, 0), (s * 0.35, s * 1.2, 0), s * 0.5, s * 0.55), rod((s * 0.45, s * 1.4, 0), head, s * 0.35, s * 0.3),
            rod((-s * 0.6, s, 0), (-s * tail, s * rng.uniform(0.5, 1.3), 0), s * 0.3, s * 0.08),
            *[rod((s * 0.2, s * 1.2, z * s * 0.45), (-s * 0.9, s * 0.95, z * s * 0.35), s * 0.2, s * 0.06) for z in (-1, 1)]], plumage, s * 0.15)
    beak = b.material(base=hsv(rng.uniform(0.02, 0.15), 0.9, rng.uniform(0.1, 0.6)))
    b.rod(head + [s * 0.2, 0, 0], head + [s * 0.65, -s * 0.08, 0], s * 0.12, beak, 0.1)
    dark = b.material(base=np.full(3, 0.015), gloss=1)
    for z in (-1, 1):
        b.add(ELLIPSOID, head + [s * 0.15, s * 0.08, z * s * 0.22], (s * 0.06,) * 3, dark)
        b.rod((0, s * 0.7, z * s * 0.2), (s * 0.1, 0, z * s * 0.2), s * 0.05, beak)
    return s * 1.5, s * 0.6
