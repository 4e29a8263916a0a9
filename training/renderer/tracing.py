"""Renders a scene: hit, visibility, material and light of every pixel, compiled by numba."""

import math

import numpy as np

from .primitives import BODY, BOX, CUP, ELLIPSOID, FAR, FRUSTUM, ROOM, TERRAIN, kernel, nearest, world_normal

# Columns of the material table [M, 24].
TEXTURE, FIT, SCALE_U, SCALE_V, SHIFT_U, SHIFT_V = 0, 1, 2, 3, 4, 5
COLOUR = 6  # three linear colours, 9 columns
SPECULAR, GLOSS, EMISSION, MIRROR, SHADOWLESS, SWAP, GRAIN = 15, 16, 17, 18, 19, 20, 21
PHOTOGRAPH = 22  # the texture holds square roots of linear RGB, times the first colour
MATERIAL_COLUMNS = 24
# Columns of the light table [L, 16]: place, half axes u and v, colour, then flags.
PLACE, AXIS_U, AXIS_V, LIGHT_COLOUR, SUN, PORTAL = 0, 3, 6, 9, 12, 13
LIGHT_COLUMNS = 16
TILE = 8


@kernel
def fetch(bank, texture, level, u, v):
    """Bilinear lookup of the three fields of a pattern at u, v (in tiles), mip `level`."""
    start, side = 0, 256
    for _ in range(level):
        start += side * side * 3
        side //= 2
    x, y = u * side - 0.5, v * side - 0.5
    x0, y0 = int(math.floor(x)), int(math.floor(y))
    fx, fy = x - x0, y - y0
    a, b = (x0 & (side - 1)) * 3, ((x0 + 1) & (side - 1)) * 3
    low, high = start + (y0 & (side - 1)) * side * 3, start + ((y0 + 1) & (side - 1)) * side * 3
    p, q = (1 - fx) * (1 - fy) / 255, fx * (1 - fy) / 255
    r, s = (1 - fx) * fy / 255, fx * fy / 255
    return (
        bank[texture, low + a] * p + bank[texture, low + b] * q + bank[texture, high + a] * r + bank[texture, high + b] * s,
        bank[texture, low + a + 1] * p + bank[texture, low + b + 1] * q + bank[texture, high + a + 1] * r + bank[texture, high + b + 1] * s,
        bank[texture, low + a + 2] * p + bank[texture, low + b + 2] * q + bank[texture, high + a + 2] * r + bank[texture, high + b + 2] * s,
    )


@kernel
def albedo(bank, materials, m, kind, sizes, i, lx, ly, lz, ux, uy, uz, footprint):
    """Linear RGB of material m at a local point with local normal; footprint in metres."""
    ax, ay, az = abs(ux), abs(uy), abs(uz)
    wide, tall = sizes[i, 0], sizes[i, 1]
    if (kind == ELLIPSOID or kind == FRUSTUM or kind == CUP or kind == BODY) and not (ay > 0.99 and ax + az < 1e-6):
        p, q = math.atan2(lz, lx) / math.pi, ly
        wide = 3.14 * 0.5 * (sizes[i, 0] + sizes[i, 2])
    elif kind == TERRAIN or (ay >= ax and ay >= az):
        p, q, tall = lx, lz, sizes[i, 2]
    elif ax >= az:
        p, q, wide = lz, ly, sizes[i, 2]
    else:
        p, q = lx, ly
    if materials[m, FIT] > 0:
        u, v = (p + 1) / 2 * materials[m, SCALE_U], (q + 1) / 2 * materials[m, SCALE_V]
        tile = 2 * min(wide / materials[m, SCALE_U], tall / materials[m, SCALE_V])
    else:
        u, v = p * wide / materials[m, SCALE_U], q * tall / materials[m, SCALE_V]
        tile = min(materials[m, SCALE_U], materials[m, SCALE_V])
    u, v = u + materials[m, SHIFT_U], v + materials[m, SHIFT_V]
    if materials[m, SWAP] > 0:
        u, v = v, u
    texels = footprint / max(tile, 1e-6) * 256
    level = min(8, max(0, int(math.log(max(texels, 1.0)) * 1.4427 + 0.5)))
    index = int(materials[m, TEXTURE])
    mix, over, light = fetch(bank, index, level, u, v)
    if materials[m, PHOTOGRAPH] > 0:
        return min(0.95, mix * mix * materials[m, 6]), min(0.95, over * over * materials[m, 7]), min(0.95, light * light * materials[m, 8])
    light = 1 + (light - 0.5) * materials[m, GRAIN]
    r = ((materials[m, 6] * (1 - mix) + materials[m, 9] * mix) * (1 - over) + materials[m, 12] * over) * light
    g = ((materials[m, 7] * (1 - mix) + materials[m, 10] * mix) * (1 - over) + materials[m, 13] * over) * light
    b = ((materials[m, 8] * (1 - mix) + materials[m, 11] * mix) * (1 - over) + materials[m, 14] * over) * light
    return r, g, b


