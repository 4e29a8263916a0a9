"""The paper's controls in miniature, depth only: controls.py CONFIG [--seeds 1,2,3].

Three stages, on latents and with the autoencoder of the configuration that CONFIG names as `base`:
  before     the stand-in for Stable Diffusion: the UNet as a diffusion model of RGB latents, its conditioning inputs zero
  diffusion  from it by Marigold's protocol: depth latents, conditioned on RGB latents; v-prediction, annealed multi-resolution noise
  fineTuning the runs that are compared: equally many samples each
Each seed goes through all three: first weights, order of the scenes and noise are its own. Stages resume from their checkpoints, runs
that the results already hold are skipped, and several processes may share the work by seeds: each finished run is added to the results
at once.
"""

import copy
import fcntl
import json
import os
import sys
import time

import torch
from torch import nn

from data import Scenes, load_heldout, resized, viewed
from encodeLatents import load_vae
from evaluate import Predictor, depth_scores
from run import Config, Trainer, iteration_generator, load_ema, start
from schedule import Schedule, annealed_pyramid_noise
from trainDiffusion import Latents, squared_errors, task_contexts
from trainE2e import depth_loss, predict_map
from unet import UNet

RUN_KEYS = ("from", "training", "noise", "decoder")
RUNS = [("diffusion", "e2e", "zeros", "frozen"), ("diffusion", "diffusion", None, "frozen"),
        ("diffusion", "e2e", "gaussian", "frozen"), ("diffusion", "e2e", "pyramid", "frozen"), ("diffusion", "e2e", "zeros", "tuned"),
        ("before", "e2e", "zeros", "frozen"), ("before", "e2e", "gaussian", "frozen"), ("before", "e2e", "pyramid", "frozen")]
UNTUNED = ("diffusion", "none", None, "frozen")
INFERENCE = {"none": [(1, "trailing", "gaussian"), (1, "trailing", "zeros"), (1, "leading", "gaussian"), (10, "trailing", "gaussian")],
             "diffusion": [(1, "trailing", "gaussian"), (1, "trailing", "zeros"), (10, "trailing", "gaussian")]}


def initial_noise(kind, shape, schedule, generator, strength):
    """What stands for z_T: zeros, Gaussian noise, or multi-resolution ("pyramid") noise as stage 3 draws it at t = T."""
    if kind == "pyramid":
        return annealed_pyramid_noise(shape, torch.full((shape[0],), schedule.steps - 1), schedule.steps, generator, strength)
    noise = torch.randn(shape, generator=generator)
    return noise if kind == "gaussian" else torch.zeros_like(noise)


def conditioned(weights):
    """A UNet without conditioning made one with it, as Marigold does: the filters of z_t also for the RGB latent, both halved."""
    half = weights["conv_in.weight"][:, 4:] / 2
    return {**weights, "conv_in.weight": torch.cat([half, half], 1)}


