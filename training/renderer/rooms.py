"""Rooms: a box seen from inside, furniture along its walls and in its middle."""

from __future__ import annotations

from typing import Callable

import numpy as np

from . import furniture as fu
from . import things as th
from .builder import SceneBuilder, hsv, rotation
from .primitives import BOX, ELLIPSOID, FRUSTUM, ROOM


def look(b: SceneBuilder, position: np.ndarray, target: np.ndarray, roll: float, fov: float) -> None:
    """Points the camera at a target: x right, y up, z toward the viewer."""
    back = (position - target) / np.linalg.norm(position - target)
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    level = np.stack([right, np.cross(back, right), back], 1)
    b.photo.position, b.photo.turn, b.photo.fov = position, level @ rotation("z", roll), fov


def roll_of(b: SceneBuilder) -> float:
    """A hand's roll: mostly near level, now and then strong."""
    return np.radians(b.rng.normal(0, 2.0 if b.rng.random() < 0.85 else 9.0))


class Plan:
    """Taken floor as circles-free rectangles; refuses what overlaps or blocks the camera."""

    def __init__(self, half_x: float, half_z: float) -> None:
        self.half, self.taken = (half_x, half_z), []

    def free(self, x: float, z: float, hx: float, hz: float) -> bool:
        """Takes the rectangle about (x, z) if it is inside and free."""
        if abs(x) + hx > self.half[0] or abs(z) + hz > self.half[1]:
            return False
        if any(abs(x - a) < hx + c and abs(z - e) < hz + d for a, e, c, d in self.taken):
            return False
        self.taken.append((x, z, hx, hz))
        return True


def window(b: SceneBuilder, width: float, height: float) -> None:
    """A bright window centred on the current wall point; sunlight may come through it."""
    rng = b.rng
    bright = rng.uniform(1.0, 5.0)
    view = b.material(("scenery", "scenery", "plain", "rough"), np.array([0.1, 0.2, 0.05]) * rng.uniform(0.5, 2), np.array([0.6, 0.75,
            0.95]), np.array([0.08, 0.15, 0.05]),
                      fit=(1, 1), emission=bright, shadowless=2)
    frame = b.material(base=b.colour((0.3, 0.85), 0.15) if rng.random() < 0.8 else b.colour((0.02, 0.1), 0.4))
    b.box((0, 0, 0.005), (width, height, 0.01), view)
    bar, cols, rows = rng.uniform(0.015, 0.035), int(rng.integers(1, 4)), int(rng.integers(1, 3))
    for k in range(cols + 1):
        b.box(((2 * k / cols - 1) * width, 0, 0.03), (bar, height + bar, 0.035), frame)
    for k in range(rows + 1):
        b.box((0, (2 * k / rows - 1) * height, 0.03), (width, bar, 0.034), frame)
    b.box((0, -height - 0.03, 0.08), (width + 0.08, 0.02, 0.1), frame)
    if rng.random() < 0.45:
        cloth, drop = b.cloth(), height + rng.uniform(0.1, 0.4)
        for sx in (-1, 1):
            for k in range(4):
                b.rod((sx * (width + 0.05 - 0.09 * k), -drop, 0.12), (sx * (width + 0.05 - 0.08 * k), height + 0.12, 0.12), 0.055, cloth)
    elif rng.random() < 0.3:
        slat = b.material(base=np.full(3, rng.uniform(0.3, 0.8)))
        for k in range(int(rng.integers(3, 12))):
            b.box((0, height - 0.07 * k, 0.07), (width, 0.028, 0.006), slat, rotation("x", 0.5))


def door(b: SceneBuilder) -> None:
    rng, wood = b.rng, b.wood(1.0)
    b.box((0, 1.0, 0.01), (0.42, 1.0, 0.025), wood)
    frame = b.material(base=b.colour((0.2, 0.85), 0.2))
    for sx in (-1, 1):
        b.box((sx * 0.47, 1.03, 0.02), (0.05, 1.03, 0.035), frame)
    b.box((0, 2.05, 0.02), (0.52, 0.05, 0.035), frame)
    for y in (0.5, 1.45):
        b.box((0, y, 0.03), (0.28, 0.33, 0.012), wood)
    b.add(ELLIPSOID, (0.34, 1.0, 0.07), (0.05, 0.02, 0.03), b.smooth(0.3))


def picture(b: SceneBuilder) -> None:
    rng = b.rng
    w, h = rng.uniform(0.12, 0.6), rng.uniform(0.12, 0.5)
    mirror = rng.random() < 0.12
    b.box((0, 0, 0.012), (w, h, 0.012), b.wood(0.2))
    b.box((0, 0, 0.02), (w * 0.9, h * 0.9, 0.01), b.material(base=np.full(3, 0.7), mirror=0.9) if mirror else b.picture())


