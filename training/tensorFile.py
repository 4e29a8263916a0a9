"""Reads and writes .safetensors: 8-byte little-endian header length, JSON header, raw tensor bytes."""

import json
import os
import struct

import numpy as np
import torch

DTYPES = {"F32": (np.float32, torch.float32), "F16": (np.float16, torch.float16),
          "I64": (np.int64, torch.int64), "U8": (np.uint8, torch.uint8)}
NAMES = {torch_type: name for name, (_, torch_type) in DTYPES.items()}


def read_tensors(path):
    """Returns {name: tensor} of a .safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    header_bytes = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + header_bytes])
    body = memoryview(data)[8 + header_bytes:]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        array = np.frombuffer(body[begin:end], dtype=DTYPES[entry["dtype"]][0])
        tensors[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    return tensors


def write_tensors(path, tensors, metadata=None):
    """Writes {name: tensor}, sorted by name so that equal tensors give equal files; replaces atomically."""
    header, blobs, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        blob = tensor.numpy().tobytes()
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for blob in blobs:
            file.write(blob)
    os.replace(path + ".part", path)
