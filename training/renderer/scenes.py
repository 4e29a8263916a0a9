"""One scene from a seed: layout, frame, and the photograph of it."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .builder import SceneBuilder
from .closeups import portrait, tabletop
from .frame import NOISE, trace_frame
from .outdoor import outdoor
from .rooms import room
from .textures import TextureBank
from .wide import compose_wide

KINDS = ("room", "tabletop", "outdoor")
ROOMS, TABLETOPS = 0.64, 0.20  # then portraits up to 0.90 (stored as tabletop), the rest outdoors
SAMPLES = np.array([[[-0.25, -0.25], [0.25, -0.25]], [[0.25, 0.25], [-0.25, 0.25]]])  # [S, parity, xy]


@dataclass
class Scene:
    """rgb u8 [H,W,3]; depth f32 [H,W] planar metres, 0 = sky; normals f32 [H,W,3] unit, x right,
    y up, z toward the viewer; mask u8 [H,W]; kind index into KINDS."""

    rgb: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    mask: np.ndarray
    kind: int


def compose(b: SceneBuilder) -> int:
    """Draws a layout into the builder and returns its kind."""
    draw = b.rng.random()
    if draw < ROOMS:
        room(b)
        return 0
    if draw < 0.90:
        tabletop(b) if draw < ROOMS + TABLETOPS else portrait(b)
        return 1
    outdoor(b)
    return 2


def photograph(rng: np.random.Generator, linear: np.ndarray) -> np.ndarray:
    """Exposure, white balance, blur, vignette, tone curve and noise: linear [H,W,3] to u8."""
    image = np.maximum(linear, 0)
    level = np.exp(np.log(image.mean(2) + 1e-3).mean())
    image = image * (0.24 / level) * np.exp(rng.normal(0, 0.3))
    warmth, tint = rng.normal(0, 0.1), rng.normal(0, 0.04)
    image = image * np.exp([warmth, tint, -warmth])
    if rng.random() < 0.5:
        side = rng.uniform(0.02, 0.18)
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
        across = padded[:, :-2] * side + padded[:, 1:-1] * (1 - 2 * side) + padded[:, 2:] * side
        image = across[:-2] * side + across[1:-1] * (1 - 2 * side) + across[2:] * side
    height, width = image.shape[:2]
    y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
    image = image / (1 + rng.uniform(0, 0.3) * (x * x + y * y))[..., None]
    shoulder = rng.uniform(2, 8)  # highlights roll off below this linear level
    image = image * (1 + image / shoulder**2) / (1 + image * rng.uniform(0.1, 0.5))
    grey = image.mean(2, keepdims=True)
    image = grey + (image - grey) * (0.0 if rng.random() < 0.03 else rng.uniform(0.85, 1.35))
    noise = rng.standard_normal(image.shape) * rng.uniform(0, 0.012)
    image = np.clip(image, 0, 1) ** (1 / rng.uniform(1.9, 2.5)) + noise
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def blurred(image: np.ndarray, radius: float) -> np.ndarray:
    """Three box blurs one after the other, of about `radius` pixels; linear [H,W,3]."""
    side = max(1, int(round(radius)))
    for axis in (0, 1):
        for _ in range(2):
            pad = [(0, 0)] * 3
            pad[axis] = (side + 1, side)
            total = np.cumsum(np.pad(image, pad, mode="edge"), axis)
            length = image.shape[axis]
            image = (np.take(total, np.arange(2 * side + 1, length + 2 * side + 1), axis) - np.take(total, np.arange(length), axis)) / (2 * side + 1)
    return image


def focused(rng: np.random.Generator, image: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """A lens with a wide aperture, focused on what is near: the rest is blurred by its depth. Linear [H,W,3]."""
    width = depth.shape[1]
    near = np.percentile(depth[depth > 0], 15) if (depth > 0).any() else 5.0
    aperture = rng.uniform(1, 8) * width / 192 * min(1.0, 1.5 / near)
    spread = aperture * np.abs(1 - near / np.where(depth > 0, depth, 1e6))
    spread = np.minimum(blurred(np.repeat(spread[..., None], 3, 2), 1)[..., 0], 7)
    result = image.copy()
    for low, high in ((0.6, 1.5), (1.5, 3), (3, 6)):
        share = np.clip((spread - low) / (high - low), 0, 1)[..., None]
        result = result * (1 - share) + blurred(image, high * 0.7) * share
    return result


def graded(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Stronger contrast and colour, as cameras make them, u8 [H,W,3]."""
    x = image / 255.0
    share = rng.uniform(0, 0.9)
    x = x * (1 - share) + x * x * (3 - 2 * x) * share
    grey = x.mean(2, keepdims=True)
    return np.round(np.clip(grey + (x - grey) * rng.uniform(0.9, 1.4), 0, 1) * 255).astype(np.uint8)


def compressed(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A JPEG file and back, u8 [H,W,3]."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(rng.uniform(35, 95)))
    return np.array(Image.open(file))


def render_scene(seed: int, index: int, bank: TextureBank, height: int, width: int, wide: float = 0.0) -> Scene:
    """Scene `index` of a seed; depends on nothing else than these and the texture bank.

    wide: share of scenes of the wide mixture (wide.py), which are also photographed with wider apertures and as JPEG files.
    """
    rng = np.random.default_rng([seed, index])
    chosen = wide > 0 and rng.random() < wide
    for _ in range(4):
        b = SceneBuilder(rng, bank)
        kind = compose_wide(b) if chosen else compose(b)
        scene, faces = b.arrays()
        photo = b.photo
        span = np.tan(np.radians(photo.fov) / 2)
        step = 2 * span / width
        x = (np.arange(width) + 0.5 - width / 2) * step
        y = (height / 2 - np.arange(height) - 0.5) * step
        rays = np.stack([np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width)), -np.ones((height, width))], -1)
        offsets = np.zeros((2, 2, 3))
        offsets[..., :2] = SAMPLES * step
        random = rng.random((height, width, NOISE))
        lights = np.array(b.lights).reshape(-1, 16)
        rgb, depth, normals = trace_frame(
            scene, faces, np.array(b.materials), lights, photo.ambient, photo.sky, photo.fog, photo.reach, bank.data,
            np.ascontiguousarray(rays @ photo.turn.T), step, random, np.ascontiguousarray(offsets @ photo.turn.T))
        mask = depth > 0
        # A frame that something right before the lens fills teaches nothing.
        if (depth[mask] < 0.18).mean() < 0.15 and mask.mean() > 0.25:
            break
    if chosen and rng.random() < 0.4:
        rgb = focused(rng, rgb, depth)
    image = photograph(rng, rgb)
    image = graded(rng, image) if wide > 0 and rng.random() < 0.6 else image
    image = compressed(rng, image) if wide > 0 and rng.random() < 0.3 else image
    return Scene(image, depth.astype(np.float32), (normals @ photo.turn).astype(np.float32), mask.astype(np.uint8), kind)