@kernel
def sky_colour(bank, sky, dx, dy, dz):
    """Sky radiance along a direction. sky [12]: zenith, horizon, cloud colour, cloud
    amount, cloud pattern, cloud scale."""
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    up = max(dy / length, 0.0)
    blend = math.sqrt(up)
    r = sky[3] + (sky[0] - sky[3]) * blend
    g = sky[4] + (sky[1] - sky[4]) * blend
    b = sky[5] + (sky[2] - sky[5]) * blend
    if sky[9] > 0:
        u, v = dx / length / (up + 0.15) * sky[11], dz / length / (up + 0.15) * sky[11]
        cloud = max(0.0, fetch(bank, int(sky[10]), 1, u, v)[0] - 0.5 + sky[9] * 0.5)
        cloud = min(1.0, cloud * 2.5 * min(1.0, up * 6))
        r, g, b = r + (sky[6] - r) * cloud, g + (sky[7] - g) * cloud, b + (sky[8] - b) * cloud
    return r, g, b


@kernel
def light_ray(lights, k, x, y, z, r1, r2):
    """Direction to a random point of a light (unit), its distance, and its falloff."""
    a, b = r1 * 2 - 1, r2 * 2 - 1
    lx = lights[k, 0] + lights[k, 3] * a + lights[k, 6] * b
    ly = lights[k, 1] + lights[k, 4] * a + lights[k, 7] * b
    lz = lights[k, 2] + lights[k, 5] * a + lights[k, 8] * b
    if lights[k, SUN] > 0:
        length = math.sqrt(lx * lx + ly * ly + lz * lz)
        return lx / length, ly / length, lz / length, FAR / 2, 1.0
    lx, ly, lz = lx - x, ly - y, lz - z
    length = math.sqrt(lx * lx + ly * ly + lz * lz) + 1e-6
    return lx / length, ly / length, lz / length, length, 1 / (length * length + 0.05)


@kernel
def visible(scene, blockers, blocker_count, portals, lights, k, x, y, z, r1, r2):
    """1 where a random point of a light is seen from the point, else 0. Sunlight in a room
    must come through a portal (a window)."""
    dx, dy, dz, far, _ = light_ray(lights, k, x, y, z, r1, r2)
    if lights[k, PORTAL] > 0:
        far, through = nearest(scene, portals, portals.shape[0], x, y, z, dx, dy, dz, 1e-4, FAR, False)
        if through < 0:
            return 0.0
    _, hit = nearest(scene, blockers, blocker_count, x, y, z, dx, dy, dz, 1e-4, far, True)
    return 0.0 if hit >= 0 else 1.0


@kernel
def openness(scene, every, count, reach, x, y, z, nx, ny, nz, r1, r2):
    """Share of the surroundings that is open along one cosine-weighted random ray."""
    phi, rise = 2 * math.pi * r1, 2 * r2 - 1
    flat = math.sqrt(max(0.0, 1 - rise * rise))
    dx, dy, dz = nx + flat * math.cos(phi), ny + rise, nz + flat * math.sin(phi)
    length = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
    t, hit = nearest(scene, every, count, x, y, z, dx / length, dy / length, dz / length, 1e-4, reach, False)
    return 1.0 if hit < 0 else math.sqrt(t / reach)


