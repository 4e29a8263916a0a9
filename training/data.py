"""Rendered scenes as training tensors.

Shards (.npz): rgb u8 [N, H, W, 3]; depth metres [N, H, W], 0 = sky; normals i8 [N, H, W, 3] = round(127 n), camera frame
x right, y up, z toward the viewer (RUB); mask u8 [N, H, W], 0 = sky.
Maps as the networks see them, all [N, 3, H, W] in [-1, 1]:
  rgb      linear from 0..255
  depth    (near, far) -> (-1, +1), near and far the 2nd and 98th percentile of the image; three equal channels; sky = +1
  normals  unit vectors (RUB); sky = (0, 0, 1), toward the viewer
"""

import glob
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image


def normalized_depth(depth, valid):
    """Planar depth in metres [H, W] -> float16 in [-1, 1]; not valid (sky) -> +1."""
    values = depth[valid]
    near, far = np.percentile(values, (2, 98)) if values.size else (0.0, 1.0)
    scaled = np.clip((depth - near) / max(far - near, 1e-6) * 2 - 1, -1, 1)
    return np.where(valid, scaled, 1.0).astype(np.float16)


def shard_name(path):
    """folder.shard, which names a shard of scenes and the latents made of it."""
    return os.path.basename(os.path.dirname(path)) + "." + os.path.splitext(os.path.basename(path))[0]


class Scenes:
    """All scenes of some folders in memory, compact; fields names what is kept of rgb, depth, normals, mask.

    Scenes count from 0 in the order of the folders and shards; begins[shard name] is the first of a shard.
    """

    def __init__(self, folders, fields):
        self.folders, self.fields, self.begins = folders, fields, {}
        self.parts = {name: [] for name in fields}
        self.refresh()

    def refresh(self):
        """Takes in the shards written since; returns the number of scenes."""
        for path in [path for folder in self.folders for path in sorted(glob.glob(os.path.join(folder, "*.npz")))]:
            if shard_name(path) not in self.begins:
                self.begins[shard_name(path)] = sum(len(part) for part in self.parts[self.fields[0]])
                with np.load(path) as shard:
                    self._append(shard)
        lengths = [len(part) for part in self.parts[self.fields[0]]]
        self.count, self.starts = sum(lengths), np.cumsum([0] + lengths)
        names = [os.path.basename(folder) for folder in self.folders]
        self.members = {name: torch.cat([torch.arange(begin, begin + length) for (shard, begin), length in zip(self.begins.items(), lengths)
                                         if shard.startswith(name + ".")] or [torch.arange(0)]) for name in names}
        return self.count

    def splits(self):
        """Names of the folders that have scenes."""
        return [name for name, numbers in self.members.items() if len(numbers)]

    def draw(self, count, shares, generator):
        """Random scene numbers, long [count]; shares: {folder name: probability}, or None for all alike."""
        numbers = torch.randint(self.count, (count,), generator=generator)
        for row, chance in enumerate(torch.rand(count, generator=generator).tolist()):
            for name, share in (shares or {}).items():
                chance -= share
                if chance < 0 and len(self.members[name]):
                    numbers[row] = self.members[name][numbers[row] % len(self.members[name])]
                    break
        return numbers

    def _append(self, shard):
        for name in self.fields:
            if name == "normals":
                valid = shard["mask"] > 0
                part = np.where(valid[..., None], shard["normals"], np.array([0, 0, 127], np.int8)).astype(np.int8)
            else:
                part = shard[name]
            self.parts[name].append(part)

    def wait(self, least):
        """Blocks until at least that many scenes exist (while a renderer is still writing them)."""
        while self.refresh() < least:
            print(f"waiting for scenes: {self.count} of {least}", flush=True)
            time.sleep(20)

    def raw(self, name, index):
        part = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.parts[name][part][index - self.starts[part]]

    def maps(self, name, indices):
        """rgb, depth or normals as float32 [N, 3, H, W] in [-1, 1]; mask as float32 [N, 1, H, W] of 0 and 1."""
        array = np.stack([self.raw(name, int(i)) for i in indices])
        if name == "depth":
            array = np.stack([normalized_depth(d, d > 0) for d in array.astype(np.float32)])
            return torch.from_numpy(array)[:, None].float().expand(-1, 3, -1, -1)
        array = torch.from_numpy(array)
        if name == "rgb":
            return array.permute(0, 3, 1, 2).float() / 127.5 - 1
        if name == "normals":
            return F.normalize(array.permute(0, 3, 1, 2).float(), dim=1)
        return (array[:, None] > 0).float()

    def metres(self, indices):
        """Planar depth as float32 [N, 1, H, W]; 0 in the sky."""
        return torch.from_numpy(np.stack([self.raw("depth", int(i)) for i in indices]).astype(np.float32))[:, None]


