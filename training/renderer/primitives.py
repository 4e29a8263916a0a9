"""Ray intersections with unit primitives, compiled by numba.

A primitive is a unit shape in its local frame, placed by an affine transform. A ray keeps its
parameter t under that transform, so hits of differently placed primitives compare directly.
Scene arrays (P primitives): kind [P] int, inverse [P,3,3], centre [P,3], size [P,3] (metres per
local unit), radius [P] (bounding sphere), shape [P] (taper of a frustum, sphere of a pillow, row of a form in forms),
forms [F, ROWS, 8] (implicit.py).
"""

import math

from .implicit import FAR, body_normal, hit_body, hit_terrain, kernel, terrain_height

BOX = 0  # [-1,1]^3
ELLIPSOID = 1  # unit sphere
FRUSTUM = 2  # y in [-1,1], radius 1 at the bottom and `shape` at the top
CUP = 3  # frustum without its top
GABLE = 4  # triangular prism along z, apex at y = 1
PILLOW = 5  # box cut by a sphere of radius `shape`: rounded corners
ROOM = 6  # box seen from inside
BODY = 7  # blended rods in the unit sphere
TERRAIN = 8  # rolling ground in [-1,1]^3


@kernel
def clip(numerator, slope, near, far):
    """Clips the interval [near, far] to numerator + slope * t <= 0."""
    if slope > 1e-12:
        far = min(far, -numerator / slope)
    elif slope < -1e-12:
        near = max(near, -numerator / slope)
    elif numerator > 0:
        far = -FAR
    return near, far


@kernel
def sphere_interval(ox, oy, oz, dx, dy, dz, radius):
    """Interval of t inside the sphere of `radius` about the local origin."""
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    c = ox * ox + oy * oy + oz * oz - radius * radius
    disc = b * b - a * c
    if disc <= 0:
        return FAR, -FAR
    root = math.sqrt(disc)
    return (-b - root) / a, (-b + root) / a


@kernel
def hit_frustum(ox, oy, oz, dx, dy, dz, taper, open_top, least):
    """Nearest t > least on a frustum's side or caps, FAR without a hit."""
    mean, slope = (1 + taper) / 2, (taper - 1) / 2
    best = FAR
    at = mean + slope * oy
    a = dx * dx + dz * dz - slope * slope * dy * dy
    b = ox * dx + oz * dz - at * slope * dy
    c = ox * ox + oz * oz - at * at
    disc = b * b - a * c
    if disc > 0 and abs(a) > 1e-12:
        root = math.sqrt(disc)
        for sign in (-1.0, 1.0):
            t = (-b + sign * root) / a
            if least < t < best and abs(oy + t * dy) <= 1:
                best = t
    if abs(dy) > 1e-12:
        t = (-1 - oy) / dy
        if least < t < best and (ox + t * dx) ** 2 + (oz + t * dz) ** 2 <= 1:
            best = t
        t = (1 - oy) / dy
        if not open_top and least < t < best:
            if (ox + t * dx) ** 2 + (oz + t * dz) ** 2 <= taper * taper:
                best = t
    return best


@kernel
def hit_unit(kind, ox, oy, oz, dx, dy, dz, shape, least, forms):
    """Nearest t > least where a local ray meets a unit primitive, FAR without a hit."""
    if kind == BODY:
        near, far = sphere_interval(ox, oy, oz, dx, dy, dz, 1.0)
        return hit_body(forms, int(shape), ox, oy, oz, dx, dy, dz, near, far, least) if far > least else FAR
    if kind == FRUSTUM or kind == CUP:
        return hit_frustum(ox, oy, oz, dx, dy, dz, shape, kind == CUP, least)
    if kind == ELLIPSOID:
        near, far = sphere_interval(ox, oy, oz, dx, dy, dz, 1.0)
    else:
        near, far = -FAR, FAR
        near, far = clip(oz - 1, dz, near, far)
        near, far = clip(-oz - 1, -dz, near, far)
        near, far = clip(-oy - 1, -dy, near, far)
        if kind == GABLE:
            near, far = clip(ox + 0.5 * oy - 0.5, dx + 0.5 * dy, near, far)
            near, far = clip(-ox + 0.5 * oy - 0.5, -dx + 0.5 * dy, near, far)
        else:
            near, far = clip(oy - 1, dy, near, far)
            near, far = clip(ox - 1, dx, near, far)
            near, far = clip(-ox - 1, -dx, near, far)
        if kind == PILLOW:
            first, last = sphere_interval(ox, oy, oz, dx, dy, dz, shape)
            near, far = max(near, first), min(far, last)
    if near > far:
        return FAR
    if kind == TERRAIN:
        return hit_terrain(forms, int(shape), ox, oy, oz, dx, dy, dz, near, far, least) if far > least else FAR
    if kind == ROOM:
        return far if far > least else FAR
    return near if near > least else FAR


