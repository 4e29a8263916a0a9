"""What every training stage shares: configuration, mixed-precision optimiser with EMA, checkpoints, progress.

Data parallel: N processes started with RANK, WORLD_SIZE=N, LOCAL_RANK, MASTER_ADDR and MASTER_PORT set (runAll.sh) average
their gradients. On CPUs, N processes of one thread each beat one process of N threads.
"""

import csv
import json
import math
import os
import time

import torch
import torch.distributed as distributed

TASKS = ("depth", "normals")


class Config(dict):
    """The JSON configuration; its paths are relative to its own file."""

    def __init__(self, path):
        with open(path) as file:
            super().__init__(json.load(file))
        root = os.path.dirname(os.path.abspath(path))
        for name in ("cache", "models", "heldout", "logs"):
            setattr(self, name, os.path.normpath(os.path.join(root, self["paths"][name])))
        os.makedirs(os.path.join(self.cache, "checkpoints"), exist_ok=True)
        os.makedirs(self.logs, exist_ok=True)

    def scene_folders(self):
        """Where the training scenes are, in the order in which they count."""
        return [self.scene_folder(folder) for folder in self["paths"].get("scenes", ["scenes/train"])]

    def scene_folder(self, name):
        """A folder of scenes, which configurations name from the cache."""
        return os.path.join(self.cache, name)

    def checkpoint(self, stage):
        """The file of a stage's checkpoint; a name with .pt is a file in the cache instead."""
        return os.path.join(self.cache, stage if stage.endswith(".pt") else os.path.join("checkpoints", stage + ".pt"))


def load_state(config, stage):
    """A stage's last checkpoint."""
    return torch.load(config.checkpoint(stage), map_location="cpu")


def origin_of(config, stage):
    """The file that a stage's configuration names as the weights to go on from, or None (where it is missing, too)."""
    settings, task = config.get(stage.split("-")[0], {}), stage.split("-")[-1]
    name = settings.get("origin", "").format(task=task)
    return name if name and os.path.exists(config.checkpoint(name)) else None


def load_ema(config, stage):
    """{"weights", "contexts", "scaling_factor", ...} of a stage's last checkpoint, or of its origin before it has one, or None.

    stage may name a file (Config.checkpoint).
    """
    name = stage if os.path.exists(config.checkpoint(stage)) else origin_of(config, stage)
    if name is None:
        return None
    state = load_state(config, name)
    return {"weights": state["ema"], **state["extras"]}


def samples_seen(config, stage):
    """Samples of a stage's run and, where it went on from other weights, of theirs."""
    names = [name for name in (origin_of(config, stage), stage) if name and os.path.exists(config.checkpoint(name))]
    return sum(load_state(config, name).get("samples", 0) for name in names)


def start(seed):
    """Joins the other processes, seeds; returns device, compute type, rank, number of processes.

    CUDA where there is one; bfloat16 on both (the optimiser keeps float32 masters).
    """
    torch.manual_seed(seed)
    cuda = torch.cuda.is_available()
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        distributed.init_process_group("nccl" if cuda else "gloo")
    else:
        os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    return device, torch.bfloat16, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def iteration_generator(seed, iteration, rank, world):
    """A generator that depends only on seed, iteration and process, so that a resumed run repeats the same draws."""
    return torch.Generator().manual_seed(seed * 1_000_003 + iteration * world + rank)


def average_over_processes(flat):
    if distributed.is_initialized():
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()


