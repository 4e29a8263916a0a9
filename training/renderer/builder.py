"""Collects primitives, materials and lights of one scene in world space (metres, y up)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Iterator, Sequence

import numpy as np

from . import primitives as pr
from . import tracing as tr
from .implicit import ROWS
from .textures import TextureBank

Vec = Sequence[float]
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def rotation(axis: str, angle: float) -> np.ndarray:
    """Rotation matrix [3,3] about x, y or z by an angle in radians, right-handed."""
    c, s = np.cos(angle), np.sin(angle)
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """Linear RGB [3] of a hue in [0,1), saturation, and linear value."""
    wheel = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return value * (1 + (wheel - 1) * saturation)


@dataclass
class Photo:
    """Where the camera stands and what it sees far away."""

    position: np.ndarray = field(default_factory=lambda: np.zeros(3))
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))  # world from camera
    fov: float = 60.0  # horizontal degrees
    ambient: np.ndarray = field(default_factory=lambda: np.ones(6) * 0.5)  # from above, from below
    sky: np.ndarray = field(default_factory=lambda: np.zeros(12))
    fog: np.ndarray = field(default_factory=lambda: np.zeros(4))  # colour, density a metre
    reach: float = 1.5  # metres within which surroundings darken a point


class SceneBuilder:
    """A scene under construction. `at` nests local frames for furniture."""

    def __init__(self, rng: np.random.Generator, bank: TextureBank) -> None:
        self.rng, self.bank, self.photo = rng, bank, Photo()
        self.turn, self.origin = np.eye(3), np.zeros(3)
        self.rows: list[tuple] = []
        self.materials: list[np.ndarray] = []
        self.lights: list[np.ndarray] = []
        self.forms: list[np.ndarray] = []

    @contextmanager
    def at(self, place: Vec, yaw: float = 0.0, scale: float = 1.0, tilt: np.ndarray | None = None) -> Iterator[None]:
        """Works in a frame at `place`, turned about y by `yaw`, then by `tilt`, and scaled."""
        saved = self.turn, self.origin
        self.origin = self.origin + self.turn @ np.asarray(place, float)
        local = rotation("y", yaw) if tilt is None else rotation("y", yaw) @ tilt
        self.turn = self.turn @ local * scale
        yield
        self.turn, self.origin = saved

    def add(self, kind: int, place: Vec, half: Vec, material: int | Sequence[int], turn: np.ndarray | None = None,
            shape: float = 1.0) -> None:
        """Adds a unit primitive with half sizes `half`; material is one or (side, top, bottom)."""
        local = np.diag(np.asarray(half, float)) if turn is None else turn @ np.diag(np.asarray(half, float))
        faces = (material,) * 3 if isinstance(material, int) else tuple(material)
        self.rows.append((kind, self.turn @ local, self.origin + self.turn @ np.asarray(place, float), shape, faces))

    def box(self, place: Vec, half: Vec, material: int | Sequence[int], turn: np.ndarray | None = None) -> None:
        self.add(pr.BOX, place, half, material, turn)

    def rod(self, start: Vec, end: Vec, thick: float, material: int, taper: float = 1.0, kind: int = pr.FRUSTUM) -> None:
        """A round rod from start (radius thick) to end (radius thick * taper)."""
        a, b = np.asarray(start, float), np.asarray(end, float)
        up = (b - a) / 2
        length = np.linalg.norm(up) + 1e-9
        y = up / length
        x = np.cross(y, [0.36, 0.48, 0.8] if abs(y[2]) < 0.9 else [1.0, 0, 0])
        x /= np.linalg.norm(x)
        self.add(kind, (a + b) / 2, (thick, length, thick), material, np.stack([x, y, np.cross(x, y)], 1), taper)

    def body(self, parts: Sequence[Sequence[float]], material: int, blend: float = 0.04, bump: float = 0.0, rate: float = 0.0) -> None:
        """Round-ended rods (ax, ay, az, ra, bx, by, bz, rb) in metres, joined smoothly within `blend` metres; bumps of
        height `bump` metres, about `rate` a metre."""
        rods = np.asarray(parts, float)[:ROWS - 1]
        ends, radii = np.concatenate([rods[:, 0:3], rods[:, 4:7]]), np.concatenate([rods[:, 3], rods[:, 7]])
        low, high = (ends - radii[:, None]).min(0), (ends + radii[:, None]).max(0)
        centre = (low + high) / 2
        reach = (np.linalg.norm(ends - centre, axis=1) + radii).max() + blend / 4 + 1.5 * bump
        table = np.zeros((ROWS, 8))
        table[0, :5] = len(rods), blend / reach, bump / reach, rate * 2 * np.pi * reach, self.rng.uniform(0, 6.3)
        table[1:len(rods) + 1] = rods / reach
        table[1:len(rods) + 1, 0:3] -= centre / reach
        table[1:len(rods) + 1, 4:7] -= centre / reach
        self.forms.append(table)
        self.add(pr.BODY, centre, (reach,) * 3, material, shape=len(self.forms) - 1)

    def terrain(self, place: Vec, half: Vec, waves: Sequence[Sequence[float]], material: int) -> None:
        """Rolling ground in a box: waves (kx, kz, phase, height, ridged) over [-1, 1]^2, heights in units of half[1]."""
        table = np.zeros((ROWS, 8))
        table[0, 0] = len(waves)
        table[1:len(waves) + 1, :5] = waves
        self.forms.append(table)
        self.add(pr.TERRAIN, place, half, material, shape=len(self.forms) - 1)

    def colour(self, light: tuple[float, float] = (0.03, 0.8), vivid: float = 0.5) -> np.ndarray:
        """A random linear RGB [3]; `vivid` scales how saturated it may be."""
        rng = self.rng
        return hsv(rng.random(), min(1, rng.beta(0.8, 1.6) * 2 * vivid), np.exp(rng.uniform(*np.log(light))))

    def material(self, families: Sequence[str] = ("plain",), base: np.ndarray | None = None, other: np.ndarray | None = None,
            third: np.ndarray | None = None,
                 scale: float = 0.6, fit: tuple[float, float] | None = None, gloss: float = 0.0, emission: float = 0.0, mirror: float = 0.0,
                 shadowless: int = 0, contrast: float = 0.5, grain: float = 0.8, upright: bool = False) -> int:
        """A new material's index. scale: metres a tile; fit: tiles across a face instead.
        shadowless: 1 casts no shadow, 2 lets sunlight into a room."""
        rng, row = self.rng, np.zeros(tr.MATERIAL_COLUMNS)
        base = self.colour() if base is None else base
        if other is None:
            other = base * np.exp(rng.normal(0, contrast)) * np.exp(rng.normal(0, 0.15, 3))
        if third is None:
            third = base * np.exp(rng.normal(-0.3, contrast)) * np.exp(rng.normal(0, 0.2, 3))
        texture, tint = self.bank.surface(rng, families, base, fit is not None)
        row[tr.TEXTURE] = texture
        row[tr.SCALE_U:tr.SCALE_V + 1] = scale * np.exp(rng.normal(0, 0.25)) if fit is None else fit
        row[tr.FIT] = fit is not None
        row[tr.SHIFT_U:tr.SHIFT_V + 1] = rng.random(2) if fit is None else 0
        row[tr.COLOUR:tr.COLOUR + 9] = np.clip(np.concatenate([base, other, third]), 0.005, 0.95)
        if tint is not None:
            row[tr.PHOTOGRAPH], row[tr.COLOUR:tr.COLOUR + 3] = 1, tint
        row[tr.SPECULAR] = gloss * rng.uniform(0.05, 0.5)
        row[tr.GLOSS] = np.exp(rng.uniform(np.log(8), np.log(150)))
        row[tr.EMISSION], row[tr.MIRROR], row[tr.SHADOWLESS] = emission, mirror, shadowless
        row[tr.GRAIN] = grain * rng.uniform(0.3, 1.2)
        row[tr.SWAP] = 0 if upright or fit is not None else rng.integers(2)
        self.materials.append(row)
        return len(self.materials) - 1

    def wood(self, scale: float = 0.6, gloss: float | None = None) -> int:
        """Wood, painted or natural."""
        rng = self.rng
        natural = hsv(rng.uniform(0.05, 0.11), rng.uniform(0.35, 0.75), np.exp(rng.uniform(-3, -0.6)))
        base = natural if rng.random() < 0.7 else self.colour((0.1, 0.85), 0.4)
        shine = rng.random() if gloss is None else gloss
        mirror = 0.1 * rng.random() if rng.random() < 0.25 else 0.0
        return self.material(("wood", "wood", "plain"), base, contrast=0.25, scale=scale, gloss=shine, mirror=mirror)

    def cloth(self) -> int:
        return self.material(("rough", "stripes", "plaid", "plain", "plain", "spots", "rough"), self.colour((0.05, 0.7), 0.7), scale=0.35)

    def smooth(self, vivid: float = 0.8) -> int:
        """Plastic, ceramic, metal or paint."""
        mirror = self.rng.uniform(0.05, 0.4) if self.rng.random() < 0.2 else 0.0
        return self.material(("plain", "plain", "plain", "marble", "stripes", "spots"), self.colour((0.05, 0.85), vivid), gloss=1,
                scale=0.2, grain=0.2, mirror=mirror)

    def picture(self, emission: float = 0.0) -> int:
        """A printed or painted face that fills the side it is on."""
        return self.material(("scenery", "shapes", "text", "scenery", "marble", "spots", "stripes"), self.colour((0.02, 0.8), 0.9),
                self.colour((0.02, 0.8), 0.9),
                             self.colour((0.02, 0.8), 0.9), fit=(1, 1), emission=emission)

    def light(self, place: Vec, colour: np.ndarray, u: Vec = (0.1, 0, 0), v: Vec = (0, 0, 0.1), sun: bool = False,
            portal: bool = False) -> None:
        """A light at `place` (a direction for the sun) with half axes u and v; at most three."""
        row = np.zeros(tr.LIGHT_COLUMNS)
        row[0:3] = place if sun else self.origin + self.turn @ np.asarray(place, float)
        row[3:6], row[6:9], row[9:12], row[12], row[13] = u, v, colour, sun, portal
        if len(self.lights) < 3:
            self.lights.append(row)

    def arrays(self) -> tuple[tuple, np.ndarray]:
        """Scene tuple about the camera, and face materials [P,3]."""
        kinds = np.array([row[0] for row in self.rows], np.int64)
        affine = np.stack([row[1] for row in self.rows])
        centre = np.stack([row[2] for row in self.rows]) - self.photo.position
        shape = np.array([row[3] for row in self.rows], float)
        size = np.linalg.norm(affine, axis=1)
        boxy = np.linalg.norm(np.einsum("pij,cj->pci", affine, CORNERS), axis=2).max(1)
        flared = np.isin(kinds, (pr.FRUSTUM, pr.CUP))
        radius = np.where(np.isin(kinds, (pr.ELLIPSOID, pr.BODY)), size.max(1), boxy * np.where(flared, np.maximum(1, shape), 1))
        forms = np.stack(self.forms) if self.forms else np.zeros((1, ROWS, 8))
        scene = (kinds, np.ascontiguousarray(np.linalg.inv(affine)), centre, size, radius, shape, forms)
        return scene, np.array([row[4] for row in self.rows], np.int64)