def wall_items(b: SceneBuilder, along: float, height: float, plan: Plan, to_floor: Callable, windows: int) -> None:
    """Furnishes one wall in its own frame: x along it in [-along, along], z inward."""
    rng = b.rng
    spots: list[tuple[float, float]] = []

    def spot(half: float) -> float | None:
        for _ in range(6):
            x = rng.uniform(-1, 1) * max(0.0, along - half - 0.05)
            if along > half and all(abs(x - a) > half + w for a, w in spots):
                spots.append((x, half))
                return x
        return None

    for _ in range(windows):
        w, h = rng.uniform(0.35, 1.1), rng.uniform(0.4, 0.75)
        x = spot(w + 0.1)
        if x is not None:
            with b.at((x, min(height - h - 0.15, rng.uniform(1.35, 1.7)), 0)):
                window(b, w, h)
    if rng.random() < 0.35 and (x := spot(0.55)) is not None:
        with b.at((x, 0, 0)):
            door(b)
        plan.free(*to_floor(x, 0.5), 0.5, 0.5)
    for _ in range(rng.integers(0, 4)):
        x = spot(0.5)
        if x is not None:
            with b.at((x, rng.uniform(1.5, min(1.9, height - 0.5)), 0)):
                picture(b)
    for _ in range(rng.integers(2, 7)):
        make = (fu.shelf, fu.shelf, fu.sofa, fu.bed, fu.cabinet, fu.cabinet, fu.desk, fu.chair, fu.plant, fu.floor_lamp,
                fu.crate)[int(rng.integers(11))]
        place_standing(b, make, plan, to_floor, along)
    if rng.random() < 0.6:
        b.box((0, 0.05, 0.006), (along, 0.05, 0.008), b.material(base=b.colour((0.2, 0.8), 0.2)))


def place_standing(b: SceneBuilder, make: Callable, plan: Plan, to_floor: Callable, along: float) -> None:
    """Builds a piece against the wall and keeps it only where the floor is free."""
    mark, lamps = len(b.rows), len(b.lights)
    with b.at((0, -50, 0)):
        hx, hz = make(b)
    rows, b.rows, b.lights = b.rows[mark:], b.rows[:mark], b.lights[:lamps]
    for _ in range(5):
        x, z = b.rng.uniform(-1, 1) * max(0.0, along - hx), hz + b.rng.uniform(0.02, 0.1)
        fx, fz = to_floor(x, z)
        across = abs(b.turn[0, 0]) > 0.5
        if plan.free(fx, fz, *((hx, hz) if across else (hz, hx))):
            shift = b.turn @ np.array([x, 50, z])
            b.rows.extend((kind, affine, centre + shift, shape, faces) for kind, affine, centre, shape, faces in rows)
            return


def middle_items(b: SceneBuilder, plan: Plan, w: float, d: float) -> None:
    """Tables with chairs, rugs, people, animals and boxes away from the walls."""
    rng = b.rng
    if rng.random() < 0.5:
        x, z = rng.normal(0, w * 0.1), rng.normal(0, d * 0.1)
        half = (rng.uniform(0.6, 1.4), 0.008, rng.uniform(0.5, 1.1))
        b.add(FRUSTUM if rng.random() < 0.2 else BOX, (x, 0.006, z), half, b.material(("rough", "plaid", "stripes", "spots", "tiles"),
                b.colour((0.05, 0.6), 0.8), b.colour((0.05, 0.6), 0.8), fit=(1, 1)), rotation("y", rng.normal(0, 0.1)))
    for _ in range(int(rng.integers(1, 7))):
        x, z, yaw = rng.uniform(-0.7, 0.7) * w, rng.uniform(-0.7, 0.7) * d, rng.uniform(0, 2 * np.pi)
        draw = rng.random()
        if draw < 0.35:
            if plan.free(x, z, 1.1, 1.1):
                yaw = rng.integers(4) * np.pi / 2 + rng.normal(0, 0.15)
                with b.at((x, 0, z), yaw):
                    low = rng.random() < 0.35
                    tx, tz = fu.table(b, low)
                    for side in (() if low else (0, 1, 2, 3)):
                        if rng.random() < 0.6:
                            reach = (tz if side % 2 == 0 else tx) + rng.uniform(0.0, 0.35)
                            turn = side * np.pi / 2
                            with b.at((reach * np.sin(turn), 0, reach * np.cos(turn)), turn + np.pi + rng.normal(0, 0.25)):
                                fu.chair(b)
        elif plan.free(x, z, 0.4, 0.4):
            with b.at((x, 0, z), yaw):
                make = (th.person, th.person, fu.chair, fu.crate, th.animal, fu.plant, fu.floor_lamp, fu.sofa)[int(rng.integers(8))]
                fu.sofa(b, 1) if make is fu.sofa else make(b)