def learning_rate(iteration, total, peak, warmup, decay=None):
    """Linear warm-up, then a cosine to 1 % of the peak; by iteration, so that a resumed run repeats it.

    decay: the peak is held and the cosine takes only the last `decay` iterations: such a run can be lengthened until then.
    """
    if iteration < warmup:
        return peak * (iteration + 1) / warmup
    begin = warmup if decay is None else max(total - decay, warmup)
    progress = min(max(iteration - begin, 0) / max(total - begin, 1), 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def shaped_views(flat, tensors):
    """Views of a flat buffer with the shapes of tensors; four-dimensional ones channels-last, as convolutions want them."""
    views, offset = [], 0
    for tensor in tensors:
        part = flat[offset:offset + tensor.numel()]
        if tensor.dim() == 4:
            o, i, h, w = tensor.shape
            views.append(part.view(o, h, w, i).permute(0, 3, 1, 2))
        else:
            views.append(part.view(tensor.shape))
        offset += tensor.numel()
    return views


class Trainer:
    """AdamW on float32 masters of a bfloat16 model, their EMA, checkpoints (atomic) and a CSV of the losses.

    Weights and gradients of the model are views of two flat buffers, so that an update is a few operations on long vectors.
    The EMA's decay grows as (1 + i) / (10 + i) up to `ema`, so that early averages forget the start.
    """

    BETAS, EPS, CHUNK = (0.9, 0.99), 1e-8, 1 << 17

    def __init__(self, config, stage, model, settings, extras=None):
        self.config, self.stage, self.model, self.settings = config, stage, model, settings
        self.extras = extras or {}
        self.names, parameters = zip(*model.named_parameters())
        self.shapes = [p.detach() for p in parameters]
        size, like = sum(p.numel() for p in parameters), parameters[0]
        self.weights, self.grads = like.new_empty(size).detach(), like.new_zeros(size).detach()
        for p, view, grad in zip(parameters, shaped_views(self.weights, self.shapes), shaped_views(self.grads, self.shapes)):
            view.copy_(p.detach())
            p.data, p.grad = view, grad
        self.shapes = [view.detach() for view in shaped_views(self.weights, self.shapes)]
        self.state = {"masters": self.weights.float()}
        self.state.update(ema=self.state["masters"].clone(), first=torch.zeros_like(self.state["masters"]),
                          second=torch.zeros_like(self.state["masters"]))
        self.iteration, self.samples, self.started, self.rows = 0, 0, None, []

    def resume(self):
        path = self.config.checkpoint(self.stage)
        if os.path.exists(path):
            saved = torch.load(path, map_location="cpu")
            for name, tensor in self.state.items():
                for target, source in zip(shaped_views(tensor, self.shapes), saved[name].values()):
                    target.copy_(source)
            self.weights.copy_(self.state["masters"])
            self.iteration, self.rows, self.samples = saved["iteration"], saved["rows"], saved.get("samples", 0)
        return self.iteration

    @torch.no_grad()
    def step(self, losses, batch):
        """One update from the gradients in model; losses: {name: float} for the log."""
        s, i = self.settings, self.iteration
        grads = self.grads.float()
        self.grads.zero_()
        average_over_processes(grads)
        norm = grads.norm().item()
        rate, decay = learning_rate(i, s["iterations"], s["learning_rate"], s["warmup"], s.get("decay")), min(s["ema"], (1 + i) / (10 + i))
        if math.isfinite(norm):
            self._update(grads, min(1, s["clip"] / max(norm, 1e-12)), rate, decay)
        self.iteration += 1
        self.samples += batch * int(os.environ["WORLD_SIZE"])
        self._report(losses, batch * int(os.environ["WORLD_SIZE"]), rate, norm)

    def _update(self, grads, factor, rate, decay):
        """AdamW, EMA and the bfloat16 copy, chunk by chunk so that a chunk stays in the cache."""
        beta1, beta2 = self.BETAS
        bias1, bias2 = 1 - beta1 ** (self.iteration + 1), 1 - beta2 ** (self.iteration + 1)
        vectors = [grads, self.weights] + [self.state[name] for name in ("masters", "ema", "first", "second")]
        for g, weight, master, ema, first, second in zip(*[v.split(self.CHUNK) for v in vectors]):
            g.mul_(factor)
            first.lerp_(g, 1 - beta1)
            second.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            master.mul_(1 - rate * self.settings["weight_decay"])
            master.addcdiv_(first, (second / bias2).sqrt_().add_(self.EPS), value=-rate / bias1)
            ema.lerp_(master, 1 - decay)
            weight.copy_(master)

    def _report(self, losses, batch, rate, norm):
        if os.environ["RANK"] != "0":
            return
        now = time.time()
        if self.started is None:
            self.started, self.first, self.sums, self.count = now, self.iteration, {}, 0
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.count += 1
        if self.iteration % self.settings["log_every"] == 0:
            means = {name: value / self.count for name, value in self.sums.items()}
            each = (now - self.started) / max(self.iteration - self.first, 1)
            left = (self.settings["iterations"] - self.iteration) * each
            text = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
            print(f"{self.stage} {self.iteration}/{self.settings['iterations']}  {text}  grad {norm:.2f}  lr {rate:.1e}  "
                  f"{batch / max(each, 1e-9):.1f} samples/s  {left / 60:.1f} min left", flush=True)
            self.rows.append({"iteration": self.iteration, "samples": self.samples, **{k: round(v, 5) for k, v in means.items()}})
            self.sums, self.count = {}, 0
        if self.iteration % self.settings["save_every"] == 0 or self.iteration == self.settings["iterations"]:
            self.save()

    def named(self, name):
        """masters, ema, first or second moment as {parameter name: tensor}."""
        views = shaped_views(self.state[name], self.shapes)
        return {key: view.clone(memory_format=torch.contiguous_format) for key, view in zip(self.names, views)}

    def ema_weights(self):
        return self.named("ema")

    def save(self):
        if os.environ["RANK"] != "0":
            return
        path = self.config.checkpoint(self.stage)
        state = {**{name: self.named(name) for name in self.state}, "rows": self.rows, "iteration": self.iteration,
                 "samples": self.samples, "extras": self.extras}
        torch.save(state, path + ".part")
        os.replace(path + ".part", path)
        if self.rows:
            with open(os.path.join(self.config.logs, self.stage + ".csv"), "w", newline="") as file:
                writer = csv.DictWriter(file, list(self.rows[-1]))
                writer.writeheader()
                writer.writerows(self.rows)
