"""A bank of procedural, tileable patterns with mip pyramids.

A pattern holds three fields in [0, 1]: a blend of the material's first and second colour, an
overlay of its third colour, and a fine brightness grain. Colours belong to materials, so one
pattern serves many looks.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

SIDE = 256
LEVELS = 9  # 256 .. 1

Field = np.ndarray


def noise(rng: np.random.Generator, slope: float, stretch: float = 1.0, low: float = 1.0) -> Field:
    """Periodic noise [256,256] in [0,1], spectrum f^-slope; `stretch` > 1 elongates along u."""
    fy = np.fft.fftfreq(SIDE)[:, None] * SIDE
    fx = np.fft.rfftfreq(SIDE)[None, :] * SIDE * stretch
    f = np.sqrt(fx * fx + fy * fy)
    spectrum = np.where(f >= low, np.maximum(f, 1e-3) ** -slope, 0)
    phase = rng.standard_normal(f.shape) + 1j * rng.standard_normal(f.shape)
    field = np.fft.irfft2(spectrum * phase, s=(SIDE, SIDE))
    field = field / (field.std() + 1e-9)
    return np.clip(0.5 + field * 0.22, 0, 1)


def grid() -> tuple[Field, Field]:
    """u and v in [0,1), each [256,256]."""
    axis = (np.arange(SIDE) + 0.5) / SIDE
    return np.meshgrid(axis, axis)


def grain(rng: np.random.Generator) -> Field:
    """Brightness grain about 0.5, from very smooth to rough."""
    return np.clip(0.5 + (noise(rng, rng.uniform(0.2, 1.6)) - 0.5) * rng.uniform(0, 0.8), 0, 1)


def cells(rng: np.random.Generator, count: int) -> tuple[Field, Field]:
    """Periodic Voronoi cells: random value per cell, and distance to the border in [0,1]."""
    points, values = rng.random((count, 2)), rng.random(count)
    u, v = grid()
    near = np.full((SIDE, SIDE), 9.0)
    second, value = near.copy(), near.copy()
    for (x, y), shade in zip(points, values):
        du, dv = np.abs(u - x), np.abs(v - y)
        far = np.hypot(np.minimum(du, 1 - du), np.minimum(dv, 1 - dv))
        closer = far < near
        second = np.where(closer, near, np.minimum(second, far))
        value = np.where(closer, shade, value)
        near = np.where(closer, far, near)
    return value, np.clip((second - near) * np.sqrt(count) * 2.5, 0, 1)


def courses(rng: np.random.Generator, rows: int, cols: int, offset: float, joint: float):
    """Laid bricks, tiles or planks: random value per piece, and the joints (1 in a joint)."""
    u, v = grid()
    row = np.floor(v * rows).astype(int)
    shifted = (u * cols + row * offset) % cols
    col = np.floor(shifted).astype(int)
    value = rng.random((rows, cols))[row, col]
    fu, fv = shifted % 1, (v * rows) % 1
    edge = np.minimum(np.minimum(fu, 1 - fu) / cols, np.minimum(fv, 1 - fv) / rows)
    return value, (edge < joint).astype(float)


def plain(rng):
    return noise(rng, 2.0) * rng.uniform(0, 0.5), np.zeros((SIDE, SIDE)), grain(rng)


def wood(rng):
    planks = int(rng.integers(1, 9))
    value, joints = courses(rng, planks, int(rng.integers(1, 3)), rng.random(), 0.003)
    u, v = grid()
    wave = noise(rng, 1.8, rng.uniform(4, 12)) + value * 3
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (wave * rng.uniform(2, 9) + v))
    return np.clip(0.6 * value + 0.4 * rings, 0, 1), joints * 0.8, noise(rng, 0.8, 10.0)


def bricks(rng):
    rows = int(rng.integers(3, 9)) * 2
    value, joints = courses(rng, rows, max(2, rows // 2), 0.5, rng.uniform(0.004, 0.01))
    return np.clip(value + noise(rng, 1.0) - 0.5, 0, 1), joints, noise(rng, 0.7)


def tiles(rng):
    n = int(rng.integers(1, 9))
    value, joints = courses(rng, n, n, 0.0, rng.uniform(0.002, 0.012))
    kind = rng.integers(3)
    if kind == 0:
        u, v = grid()
        value = ((np.floor(u * 2 * n) + np.floor(v * 2 * n)) % 2) * 0.9
    elif kind == 1:
        value = 0.4 * value + 0.6 * noise(rng, 1.7)
    return value, joints * rng.uniform(0.3, 1), grain(rng)


def stripes(rng):
    u, v = grid()
    n, tilt = int(rng.integers(2, 20)), int(rng.integers(0, 2)) * int(rng.integers(1, 8))
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (u * n + v * tilt))
    sharp = np.clip((wave - rng.uniform(0.3, 0.7)) * rng.uniform(2, 30) + 0.5, 0, 1)
    thin = (np.abs((u * n) % 1 - 0.5) < 0.06) * float(rng.integers(2))
    return sharp, thin, grain(rng)


def plaid(rng):
    u, v = grid()
    n = int(rng.integers(2, 9))
    bands = lambda t: (((t * n) % 1) < rng.uniform(0.3, 0.6)).astype(float)
    lines = ((((u * n) % 1) < 0.07) | (((v * n) % 1) < 0.07)) * rng.uniform(0, 1)
    return 0.5 * bands(u) + 0.5 * bands(v), lines, grain(rng)


def marble(rng):
    field = noise(rng, rng.uniform(1.5, 2.2))
    veins = np.clip(1 - np.abs(noise(rng, 1.8) - 0.5) * rng.uniform(10, 40), 0, 1)
    return field, veins * rng.uniform(0.2, 1), grain(rng)


def rough(rng):
    """Carpet, grass, asphalt, plaster, fur, foliage: noise with much fine detail."""
    stretch = float(rng.choice([1, 1, 3, 0.3]))
    return noise(rng, rng.uniform(0.2, 1.3), stretch), np.clip(noise(rng, 1.0) * 6 - 3.6, 0, 1), noise(rng, 0.4, stretch)


def stones(rng):
    value, edge = cells(rng, int(rng.integers(10, 60)))
    joints = np.clip(1 - edge * rng.uniform(2, 8), 0, 1)
    return np.clip(value + noise(rng, 1.2) - 0.5, 0, 1), joints, noise(rng, 0.8)


def spots(rng):
    count = int(rng.integers(5, 60))
    u, v = grid()
    first, second = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for k in range(count):
        x, y = rng.random(2)
        du, dv = (u - x + 0.5) % 1 - 0.5, (v - y + 0.5) % 1 - 0.5
        petals = 1 + 0.3 * np.cos(int(rng.integers(0, 7)) * np.arctan2(dv, du))
        disc = np.hypot(du, dv) < petals * rng.uniform(0.15, 0.45) / np.sqrt(count)
        (first if k % 3 else second)[disc] = rng.uniform(0.5, 1)
    return first, second, grain(rng)


def text(rng):
    """Lines of word-like strokes, sometimes with a picture block: pages, posters, screens."""
    field, ink = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    pitch = int(rng.integers(8, 40))
    for top in range(pitch, SIDE - pitch, pitch):
        x = int(rng.integers(10, 24))
        while x < SIDE - 20 and rng.random() > 0.03:
            word = int(rng.integers(1, 6)) * max(3, pitch // 3)
            step = max(2, pitch // 6)
            for left in range(x, min(x + word, SIDE - 10), step):
                h = int(pitch * rng.uniform(0.3, 0.6))
                ink[top:top + h, left:left + max(1, step // 2)] = rng.uniform(0.5, 1)
            x += word + max(3, pitch // 3)
    if rng.random() < 0.5:
        y, x = rng.integers(10, 120, 2)
        field[y:y + 100, x:x + 110] = noise(rng, 1.7)[:100, :110]
        ink[y:y + 100, x:x + 110] = 0
    return field, ink, grain(rng)


def scenery(rng):
    """A landscape-like picture: sky above, hills and dark trees below (v grows upward)."""
    u, v = grid()
    sky = np.clip((v - 0.3) * 1.6 + (noise(rng, 2.0) - 0.5) * 0.4, 0, 1)
    land = np.zeros((SIDE, SIDE))
    for level in np.sort(rng.uniform(0.1, 0.7, int(rng.integers(1, 5))))[::-1]:
        ridge = level + (noise(rng, 1.9)[0] - 0.5) * 0.4
        land = np.where(v < ridge[None, :], rng.uniform(0.2, 1), land)
    return sky, land, noise(rng, 1.1)


def shapes(rng):
    """Overlapping rectangles and discs: paintings, posters, toys."""
    u, v = grid()
    layers = [np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))]
    for _ in range(int(rng.integers(3, 16))):
        x, y, w, h = rng.uniform(0, 1, 4) * (1, 1, 0.4, 0.4)
        inside = (np.abs(u - x) < w) & (np.abs(v - y) < h) if rng.random() < 0.6 else np.hypot(u - x, v - y) < w
        layers[int(rng.integers(2))][inside] = rng.random()
    return layers[0], layers[1], grain(rng)


def panes(rng):
    """A facade or window grid: second colour in the panes, third colour on their frames."""
    u, v = grid()
    n, m = rng.integers(1, 5, 2)
    fu, fv = (u * n) % 1, (v * m) % 1
    w, h = rng.uniform(0.18, 0.42, 2)
    inside = (np.abs(fu - 0.5) < w) & (np.abs(fv - 0.5) < h)
    frame = (np.abs(fu - 0.5) < w + 0.05) & (np.abs(fv - 0.5) < h + 0.05) & ~inside
    cross = inside & ((np.abs(fu - 0.5) < 0.02) | (np.abs(fv - 0.5) < 0.02))
    return inside * (0.6 + 0.4 * noise(rng, 2.0)), (frame | cross).astype(float), grain(rng)


def warped(rng, field: Field, strength: float) -> Field:
    """A periodic field looked up at places moved by noise (up to about `strength` of the side)."""
    u, v = grid()
    du, dv = noise(rng, 1.9) - 0.5, noise(rng, 1.9) - 0.5
    return field[((v + dv * strength) % 1 * SIDE).astype(int), ((u + du * strength) % 1 * SIDE).astype(int)]


def fur(rng):
    """Short bent hairs with patches."""
    hairs = warped(rng, noise(rng, 0.7, 0.1), rng.uniform(0.1, 0.5))
    patches = np.clip((noise(rng, 2.0, low=2) - rng.uniform(0.4, 0.6)) * 12 + 0.5, 0, 1) * float(rng.integers(2))
    return np.clip(0.5 * noise(rng, 1.9) + 0.5 * hairs, 0, 1), patches, hairs


def leaves(rng):
    """Overlapping leaves with dark gaps."""
    u, v = grid()
    value, light, over = np.full((SIDE, SIDE), 0.0), np.full((SIDE, SIDE), 0.1), np.zeros((SIDE, SIDE))
    long, slim, turns = rng.uniform(0.03, 0.1), rng.uniform(0.25, 0.6), rng.uniform(0, 6.3)
    for k in range(int(rng.integers(60, 220))):
        x, y, angle = *rng.random(2), turns + rng.normal(0, rng.uniform(0.4, 2))
        du, dv = (u - x + 0.5) % 1 - 0.5, (v - y + 0.5) % 1 - 0.5
        p, q = (du * np.cos(angle) + dv * np.sin(angle)) / long, (dv * np.cos(angle) - du * np.sin(angle)) / (long * slim)
        inside = p * p + q * q * (1.4 - 0.6 * p) < 1
        value[inside], light[inside] = rng.random(), 0.35 + 0.3 * rng.random() + (0.2 * q[inside])
        over[inside] = (np.abs(q[inside]) < 0.08) * 0.5
    return value, over, np.clip(light, 0, 1)


def grass(rng):
    """Blades that lean, seen from the side or from above."""
    lean = warped(rng, noise(rng, 0.5, rng.uniform(4, 14)), 0.15).T
    return np.clip(0.6 * lean + 0.4 * noise(rng, 1.8), 0, 1), np.clip(noise(rng, 0.4) * 7 - 5.2, 0, 1), lean


def bark(rng):
    """Ridges along v with dark clefts."""
    ridges = warped(rng, noise(rng, 1.1, 0.12 + 0.2 * rng.random()), 0.1)
    clefts = np.clip(1 - np.abs(ridges - 0.5) * rng.uniform(8, 25), 0, 1)
    return ridges, clefts * 0.6, np.clip(1.2 * ridges - 0.1 - 0.5 * clefts, 0, 1)


def cracks(rng):
    """Dried earth, old paint, weathered rock."""
    value, edge = cells(rng, int(rng.integers(8, 40)))
    lines = np.clip(1 - warped(rng, edge, 0.12) * rng.uniform(5, 25), 0, 1)
    return np.clip(noise(rng, 1.5) + 0.3 * (warped(rng, value, 0.12) - 0.5), 0, 1), lines * rng.uniform(0.3, 1), noise(rng, 0.9)


def pebbles(rng):
    """Rounded stones with shaded rims, gravel, cobbles."""
    value, edge = cells(rng, int(rng.integers(25, 160)))
    round_ = np.sqrt(np.clip(edge * rng.uniform(0.6, 1.5), 0, 1))
    return np.clip(value * 0.8 + 0.2 * noise(rng, 1.0), 0, 1), (1 - round_) * 0.5, np.clip(0.15 + 0.7 * round_ + 0.3 * (noise(rng, 0.9) - 0.5), 0, 1)


def patches(rng):
    """Strong blurred patches over any other pattern: worn, dirty, dappled or painted surfaces."""
    field, over, fine = (plain, wood, bricks, tiles, marble, rough)[int(rng.integers(6))](rng)
    dirt = np.clip((warped(rng, noise(rng, rng.uniform(1.3, 2)), 0.2) - rng.uniform(0.45, 0.6)) * rng.uniform(3, 20), 0, 1)
    return np.clip(0.6 * field + 0.4 * noise(rng, 1.6), 0, 1), np.maximum(over, dirt * rng.uniform(0.3, 1)), np.clip(fine * 0.7 + 0.3 * noise(rng,
            1.8), 0, 1)


def weave(rng):
    """Woven or knitted cloth, baskets, netting."""
    u, v = grid()
    n, m = int(rng.integers(8, 40)), int(rng.integers(8, 40))
    across, along = np.sin(2 * np.pi * n * u), np.sin(2 * np.pi * m * v)
    over = (np.floor(u * 2 * n) + np.floor(v * 2 * m)) % 2
    relief = np.where(over > 0, np.abs(across), np.abs(along))
    return 0.7 * over + 0.3 * noise(rng, 1.5), np.clip(noise(rng, 1.4) * 8 - 6, 0, 1), np.clip(0.2 + 0.6 * relief, 0, 1)


# New families go to the end: those before keep their patterns.
PATTERNS = (plain, wood, bricks, tiles, stripes, plaid, marble, rough, stones, spots, text, scenery, shapes, panes,
            fur, leaves, grass, bark, cracks, pebbles, patches, weave)


def pyramid(field: np.ndarray) -> np.ndarray:
    """All mip levels of a field [256,256,3] in [0,1], one after the other, u8."""
    parts = []
    for _ in range(LEVELS):
        parts.append(np.round(np.clip(field, 0, 1) * 255).astype(np.uint8).ravel())
        half = max(1, field.shape[0] // 2)
        if field.shape[0] > 1:
            field = field.reshape(half, 2, half, 2, 3).mean((1, 3))
    return np.concatenate(parts)


class TextureBank:
    """`each` patterns of every family; data [T, mips] u8 of three interleaved fields."""

    def __init__(self, seed: int, each: int = 24) -> None:
        rng = np.random.default_rng([seed, 77])
        rows: list[np.ndarray] = []
        self.families: dict[str, list[int]] = {}
        for family in PATTERNS:
            self.families[family.__name__] = list(range(len(rows), len(rows) + each))
            rows.extend(pyramid(np.stack(family(rng), -1)) for _ in range(each))
        self.data = np.stack(rows)

    def surface(self, rng: np.random.Generator, families: Sequence[str], base: np.ndarray, whole: bool) -> tuple[int, np.ndarray | None]:
        """A texture for a material (whole: it fills a side once), and for a photograph the linear RGB [3] to multiply it with, else None."""
        return self.pick(rng, *families), None

    def pick(self, rng: np.random.Generator, *families: str) -> int:
        """A pattern index out of the named families."""
        return int(rng.choice(self.families[families[int(rng.integers(len(families)))]]))
