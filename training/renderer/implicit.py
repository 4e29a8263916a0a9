"""Shapes given by a function instead of an equation: blended limbs and rolling ground, met by marching along the ray.

A form is a table [ROWS, 8]. Row 0: number of parts, blend radius, bump height, bumps a unit, phase of the bumps.
BODY parts: round-ended rods (ax, ay, az, ra, bx, by, bz, rb) inside the unit sphere, joined smoothly.
TERRAIN parts: waves (kx, kz, phase, height, ridged) whose sum is the height y(x, z) inside the unit box.
"""

import math

from numba import njit

FAR = 1e9
ROWS = 26
BODY_STEPS, TERRAIN_STEPS = 40, 56
NEAR_ENOUGH = 1.2e-3  # of the unit sphere

kernel = njit(fastmath=True, error_model="numpy")


@kernel
def body_distance(forms, f, x, y, z):
    """About the distance from a local point to the blended rods of form f, negative inside."""
    blend, best = forms[f, 0, 1], FAR
    for k in range(1, int(forms[f, 0, 0]) + 1):
        px, py, pz = x - forms[f, k, 0], y - forms[f, k, 1], z - forms[f, k, 2]
        bx, by, bz = forms[f, k, 4] - forms[f, k, 0], forms[f, k, 5] - forms[f, k, 1], forms[f, k, 6] - forms[f, k, 2]
        along = (px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + 1e-12)
        along = min(1.0, max(0.0, along))
        qx, qy, qz = px - along * bx, py - along * by, pz - along * bz
        gap = math.sqrt(qx * qx + qy * qy + qz * qz) - forms[f, k, 3] - (forms[f, k, 7] - forms[f, k, 3]) * along
        mix = max(blend - abs(best - gap), 0.0)
        best = min(best, gap) - mix * mix / (4 * blend + 1e-9)
    height = forms[f, 0, 2]
    if height > 0:
        rate, phase = forms[f, 0, 3], forms[f, 0, 4]
        u, v, w = rate * x + phase, rate * y + 2 * phase, rate * z + 3 * phase
        fine = math.sin(2.3 * v + w) * math.sin(2.3 * w + u) * math.sin(2.3 * u + v)
        best += height * (math.sin(u + 0.5 * w) * math.sin(v + 0.5 * u) * math.sin(w + 0.5 * v) + 0.4 * fine)
    return best


@kernel
def hit_body(forms, f, ox, oy, oz, dx, dy, dz, near, far, least):
    """Nearest t > least in [near, far] on the blended rods, FAR without a hit."""
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    care = 0.6 if forms[f, 0, 2] > 0 else 0.95
    t, last = max(near, least), 0.0
    for step in range(BODY_STEPS):
        gap = body_distance(forms, f, ox + t * dx, oy + t * dy, oz + t * dz)
        # A ray that leaves the surface (shadow rays do) starts near it and moves away.
        if gap < NEAR_ENOUGH and step > 0 and gap < last:
            t += gap / length
            return t if t > least else FAR
        last = gap
        t += max(gap * care, 0.5 * NEAR_ENOUGH) / length
        if t > far:
            return FAR
    return FAR


@kernel
def body_normal(forms, f, x, y, z):
    """Outward direction at a local surface point: the gradient of the distance."""
    h = 2e-3
    a = body_distance(forms, f, x + h, y - h, z - h)
    b = body_distance(forms, f, x - h, y - h, z + h)
    c = body_distance(forms, f, x - h, y + h, z - h)
    d = body_distance(forms, f, x + h, y + h, z + h)
    return a - b - c + d, -a - b + c + d, -a + b - c + d


@kernel
def terrain_height(forms, f, x, z):
    """Height of form f at (x, z) and its two slopes."""
    high, across, along = 0.0, 0.0, 0.0
    for k in range(1, int(forms[f, 0, 0]) + 1):
        angle = forms[f, k, 0] * x + forms[f, k, 1] * z + forms[f, k, 2]
        wave, slope, size = math.sin(angle), math.cos(angle), forms[f, k, 3]
        if forms[f, k, 4] > 0:  # crests instead of swells
            slope = -slope if wave > 0 else slope
            wave = 1 - 2 * abs(wave)
            slope *= 2
        high += size * wave
        across += size * slope * forms[f, k, 0]
        along += size * slope * forms[f, k, 1]
    return high, across, along


@kernel
def hit_terrain(forms, f, ox, oy, oz, dx, dy, dz, near, far, least):
    """Nearest t > least in [near, far] where the ray goes below the ground, FAR without a hit."""
    rise = abs(dy) + 1e-9
    for k in range(1, int(forms[f, 0, 0]) + 1):
        steep = 2.0 if forms[f, k, 4] > 0 else 1.0
        rise += steep * forms[f, k, 3] * abs(forms[f, k, 0] * dx + forms[f, k, 1] * dz)
    t, last = max(near, least), 0.0
    for step in range(TERRAIN_STEPS):
        high, _, _ = terrain_height(forms, f, ox + t * dx, oz + t * dz)
        gap = oy + t * dy - high
        if gap < 4e-4 and step > 0 and gap < last:
            return t
        last = gap
        t += max(gap, 2e-4) / rise * 1.6 + 1e-4 * t
        if t > far:
            return FAR
    return FAR
