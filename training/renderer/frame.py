"""The frame loop: depth, normals, softened visibility and colour of every pixel."""

import math

import numpy as np

from .primitives import FAR, ROOM, kernel, nearest, world_normal
from .tracing import MIRROR, PORTAL, SHADOWLESS, SUN, TILE, openness, shade, sky_colour, surface, tile_lists, visible

NOISE = 10  # random numbers a pixel: two for each of 3 lights, two for each of 2 openness rays
OPEN_RAYS = 2


@kernel
def near_lists(scene, blocks, lights, reach, rays, depth):
    """Primitives that may shade each tile: lists [tiles + 1, L + 1, P] and lengths.

    Row k of a tile holds what may stand before light k, the last row what lies within reach.
    The last tile holds everything, for points outside the tile's own surfaces.
    """
    centre, radius = scene[2], scene[4]
    height, width = depth.shape
    columns, total, count = (width + TILE - 1) // TILE, radius.shape[0], lights.shape[0]
    tiles = (height + TILE - 1) // TILE * columns
    lists = np.zeros((tiles + 1, count + 1, total), np.int64)
    lengths = np.zeros((tiles + 1, count + 1), np.int64)
    for tile in range(tiles + 1):
        low, high = np.full(3, FAR), np.full(3, -FAR)
        if tile < tiles:
            top, left = tile // columns * TILE, tile % columns * TILE
            for y in range(top, min(top + TILE, height)):
                for x in range(left, min(left + TILE, width)):
                    if depth[y, x] > 0:
                        for c in range(3):
                            low[c] = min(low[c], rays[y, x, c] * depth[y, x])
                            high[c] = max(high[c], rays[y, x, c] * depth[y, x])
            if low[0] > high[0]:
                continue
        mx, my, mz = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2
        extent = math.sqrt((high[0] - low[0]) ** 2 + (high[1] - low[1]) ** 2 + (high[2] - low[2]) ** 2) / 2 + 0.01
        extent += 1e-3 * (abs(mx) + abs(my) + abs(mz))
        for k in range(count + 1):
            ax, ay, az, wide = 0.0, 0.0, 0.0, reach
            if k < count:
                ax, ay, az = lights[k, 0], lights[k, 1], lights[k, 2]
                wide = math.sqrt(lights[k, 3] ** 2 + lights[k, 4] ** 2 + lights[k, 5] ** 2) + math.sqrt(lights[k, 6] ** 2 + lights[k,
                        7] ** 2 + lights[k, 8] ** 2)
                if lights[k, SUN] == 0:
                    ax, ay, az = ax - mx, ay - my, az - mz
            square = ax * ax + ay * ay + az * az + 1e-12
            for i in range(total):
                if k < count and not blocks[i]:
                    continue
                if tile < tiles:
                    cx, cy, cz = centre[i, 0] - mx, centre[i, 1] - my, centre[i, 2] - mz
                    along = max(0.0, (cx * ax + cy * ay + cz * az) / square)
                    if k == count or lights[k, SUN] == 0:
                        along = min(1.0, along)
                    gap = math.sqrt((cx - along * ax) ** 2 + (cy - along * ay) ** 2 + (cz - along * az) ** 2)
                    # A shadow cone is as wide as the tile at one end and as the light at the other.
                    cone = extent + wide * (along if k < count and lights[k, SUN] > 0 else 1.0)
                    if gap > radius[i] * (1.0 if k == count or lights[k, SUN] == 0 else 1.05) + cone:
                        continue
                lists[tile, k, lengths[tile, k]] = i
                lengths[tile, k] += 1
    return lists, lengths


@kernel
def light_point(scene, near, counts, tile, portals, lights, reach, random, v, u, x, y, z, nx, ny, nz, out, row, col):
    """Writes visibility of each light, then openness, of a point and normal to out[row, col],
    with the random numbers of pixel (v, u)."""
    lift = 1e-4 + 2e-4 * math.sqrt(x * x + y * y + z * z)
    x, y, z = x + nx * lift, y + ny * lift, z + nz * lift
    count = lights.shape[0]
    for k in range(count):
        out[row, col, k] = visible(scene, near[tile, k], counts[tile, k], portals, lights, k, x, y, z, random[v, u, 2 * k], random[v, u,
                2 * k + 1])
    total = 0.0
    for k in range(OPEN_RAYS):
        total += openness(scene, near[tile, count], counts[tile, count], reach, x, y, z, nx, ny, nz, random[v, u, 6 + 2 * k], random[v, u,
                7 + 2 * k])
    out[row, col, count] = total / OPEN_RAYS