@kernel
def box_normal(x, y, z):
    """Outward normal of the unit box at a point of its surface."""
    ax, ay, az = abs(x), abs(y), abs(z)
    if ax >= ay and ax >= az:
        return (1.0 if x > 0 else -1.0), 0.0, 0.0
    if ay >= az:
        return 0.0, (1.0 if y > 0 else -1.0), 0.0
    return 0.0, 0.0, (1.0 if z > 0 else -1.0)


@kernel
def unit_normal(kind, x, y, z, shape, forms):
    """Outward local normal (not of unit length) at a local surface point."""
    if kind == ELLIPSOID:
        return x, y, z
    if kind == BODY:
        return body_normal(forms, int(shape), x, y, z)
    if kind == TERRAIN:
        _, across, along = terrain_height(forms, int(shape), x, z)
        return -across, 1.0, -along
    if kind == FRUSTUM or kind == CUP:
        slope = (shape - 1) / 2
        radius = (1 + shape) / 2 + slope * y
        flat = math.sqrt(x * x + z * z)
        # A cap point lies inside the side by more than the rounding of the hit.
        if flat < radius - 1e-6 and abs(y) > 1 - 1e-6:
            return 0.0, (1.0 if y > 0 else -1.0), 0.0
        return x, -slope * max(flat, 1e-9), z
    if kind == GABLE:
        right, left = x + 0.5 * y - 0.5, -x + 0.5 * y - 0.5
        best = max(max(right, left), max(abs(z) - 1, -y - 1))
        if best == right:
            return 1.0, 0.5, 0.0
        if best == left:
            return -1.0, 0.5, 0.0
        if best == -y - 1:
            return 0.0, -1.0, 0.0
        return 0.0, 0.0, (1.0 if z > 0 else -1.0)
    if kind == PILLOW and x * x + y * y + z * z > shape * shape - 1e-6:
        return x, y, z
    return box_normal(x, y, z)


@kernel
def to_local(inverse, centre, index, x, y, z):
    """World point in the local frame of primitive `index`."""
    x, y, z = x - centre[index, 0], y - centre[index, 1], z - centre[index, 2]
    return (
        inverse[index, 0, 0] * x + inverse[index, 0, 1] * y + inverse[index, 0, 2] * z,
        inverse[index, 1, 0] * x + inverse[index, 1, 1] * y + inverse[index, 1, 2] * z,
        inverse[index, 2, 0] * x + inverse[index, 2, 1] * y + inverse[index, 2, 2] * z,
    )


@kernel
def turn(inverse, index, x, y, z):
    """World direction in the local frame of primitive `index` (keeps t)."""
    return (
        inverse[index, 0, 0] * x + inverse[index, 0, 1] * y + inverse[index, 0, 2] * z,
        inverse[index, 1, 0] * x + inverse[index, 1, 1] * y + inverse[index, 1, 2] * z,
        inverse[index, 2, 0] * x + inverse[index, 2, 1] * y + inverse[index, 2, 2] * z,
    )


@kernel
def nearest(scene, some, count, ox, oy, oz, dx, dy, dz, least, most, any_hit):
    """Nearest hit among primitives some[:count]: (t, index), index -1 without one; the first
    hit found with any_hit.

    scene is the tuple (kind, inverse, centre, size, radius, shape, forms); direction of any length.
    """
    kind, inverse, centre, _, radius, shape, forms = scene
    best, found = most, -1
    length = dx * dx + dy * dy + dz * dz
    norm = math.sqrt(length)
    for k in range(count):
        i = some[k]
        r = radius[i]
        cx, cy, cz = centre[i, 0] - ox, centre[i, 1] - oy, centre[i, 2] - oz
        gap = cx * cx + cy * cy + cz * cz - r * r
        if gap > 0:
            along = cx * dx + cy * dy + cz * dz
            if along < 0 or along * along < gap * length or along > best * length + r * norm:
                continue
        lx, ly, lz = to_local(inverse, centre, i, ox, oy, oz)
        ex, ey, ez = turn(inverse, i, dx, dy, dz)
        t = hit_unit(kind[i], lx, ly, lz, ex, ey, ez, shape[i], least, forms)
        if t < best:
            best, found = t, i
            if any_hit:
                return best, found
    return best, found


@kernel
def world_normal(scene, index, x, y, z, dx, dy, dz):
    """Unit world normal of primitive `index` at a world point, turned against the ray,
    then the local point and the local outward normal (for materials)."""
    kind, inverse, centre, _, _, shape, forms = scene
    lx, ly, lz = to_local(inverse, centre, index, x, y, z)
    ux, uy, uz = unit_normal(kind[index], lx, ly, lz, shape[index], forms)
    nx = inverse[index, 0, 0] * ux + inverse[index, 1, 0] * uy + inverse[index, 2, 0] * uz
    ny = inverse[index, 0, 1] * ux + inverse[index, 1, 1] * uy + inverse[index, 2, 1] * uz
    nz = inverse[index, 0, 2] * ux + inverse[index, 1, 2] * uy + inverse[index, 2, 2] * uz
    scale = 1 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-20)
    if nx * dx + ny * dy + nz * dz > 0:
        scale = -scale
    return nx * scale, ny * scale, nz * scale, lx, ly, lz, ux, uy, uz