class Study:
    """What all stages and runs of one seed share."""

    def __init__(self, path, seed):
        self.config = Config(path)
        folder = os.path.dirname(os.path.abspath(path))
        self.base = Config(os.path.join(folder, self.config["base"]))
        self.results = os.path.normpath(os.path.join(folder, self.config["paths"]["results"]))
        self.seed = seed
        self.stage_seed = self.config["seed"] + 10 * (seed - 1)
        self.device, self.dtype, _, _ = start(self.stage_seed)
        self.schedule = Schedule(**self.base["schedule"])
        self.network = self.base["unet"]["network"]
        self.context = task_contexts(self.config["seed"], self.network["cross_attention_dim"])[0]
        self.latents = Latents(self.base, self.config["copies"])
        self.scenes = None
        rgb, *self.truth = load_heldout(self.config.heldout)
        with torch.no_grad():
            self.predictor = Predictor(self.base, resized(rgb, self.config["size"], "rgb"))

    def checkpoint(self, stage):
        return f"{stage}-{self.seed}"

    def settings(self, stage):
        settings = self.config[stage]
        return {**settings, "iterations": settings["samples"] // settings["batch"]}

    def unet(self, weights=None):
        model = UNet(self.network)
        if weights:
            model.load_state_dict(weights)
        return model.to(self.device, self.dtype, memory_format=torch.channels_last)

    def weights(self, stage):
        """The UNet that a stage ends with, ready to be conditioned on RGB latents."""
        weights = load_ema(self.config, self.checkpoint(stage))["weights"]
        return conditioned(weights) if stage == "before" else weights

    def diffusion_step(self, unet, stage, settings, generator):
        """The loss of a batch: the RGB latents without a condition ("before"), or the depth latents given them."""
        drawn, _ = self.latents.draw(settings["batch"], generator)
        rgb, depth = drawn[:, :4], drawn[:, 4:8]
        condition, z0 = (torch.zeros_like(rgb), rgb) if stage == "before" else (rgb, depth)
        context = self.context.expand(len(z0), -1, -1)
        errors, _ = squared_errors(unet, condition, z0, context, settings, self.schedule, self.device, self.dtype, generator)
        return errors.mean()

    def e2e_step(self, unet, vae, scale, kind, settings, generator):
        """Eq. 1 of a batch, on the maps decoded after one step from the given kind of noise."""
        drawn, places = self.latents.draw(settings["batch"], generator)
        z = initial_noise(kind, drawn[:, :4].shape, self.schedule, generator, settings["noise_strength"])
        to = lambda x: x.to(self.device, self.dtype)
        decoded = predict_map(unet, vae, scale, self.schedule, to(drawn[:, :4]), self.context, to(z)).float()
        self.scenes = self.scenes or Scenes(self.base.scene_folders(), ("depth", "mask"))
        shards, rows, mirrored, boxes = zip(*places)
        indices = torch.tensor([self.scenes.begins[shard] + row for shard, row in zip(shards, rows)])
        view = indices, torch.tensor(mirrored), [[int(side) for side in box] for box in boxes], self.config["size"]
        (truth, relative), mask = viewed(self.scenes, "depth", *view), viewed(self.scenes, "mask", *view)
        return depth_loss(decoded, truth.to(self.device), relative.to(self.device), mask.to(self.device), settings)

    def train(self, trainer, seed, step):
        """Until the stage's last iteration; step(generator) -> loss."""
        while trainer.iteration < trainer.settings["iterations"]:
            loss = step(iteration_generator(seed, trainer.iteration, 0, 1))
            loss.backward()
            trainer.step({"loss": loss.item()}, trainer.settings["batch"])

    def stage(self, name, origin, offset):
        """Trains "before" or "diffusion" as far as it has not been."""
        settings = self.settings(name)
        unet = self.unet(origin and self.weights(origin))
        trainer = Trainer(self.config, self.checkpoint(name), unet, settings)
        trainer.resume()
        self.train(trainer, self.stage_seed + offset, lambda generator: self.diffusion_step(unet, name, settings, generator))

    def fine_tune(self, origin, training, kind, decoder):
        """One run; returns its UNet and autoencoder in float32 (EMA weights), and CPU seconds."""
        begin, settings = time.process_time(), self.settings("fineTuning")
        unet = self.unet(self.weights(origin))
        vae, scale = load_vae(self.base, self.device, self.dtype)
        parts = trained_parts(unet, vae, decoder).requires_grad_(True)
        trainer = Trainer(self.config, f"run-{origin}-{training}-{kind}-{decoder}-{self.seed}", parts, settings)
        if training == "e2e":
            self.train(trainer, self.seed, lambda generator: self.e2e_step(unet, vae, scale, kind, settings, generator))
        else:
            self.train(trainer, self.seed, lambda generator: self.diffusion_step(unet, "diffusion", settings, generator))
        os.remove(self.config.checkpoint(trainer.stage))
        exact, vae = UNet(self.network).eval(), copy.deepcopy(self.predictor.vae)
        trained_parts(exact, vae, decoder).load_state_dict(trainer.ema_weights())
        return exact, vae, time.process_time() - begin

    @torch.no_grad()
    def scores(self, unet, vae, steps, spacing, kind):
        """Of each held-out image, predicted at the training size and compared at the size of the truth."""
        generator = torch.Generator().manual_seed(self.seed)
        strength = self.config["fineTuning"]["noise_strength"]
        noise = initial_noise(kind, self.predictor.latents.shape, self.schedule, generator, strength)
        depth, _, mask = self.truth
        maps = self.predictor.sampled(unet, self.context, noise, steps, spacing, vae).mean(1, keepdim=True).clamp(-1, 1)
        maps = nn.functional.interpolate(maps, size=depth.shape[1:], mode="bilinear", align_corners=False)[:, 0]
        columns = zip(*depth_scores(maps, depth, mask))
        return {name: [round(value, 5) for value in column] for name, column in zip(("absRel", "delta1"), columns)}

    def run(self, variant):
        """Trains and evaluates one run, and adds its entries to the results unless they are there."""
        key = dict(zip(RUN_KEYS, variant), seed=self.seed)
        if any(same_run(entry, key) for entry in read_results(self.results).get("runs", [])):
            return
        origin, training, kind, _ = variant
        if training == "none":
            unet, vae, seconds = UNet(self.network).eval(), self.predictor.vae, 0
            unet.load_state_dict(self.weights(origin))
        else:
            unet, vae, seconds = self.fine_tune(*variant)
        entries = []
        for steps, spacing, noise in INFERENCE.get(training, [(1, "trailing", kind)]):
            scores = self.scores(unet, vae, steps, spacing, noise)
            inference = {"steps": steps, "spacing": spacing, "noise": noise}
            entries.append({**key, "inference": inference, "scores": scores, "seconds": round(seconds)})
            means = "  ".join(f"{name} {sum(column) / len(column):.4f}" for name, column in scores.items())
            print(*variant, self.seed, f"{spacing}-{steps} {noise}:", means, f"{seconds:.0f} s", flush=True)
        self.add(entries)

    def add(self, entries):
        """Adds entries to the results, ordered by seed; atomically, and one process at a time."""
        with open(os.path.join(self.config.cache, "results.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            others = [entry for entry in read_results(self.results).get("runs", []) if not same_run(entry, entries[0])]
            runs = others + entries
            order = [UNTUNED, *RUNS]
            runs.sort(key=lambda entry: (entry["seed"], order.index(tuple(entry[name] for name in RUN_KEYS))))
            with open(os.path.join(self.config.heldout, "index.json")) as file:
                scenes = [scene["id"] for scene in json.load(file)["scenes"]]
            head = {"command": "python3 controls.py configs/controls.json", "config": "configs/controls.json", "size": self.config["size"],
                    "heldout": len(scenes), "scenes": scenes, "batch": self.config["fineTuning"]["batch"],
                    "samples": {name: self.config[name]["samples"] for name in ("before", "diffusion", "fineTuning")}}
            lines = [f'{json.dumps(name)}: {json.dumps(value)}' for name, value in head.items()]
            lines.append('"runs": [\n' + ",\n".join(json.dumps(entry) for entry in runs) + "\n]")
            with open(self.results + ".part", "w") as file:
                file.write("{\n" + ",\n".join(lines) + "\n}\n")
            os.replace(self.results + ".part", self.results)


def trained_parts(unet, vae, decoder):
    """The modules that a run trains: the UNet and, where it is tuned, the decoder."""
    parts = {"unet": unet}
    if decoder == "tuned":
        parts.update(decoder=vae.decoder, post_quant_conv=vae.post_quant_conv)
    return nn.ModuleDict(parts)


def same_run(a, b):
    return all(a[name] == b[name] for name in (*RUN_KEYS, "seed"))


def read_results(path):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def main(path, seeds):
    for seed in seeds:
        study = Study(path, seed)
        study.stage("before", None, 0)
        study.stage("diffusion", "before", 1)
        for variant in [UNTUNED, *RUNS]:
            study.run(variant)


if __name__ == "__main__":
    option = lambda name, default: sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default
    main(sys.argv[1], [int(seed) for seed in option("--seeds", "1,2,3").split(",")])