@kernel
def soften(raw, ids, normals):
    """Mean of visibility [H,W,C] over 5x5 neighbours on the same primitive and face."""
    height, width, channels = raw.shape
    out = np.zeros_like(raw)
    for y in range(height):
        for x in range(width):
            if ids[y, x] < 0:
                continue
            weight = 0.0
            for v in range(max(0, y - 2), min(height, y + 3)):
                for u in range(max(0, x - 2), min(width, x + 3)):
                    if ids[v, u] != ids[y, x]:
                        continue
                    if normals[v, u, 0] * normals[y, x, 0] + normals[v, u, 1] * normals[y, x, 1] + normals[v, u, 2] * normals[y, x,
                            2] < 0.9:
                        continue
                    weight += 1
                    for c in range(channels):
                        out[y, x, c] += raw[v, u, c]
            for c in range(channels):
                out[y, x, c] /= weight
    return out


@kernel
def trace_frame(scene, faces, materials, lights, ambient, sky, fog, reach, bank, rays, pixel, random, offsets):
    """Linear colour, depth and world normals of a frame seen from the origin.

    rays [H,W,3]: centre rays with unit forward part, so t is planar depth. offsets [S,2,3]: ray
    differences of the colour samples of even and odd pixels. Returns rgb [H,W,3], depth [H,W]
    (0 = sky) and normals [H,W,3].
    """
    height, width = rays.shape[0], rays.shape[1]
    total, count = scene[0].shape[0], lights.shape[0]
    every = np.arange(total)
    blocks, opens = np.zeros(total, np.bool_), np.zeros(total, np.bool_)
    for i in range(total):
        opens[i] = materials[faces[i, 0], SHADOWLESS] == 2
        blocks[i] = scene[0][i] != ROOM and materials[faces[i, 0], SHADOWLESS] == 0
    portals = every[opens]
    lists, lengths = tile_lists(scene, rays, height, width)
    columns = (width + TILE - 1) // TILE

    ids, depth = np.full((height, width), -1, np.int64), np.zeros((height, width))
    normals, raw = np.zeros((height, width, 3)), np.zeros((height, width, count + 1))
    for y in range(height):
        for x in range(width):
            tile = y // TILE * columns + x // TILE
            dx, dy, dz = rays[y, x, 0], rays[y, x, 1], rays[y, x, 2]
            t, i = nearest(scene, lists[tile], lengths[tile], 0.0, 0.0, 0.0, dx, dy, dz, 1e-3, FAR, False)
            ids[y, x] = i
            if i < 0:
                continue
            depth[y, x] = t
            nx, ny, nz, _, _, _, _, _, _ = world_normal(scene, i, t * dx, t * dy, t * dz, dx, dy, dz)
            normals[y, x, 0], normals[y, x, 1], normals[y, x, 2] = nx, ny, nz
    near, counts = near_lists(scene, blocks, lights, reach, rays, depth)
    for y in range(height):
        for x in range(width):
            if ids[y, x] >= 0:
                tile, t = y // TILE * columns + x // TILE, depth[y, x]
                light_point(scene, near, counts, tile, portals, lights, reach, random, y, x, t * rays[y, x, 0], t * rays[y, x, 1],
                        t * rays[y, x, 2],
                            normals[y, x, 0], normals[y, x, 1], normals[y, x, 2], raw, y, x)
    soft = soften(raw, ids, normals)

    rgb, own = np.zeros((height, width, 3)), np.zeros((2, 1, count + 1))
    for k in range(count):
        own[1, 0, k] = 0.7 if lights[k, PORTAL] == 0 else 0.0
    own[1, 0, count] = 0.8
    samples = offsets.shape[0]
    for y in range(height):
        for x in range(width):
            tile = y // TILE * columns + x // TILE
            for s in range(samples):
                parity = (x + y) & 1
                dx = rays[y, x, 0] + offsets[s, parity, 0]
                dy = rays[y, x, 1] + offsets[s, parity, 1]
                dz = rays[y, x, 2] + offsets[s, parity, 2]
                t, i = nearest(scene, lists[tile], lengths[tile], 0.0, 0.0, 0.0, dx, dy, dz, 1e-3, FAR, False)
                if i < 0:
                    r, g, b = sky_colour(bank, sky, dx, dy, dz)
                    t = FAR
                else:
                    nx, ny, nz, m, r, g, b = surface(scene, faces, materials, bank, i, t, dx, dy, dz, pixel)
                    px, py, pz = t * dx, t * dy, t * dz
                    v, u = same_surface(ids, y, x, i)
                    if v >= 0:
                        r, g, b = shade(materials, m, lights, ambient, soft, v, u, r, g, b, px, py, pz, nx, ny, nz, dx, dy, dz)
                    else:
                        light_point(scene, near, counts, near.shape[0] - 1, portals, lights, reach, random, y, x, px, py, pz, nx, ny, nz,
                                own, 0, 0)
                        r, g, b = shade(materials, m, lights, ambient, own, 0, 0, r, g, b, px, py, pz, nx, ny, nz, dx, dy, dz)
                    if materials[m, MIRROR] > 0:
                        dot = dx * nx + dy * ny + dz * nz
                        mr, mg, mb = mirrored(scene, every, faces, materials, lights, ambient, own, sky, bank, px + nx * 1e-3,
                                py + ny * 1e-3, pz + nz * 1e-3,
                                              dx - 2 * dot * nx, dy - 2 * dot * ny, dz - 2 * dot * nz, pixel)
                        facing = abs(dot) / math.sqrt(dx * dx + dy * dy + dz * dz)
                        share = materials[m, MIRROR]
                        if share < 0.7:  # polish, not a looking glass: stronger at grazing angles
                            share *= 0.25 + 0.75 * (1 - facing) ** 3
                        r, g, b = r + (mr - r) * share, g + (mg - g) * share, b + (mb - b) * share
                    if fog[3] > 0:
                        clear = math.exp(-t * fog[3])
                        r, g, b = fog[0] + (r - fog[0]) * clear, fog[1] + (g - fog[1]) * clear, fog[2] + (b - fog[2]) * clear
                rgb[y, x, 0] += r / samples
                rgb[y, x, 1] += g / samples
                rgb[y, x, 2] += b / samples
    return rgb, depth, normals


