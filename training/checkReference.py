"""Holds unet.py and vae.py against stored outputs of diffusers: python3 checkReference.py REFERENCE_DIR."""

import json
import os
import sys

import torch

from tensorFile import read_tensors
from unet import UNet
from vae import Autoencoder

TOLERANCE_RMS_REL = 2e-5


def load(folder, network):
    with open(os.path.join(folder, "config.json")) as file:
        model = network(json.load(file))
    model.load_state_dict(read_tensors(os.path.join(folder, "diffusion_pytorch_model.safetensors")))
    return model.eval(), read_tensors(os.path.join(folder, "io.safetensors"))


def compare(label, actual, expected):
    distance = ((actual - expected).square().mean().sqrt() / expected.square().mean().sqrt()).item()
    print(f"{label:24s} rms_rel {distance:.1e}")
    return actual.shape == expected.shape and distance < TOLERANCE_RMS_REL


@torch.no_grad()
def main(root):
    passed = []
    for name in ("unet-sd2", "unet-lowvar"):
        model, io = load(os.path.join(root, name), UNet)
        for case in sorted(key[:-7] for key in io if key.endswith(".sample")):
            timestep = io[case + ".timestep"].expand(io[case + ".sample"].shape[0])
            actual = model(io[case + ".sample"], timestep, io[case + ".encoder_hidden_states"])
            passed.append(compare(f"{name} {case}", actual, io[case + ".output"]))
    for name in ("f8", "f4", "f4-lowvar"):
        model, io = load(os.path.join(root, "vae", name), Autoencoder)
        for key in sorted(io):
            case = key.rsplit(".", 1)[0]
            if key.endswith(".moments"):
                passed.append(compare(f"{name} {case}", torch.cat(model.encode(io[case + ".image"]), 1), io[key]))
            if key.endswith(".latent"):
                passed.append(compare(f"{name} {case}", model.decode(io[key]), io[case + ".image"]))
    sys.exit(0 if passed and all(passed) else 1)


if __name__ == "__main__":
    main(sys.argv[1])
