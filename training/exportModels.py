"""Writes models/ in the diffusers layout (fp16 weights) from the checkpoints in the cache: exportModels.py CONFIG.

Networks without a checkpoint yet are written with random weights (--allow-random), to test a reader of the layout.
"""

import json
import os
import sys

import torch

from modelCards import write_card
from run import Config, load_ema
from tensorFile import write_tensors
from unet import UNet
from vae import Autoencoder

VERSION = "0.30.3"  # the diffusers release whose file layout and arithmetic is followed
FAMILIES = {
    "plumbline-depth": ("depth", False), "plumbline-normals": ("normals", False),
    "plumbline-e2e-depth": ("depth", True), "plumbline-e2e-normals": ("normals", True),
}


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def unet_config(network):
    return {"_class_name": "UNet2DConditionModel", "_diffusers_version": VERSION, "act_fn": "silu",
            "center_input_sample": False, "class_embed_type": None, "conv_in_kernel": 3, "conv_out_kernel": 3,
            "downsample_padding": 1, "dropout": 0.0, "flip_sin_to_cos": True, "freq_shift": 0,
            "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2DCrossAttn", "only_cross_attention": False,
            "resnet_time_scale_shift": "default", "sample_size": 48, "transformer_layers_per_block": 1,
            "upcast_attention": False, "use_linear_projection": True, **network}


def vae_config(network, scaling_factor):
    levels = len(network["block_out_channels"])
    return {"_class_name": "AutoencoderKL", "_diffusers_version": VERSION, "act_fn": "silu",
            "down_block_types": ["DownEncoderBlock2D"] * levels, "up_block_types": ["UpDecoderBlock2D"] * levels,
            "force_upcast": True, "in_channels": 3, "out_channels": 3, "latents_mean": None, "latents_std": None,
            "sample_size": 192, "scaling_factor": scaling_factor, "shift_factor": None,
            "use_quant_conv": True, "use_post_quant_conv": True, **network}


def scheduler_config(schedule):
    return {"_class_name": "DDIMScheduler", "_diffusers_version": VERSION, **schedule,
            "beta_schedule": "scaled_linear", "clip_sample": False, "clip_sample_range": 1.0,
            "dynamic_thresholding_ratio": 0.995, "prediction_type": "v_prediction", "rescale_betas_zero_snr": False,
            "sample_max_value": 1.0, "set_alpha_to_one": False, "steps_offset": 1, "thresholding": False,
            "timestep_spacing": "trailing", "trained_betas": None}


def model_index(task, e2e, default_steps):
    index = {"_class_name": "MarigoldPipeline" if task == "depth" else "MarigoldNormalsPipeline",
             "_diffusers_version": VERSION, "scheduler": ["diffusers", "DDIMScheduler"],
             "text_encoder": [None, None], "tokenizer": [None, None],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    components = {"vae": "../shared/vae"} if e2e else {"vae": "../shared/vae", "unet": "../shared/unet-diffusion"}
    index["_plumbline"] = {"task": task, "e2e": e2e, "normals_frame": "RUB", "default_steps": default_steps,
                           "components": components}
    return index


def write_network(folder, config, state):
    write_json(os.path.join(folder, "config.json"), config)
    half = {name: tensor.half() for name, tensor in state.items()}
    write_tensors(os.path.join(folder, "diffusion_pytorch_model.fp16.safetensors"), half, {"format": "pt"})


def trained(config, stage, network, allow_random):
    """EMA weights of a stage, or those of a fresh network."""
    checkpoint = load_ema(config, stage)
    if checkpoint is None:
        if not allow_random:
            raise FileNotFoundError(f"Expected a checkpoint for {stage} in {config.cache} but found none")
        print(f"{stage}: no checkpoint, random weights")
        return {"weights": network.state_dict(), "contexts": torch.randn(2, 2, 64), "scaling_factor": 1.0}
    return checkpoint


def parameters(weights):
    """In millions."""
    return sum(tensor.numel() for tensor in weights.values()) / 1e6


def main(config, allow_random):
    torch.manual_seed(0)
    unet_network, vae_network = config["unet"]["network"], config["vae"]["network"]
    vae = trained(config, "vae", Autoencoder(vae_network), allow_random)
    write_network(os.path.join(config.models, "shared/vae"), vae_config(vae_network, vae["scaling_factor"]), vae["weights"])
    diffusion = trained(config, "diffusion", UNet(unet_network), allow_random)
    write_network(os.path.join(config.models, "shared/unet-diffusion"), unet_config(unet_network), diffusion["weights"])
    for name, (task, e2e) in FAMILIES.items():
        folder = os.path.join(config.models, name)
        unet = trained(config, f"e2e-{task}", UNet(unet_network), allow_random) if e2e else diffusion
        if e2e:
            write_network(os.path.join(folder, "unet"), unet_config(unet_network), unet["weights"])
        write_json(os.path.join(folder, "scheduler/scheduler_config.json"), scheduler_config(config["schedule"]))
        write_json(os.path.join(folder, "model_index.json"), model_index(task, e2e, 1 if e2e else 10))
        embedding = unet["contexts"][0 if task == "depth" else 1][None].float()
        write_tensors(os.path.join(folder, "empty_prompt.safetensors"), {"empty_text_embed": embedding})
        if not allow_random:
            write_card(config, name, task, e2e, parameters(unet["weights"]), parameters(vae["weights"]))


if __name__ == "__main__":
    main(Config(sys.argv[1]), "--allow-random" in sys.argv)