@kernel
def same_surface(ids, y, x, i):
    """The pixel (y, x) or a neighbour whose centre ray met primitive i, else (-1, -1)."""
    if ids[y, x] == i:
        return y, x
    if y > 0 and ids[y - 1, x] == i:
        return y - 1, x
    if y + 1 < ids.shape[0] and ids[y + 1, x] == i:
        return y + 1, x
    if x > 0 and ids[y, x - 1] == i:
        return y, x - 1
    if x + 1 < ids.shape[1] and ids[y, x + 1] == i:
        return y, x + 1
    return -1, -1


@kernel
def mirrored(scene, every, faces, materials, lights, ambient, own, sky, bank, ox, oy, oz, dx, dy, dz, pixel):
    """Radiance of one mirror bounce from a point along a direction, lit by own[1, 0]."""
    t, i = nearest(scene, every, every.shape[0], ox, oy, oz, dx, dy, dz, 1e-3, FAR, False)
    if i < 0:
        return sky_colour(bank, sky, dx, dy, dz)
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    # The surface lookup works on rays from the origin: the point is one with t = 1.
    nx, ny, nz, m, r, g, b = surface(scene, faces, materials, bank, i, 1.0, x, y, z, pixel)
    if nx * dx + ny * dy + nz * dz > 0:
        nx, ny, nz = -nx, -ny, -nz
    return shade(materials, m, lights, ambient, own, 1, 0, r, g, b, x, y, z, nx, ny, nz, dx, dy, dz)
