"""Writes the reference of this folder: python3 generate.py

A tiny autoencoder of the architecture of AutoencoderTiny (diffusers 0.30.3, models/autoencoders/autoencoder_tiny.py
and vae.py) with random weights, written out from its description with plain PyTorch operations on a dictionary of
weights. Weights are scaled by 1 / sqrt(fan-in), so that every layer counts; they predict nothing.

Made with Python 3.11, PyTorch 1.13.0a0 (Debian 12), CPU, float32, one thread. `fp32_vs_fp64` in cases.json is the
distance between the stored result and the same network in float64: rms(difference) / rms(expected), and the maximum.
"""
import json
import pathlib
import struct

import torch
import torch.nn.functional as F

here = pathlib.Path(__file__).parent
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(20)

CHANNELS, LATENT = 8, 4
config = {
    "_class_name": "AutoencoderTiny", "_diffusers_version": "0.30.3", "act_fn": "relu",
    "block_out_channels": [CHANNELS] * 4, "decoder_block_out_channels": [CHANNELS] * 4, "encoder_block_out_channels": [CHANNELS] * 4,
    "force_upcast": False, "in_channels": 3, "latent_channels": LATENT, "latent_magnitude": 3, "latent_shift": 0.5,
    "num_decoder_blocks": [3, 2, 2, 1], "num_encoder_blocks": [1, 2, 2, 3], "out_channels": 3, "scaling_factor": 1.0,
    "upsample_fn": "nearest", "upsampling_scaling_factor": 2,
}
weights = {}


def add_conv(name, inputs, outputs, bias=True):
    weights[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) / (9 * inputs) ** 0.5
    if bias:
        weights[f"{name}.bias"] = torch.randn(outputs, generator=generator) * 0.1


def add_block(name):
    for i in (0, 2, 4):
        add_conv(f"{name}.conv.{i}", CHANNELS, CHANNELS)


# A list of layers, each with its place in the sequence: activations and enlargements count, but have no weights.
encoder, decoder = [], [("conv", {}), ("relu", {})]
for stage, blocks in enumerate(config["num_encoder_blocks"]):
    encoder.append(("conv", {"stride": 1 if stage == 0 else 2}))
    encoder += [("block", {})] * blocks
encoder.append(("conv", {}))
for stage, blocks in enumerate(config["num_decoder_blocks"]):
    decoder += [("block", {})] * blocks
    if stage < 3:
        decoder.append(("enlarge", {}))
    decoder.append(("conv", {}))

for part, layers, inputs, outputs in (("encoder", encoder, 3, LATENT), ("decoder", decoder, LATENT, 3)):
    for i, (kind, options) in enumerate(layers):
        name = f"{part}.layers.{i}"
        if kind == "block":
            add_block(name)
        elif kind == "conv":
            # Convolutions between the stages have no bias.
            ends = i in (0, len(layers) - 1)
            add_conv(name, inputs if i == 0 else CHANNELS, outputs if i == len(layers) - 1 else CHANNELS, bias=ends)


def run(part, layers, x):
    w = {name: value.to(x.dtype) for name, value in weights.items()}

    def conv(name, value, stride=1):
        return F.conv2d(value, w[f"{name}.weight"], w.get(f"{name}.bias"), stride=stride, padding=1)

    for i, (kind, options) in enumerate(layers):
        name = f"{part}.layers.{i}"
        if kind == "conv":
            x = conv(name, x, **options)
        elif kind == "relu":
            x = torch.relu(x)
        elif kind == "enlarge":
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        else:
            y = conv(f"{name}.conv.2", torch.relu(conv(f"{name}.conv.0", x)))
            x = torch.relu(conv(f"{name}.conv.4", torch.relu(y)) + x)
    return x


def encode(image):
    return run("encoder", encoder, (image + 1) / 2)


def decode(latent):
    return run("decoder", decoder, torch.tanh(latent / 3) * 3) * 2 - 1


def write(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


cases, io = [], {}
for kind, function, source, result, shapes in (
    ("encode", encode, "image", "latent", [(1, 3, 32, 32), (2, 3, 24, 40), (1, 3, 37, 53)]),
    ("decode", decode, "latent", "image", [(1, LATENT, 4, 4), (2, LATENT, 3, 5), (1, LATENT, 1, 6)]),
):
    for i, shape in enumerate(shapes):
        name = f"{kind}{i:02}"
        # Latents beyond 3, which the decoder bends back, and images that fill -1..1.
        value = torch.rand(shape, generator=generator) * 2 - 1 if kind == "encode" else torch.randn(shape, generator=generator) * 2.5
        with torch.no_grad():
            output = function(value)
            exact = function(value.double())
        difference = output.double() - exact
        io[f"{name}.{source}"], io[f"{name}.{result}"] = value, output
        cases.append({
            "name": name, "input_shape": list(shape), "output_shape": list(output.shape), "std": output.std().item(),
            "fp32_vs_fp64": {"max_abs": difference.abs().max().item(), "rms_rel": (difference.pow(2).mean() / exact.pow(2).mean()).sqrt().item()},
        })

write(here / "diffusion_pytorch_model.safetensors", weights)
write(here / "io.safetensors", io)
(here / "config.json").write_text(json.dumps(config, indent=1) + "\n")
(here / "cases.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")