def shell(b: SceneBuilder, w: float, d: float, h: float) -> None:
    """Walls, floor, ceiling; half sizes w, d and full height h."""
    rng = b.rng
    wall = b.material(("plain", "plain", "plain", "rough", "stripes", "bricks", "tiles", "marble", "spots", "wood"), b.colour((0.2, 0.85),
            0.35), contrast=0.12, scale=rng.uniform(0.4, 1.6), upright=True, grain=0.25)
    floor = b.material(("wood", "wood", "tiles", "rough", "marble", "plain", "stones"), hsv(rng.uniform(0.02, 0.13), rng.uniform(0, 0.7),
            np.exp(rng.uniform(-3.2, -0.4))) if rng.random() < 0.7 else b.colour(), contrast=0.35,
                       scale=rng.uniform(0.5, 1.6), gloss=rng.random(), mirror=rng.uniform(0.05, 0.35) if rng.random() < 0.4 else 0.0)
    ceiling = b.material(("plain", "plain", "plain", "tiles", "wood"), b.colour((0.5, 0.9), 0.12), contrast=0.1, scale=1.0, grain=0.2)
    b.add(ROOM, (0, h / 2, 0), (w, h / 2, d), (wall, ceiling, floor))
    if rng.random() < 0.25:
        beam = b.wood()
        for k in range(int(rng.integers(2, 6))):
            b.box((0, h - 0.08, (k - 2) * d / 2.5), (w, 0.08, 0.07), beam)
    if rng.random() < 0.15:
        b.box((rng.choice([-1, 1]) * w * 0.6, h / 2, rng.uniform(-0.5, 0.5) * d), (0.18, h / 2, 0.18), wall)


def indoor_light(b: SceneBuilder, w: float, d: float, h: float) -> None:
    """Ambient light, a ceiling light, daylight from a window wall, or sun through windows."""
    rng = b.rng
    warm = hsv(rng.uniform(0.05, 0.13), rng.uniform(0, 0.5), 1.0)
    base = rng.uniform(0.15, 0.7)
    b.photo.ambient = np.concatenate([base * hsv(rng.uniform(0.05, 0.65), rng.uniform(0, 0.15), 1), base * rng.uniform(0.4, 1.1) * warm])
    if rng.random() < 0.7:
        x, z, r = rng.uniform(-0.5, 0.5) * w, rng.uniform(-0.5, 0.5) * d, rng.uniform(0.05, 0.35)
        shade_ = b.material(base=np.full(3, 0.85), emission=rng.uniform(1, 4), shadowless=1)
        drop = rng.uniform(0.05, 0.9) if rng.random() < 0.5 else 0.04
        if drop > 0.05:
            b.rod((x, h - drop, z), (x, h, z), 0.008, b.smooth(0.1))
            b.add((ELLIPSOID, FRUSTUM)[int(rng.integers(2))], (x, h - drop, z), (r, r * 0.7, r), shade_)
        else:
            b.box((x, h - 0.02, z), (r * 1.6, 0.02, r), shade_)
        b.light((x, h - drop - 0.05, z), warm * rng.uniform(0.8, 3.5), (r, 0, 0), (0, 0, r))
    if rng.random() < 0.6:
        side = rng.choice([-1, 1])
        b.light((side * (w - 0.15), rng.uniform(1.2, 1.8), rng.uniform(-0.6, 0.6) * d), hsv(0.58, rng.uniform(0, 0.35), rng.uniform(1,
                6)), (0, 0.5, 0), (0, 0, 0.5))
    if rng.random() < 0.45:
        sun = np.array([rng.normal(0, 1), rng.uniform(0.35, 1.0), rng.normal(0, 1)])
        b.light(sun, np.array([1, 0.85, 0.65]) * rng.uniform(2, 7), (0.02, 0, 0), (0, 0.02, 0), sun=True, portal=True)


def room(b: SceneBuilder) -> None:
    """A furnished room."""
    rng = b.rng
    big = rng.random() < 0.12
    w, d = (rng.uniform(3.5, 7, 2) if big else rng.uniform(1.5, 3.4, 2))
    h = rng.uniform(3, 5) if big else rng.uniform(2.3, 3.1)
    shell(b, w, d, h)
    indoor_light(b, w, d, h)
    yaw = rng.uniform(0, 2 * np.pi)
    stand = rng.uniform(0.55, 0.92) if rng.random() < 0.8 else rng.uniform(0, 0.5)
    position = np.array([np.sin(yaw) * stand * w, rng.uniform(0.9, 1.75), np.cos(yaw) * stand * d])
    plan = Plan(w, d)
    plan.taken.append((position[0], position[2], 0.5, 0.5))
    for k in range(4):
        angle = k * np.pi / 2
        inward = np.array([np.sin(angle), 0, np.cos(angle)])
        deep, along = (d, w) if k % 2 == 0 else (w, d)
        with b.at(-inward * deep, angle):
            frame, origin = b.turn, b.origin
            to_floor = lambda x, z, f=frame, o=origin: tuple((o + f @ np.array([x, 0, z]))[[0, 2]])
            wall_items(b, along, h, plan, to_floor, int(rng.integers(1, 4)) if rng.random() < 0.4 else 0)
    middle_items(b, plan, w, d)
    aim = -position * rng.uniform(0.2, 0.9) + np.array([rng.normal(0, w * 0.3), 0, rng.normal(0, d * 0.3)])
    aim[1] = position[1] - np.tan(np.radians(rng.normal(9, 9))) * np.hypot(*(aim - position)[[0, 2]])
    look(b, position, aim, roll_of(b), rng.uniform(50, 88))
    if rng.random() < 0.06:
        b.photo.fog = np.array([0.6, 0.6, 0.6, rng.uniform(0.005, 0.03)])