@kernel
def tile_lists(scene, rays, height, width):
    """Primitives that may show in each tile: lists [tiles, P] and their lengths [tiles]."""
    centre, radius = scene[2], scene[4]
    total = radius.shape[0]
    rows, cols = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    lists, lengths = np.zeros((rows * cols, total), np.int64), np.zeros(rows * cols, np.int64)
    for tile in range(rows * cols):
        y0, x0 = tile // cols * TILE, tile % cols * TILE
        y1, x1 = min(y0 + TILE, height) - 1, min(x0 + TILE, width) - 1
        axis = rays[(y0 + y1) // 2, (x0 + x1) // 2]
        norm = math.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
        spread = 0.0
        for corner in range(4):
            ray = rays[y1 if corner & 1 else y0, x1 if corner & 2 else x0]
            dot = (ray[0] * axis[0] + ray[1] * axis[1] + ray[2] * axis[2]) / norm
            dot /= math.sqrt(ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2)
            spread = max(spread, math.acos(min(1.0, dot)))
        for i in range(total):
            far = math.sqrt(centre[i, 0] ** 2 + centre[i, 1] ** 2 + centre[i, 2] ** 2)
            if far > radius[i]:
                dot = (centre[i, 0] * axis[0] + centre[i, 1] * axis[1] + centre[i, 2] * axis[2]) / norm / far
                if math.acos(max(-1.0, min(1.0, dot))) > spread * 1.15 + math.asin(radius[i] / far):
                    continue
            lists[tile, lengths[tile]] = i
            lengths[tile] += 1
    return lists, lengths


@kernel
def surface(scene, faces, materials, bank, i, t, dx, dy, dz, pixel):
    """Point, normal, face material and albedo of a hit at t on a ray from the origin."""
    x, y, z = t * dx, t * dy, t * dz
    nx, ny, nz, lx, ly, lz, ux, uy, uz = world_normal(scene, i, x, y, z, dx, dy, dz)
    face = 0
    if scene[0][i] == BOX or scene[0][i] == ROOM:
        face = 1 if uy > 0.5 else (2 if uy < -0.5 else 0)
    material = faces[i, face]
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    cosine = abs(nx * dx + ny * dy + nz * dz) / length
    footprint = t * pixel / math.sqrt(max(cosine, 0.05))
    r, g, b = albedo(bank, materials, material, scene[0][i], scene[3], i, lx, ly, lz, ux, uy, uz, footprint)
    return nx, ny, nz, material, r, g, b


@kernel
def shade(materials, m, lights, ambient, light, v, u, r, g, b, x, y, z, nx, ny, nz, dx, dy, dz):
    """Radiance of material m toward the camera, lit by light[v, u]: ambient light by openness, diffuse and Blinn highlights."""
    open_ = light[v, u, lights.shape[0]]
    rise = 0.5 + 0.5 * ny
    er = (ambient[3] + (ambient[0] - ambient[3]) * rise) * open_
    eg = (ambient[4] + (ambient[1] - ambient[4]) * rise) * open_
    eb = (ambient[5] + (ambient[2] - ambient[5]) * rise) * open_
    sr, sg, sb = 0.0, 0.0, 0.0
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    for k in range(lights.shape[0]):
        lx, ly, lz, _, fall = light_ray(lights, k, x, y, z, 0.5, 0.5)
        lambert = (nx * lx + ny * ly + nz * lz) * fall * light[v, u, k]
        if lambert <= 0:
            continue
        er, eg, eb = er + lights[k, 9] * lambert, eg + lights[k, 10] * lambert, eb + lights[k, 11] * lambert
        if materials[m, SPECULAR] > 0:
            hx, hy, hz = lx - dx / length, ly - dy / length, lz - dz / length
            norm = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
            gloss = max(0.0, (nx * hx + ny * hy + nz * hz) / norm) ** materials[m, GLOSS]
            gloss *= materials[m, SPECULAR] * fall * light[v, u, k]
            sr, sg, sb = sr + lights[k, 9] * gloss, sg + lights[k, 10] * gloss, sb + lights[k, 11] * gloss
    glow = materials[m, EMISSION]
    return r * (er + glow) + sr, g * (eg + glow) + sg, b * (eb + glow) + sb