def flipped(maps, name):
    """Mirror image; the x component of normals changes its sign."""
    mirrored = maps.flip(3)
    return mirrored * torch.tensor([-1.0, 1, 1])[:, None, None] if name == "normals" else mirrored


def jittered(rgb, generator):
    """Random gain, gamma, white balance and saturation of rgb in [-1, 1], one draw per image."""
    n = rgb.shape[0]
    draw = lambda c, width: (torch.rand(n, c, 1, 1, generator=generator) * 2 - 1) * width
    x = ((rgb + 1) / 2).clamp(1e-4, 1) ** torch.exp(draw(1, 0.35))
    x = x * torch.exp(draw(1, 0.2) + draw(3, 0.08))
    grey = x.mean(1, keepdim=True)
    return (grey + (x - grey) * (1 + draw(1, 0.4))).clamp(0, 1) * 2 - 1


def resized(maps, size, name):
    """Area-averaged to size (h, w); normals stay unit length, the mask stays binary (whole pixels only)."""
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    small = F.interpolate(maps, size=tuple(size), mode="bilinear", antialias=True, align_corners=False)
    if name == "normals":
        return F.normalize(small, dim=1)
    return (small > 0.99).float() if name == "mask" else small


def cropped(maps, boxes):
    """Each map's own window (top, left, height, width), resized to the full size: [N, C, H, W]; nearest pixels for one channel."""
    parts = []
    for one, (top, left, height, width) in zip(maps.split(1), boxes):
        part = one[:, :, top:top + height, left:left + width]
        smooth = {"mode": "nearest"} if maps.shape[1] == 1 else {"mode": "bilinear", "align_corners": False}
        parts.append(F.interpolate(part, size=tuple(maps.shape[2:]), **smooth))
    return torch.cat(parts)


def random_boxes(count, size, least, generator, within=None):
    """Windows of size (h, w), each side `least`..1 of it (or of within (h, w), no larger), long [count, 4] of top, left, height, width."""
    share = least + (1 - least) * torch.rand(count, generator=generator)
    place = torch.rand(count, 2, generator=generator)
    height, width = ((share * side).long() for side in within or size)
    top, left = (place[:, 0] * (size[0] - height + 1)).long(), (place[:, 1] * (size[1] - width + 1)).long()
    return torch.stack([top, left, height, width], 1)


def depth_of_metres(metres):
    """metres [N, 1, H, W], 0 in the sky -> depth as the networks see it [N, 3, H, W], and (far - near) / 2 of each [N, 1, 1, 1]."""
    flat = metres[:, 0].numpy()
    spans = [np.percentile(d[d > 0], (2, 98)) if (d > 0).any() else (0.0, 1.0) for d in flat]
    half = torch.tensor([max(far - near, 1e-6) / 2 for near, far in spans], dtype=torch.float32)[:, None, None, None]
    depth = torch.from_numpy(np.stack([normalized_depth(d, d > 0) for d in flat])).float()[:, None]
    return depth.expand(-1, 3, -1, -1), half


def viewed(scenes, name, indices, mirror, boxes, size):
    """Maps of scenes as an encoded copy sees them: window, mirror image, size. mirror: bool [N]; boxes: [N, 4] or None.

    depth comes as (depth, (far - near) / 2 over the depth in metres [N, 1, h, w]): what turns its errors into relative ones.
    """
    turn = lambda maps, kind: torch.where(mirror[:, None, None, None], flipped(maps, kind), maps)
    window = lambda maps: maps if boxes is None else cropped(maps, boxes)
    if name == "depth":
        metres = turn(window(scenes.metres(indices)), "depth")
        depth, half = depth_of_metres(metres)
        return resized(depth, size, "depth"), resized(half / metres.clamp(min=0.05), size, "depth")
    maps = turn(window(scenes.maps(name, indices)), name)
    maps = F.normalize(maps, dim=1) if name == "normals" and boxes is not None else maps
    return resized(maps, size, name)


def load_heldout(folder):
    """The held-out PNG files: rgb [N, 3, H, W] in [-1, 1], depth metres [N, H, W], normals [N, 3, H, W], mask bool [N, H, W]."""
    with open(os.path.join(folder, "index.json")) as file:
        names = [scene["id"] for scene in json.load(file)["scenes"]]
    read = lambda kind: np.stack([np.array(Image.open(os.path.join(folder, f"{name}_{kind}.png"))) for name in names])
    rgb = torch.from_numpy(read("rgb")).permute(0, 3, 1, 2).float() / 127.5 - 1
    depth = torch.from_numpy(read("depth").astype(np.float32) / 1000)
    normals = torch.from_numpy(read("normal")).permute(0, 3, 1, 2).float() / 127.5 - 1
    return rgb, depth, F.normalize(normals, dim=1), depth > 0
