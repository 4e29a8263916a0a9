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

    def checkpoint(self, stage):
        return os.path.join(self.cache, "checkpoints", stage + ".pt")


def load_ema(config, stage):
    """{"weights", "contexts", "scaling_factor", ...} of a stage's last checkpoint, or None."""
    if not os.path.exists(config.checkpoint(stage)):
        return None
    state = torch.load(config.checkpoint(stage), map_location="cpu")
    return {"weights": state["ema"], **state["extras"]}


def start(seed):
    """Joins the other processes, seeds; returns device, compute type, rank, number of processes.

    CUDA where there is one; bfloat16 on both (the optimiser keeps float32 masters).
    """
    torch.manual_seed(seed)
    cuda = torch.cuda.is_available()
    if "WORLD_SIZE" in os.environ:
        distributed.init_process_group("nccl" if cuda else "gloo")
    else:
        os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    return device, torch.bfloat16, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def iteration_generator(seed, iteration, rank, world):
    """A generator that depends only on seed, iteration and process, so that a resumed run repeats the same draws."""
    return torch.Generator().manual_seed(seed * 1_000_003 + iteration * world + rank)


def averaged_over_processes(tensors):
    """Replaces each tensor by its mean over the processes (one flat transfer)."""
    if not distributed.is_initialized():
        return tensors
    flat = torch.cat([t.flatten() for t in tensors])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = flat.split([t.numel() for t in tensors])
    return [part.view_as(t) for part, t in zip(parts, tensors)]


def learning_rate(iteration, total, peak, warmup):
    """Linear warm-up, then a cosine to 1 % of the peak; by iteration, so that a resumed run repeats it."""
    if iteration < warmup:
        return peak * (iteration + 1) / warmup
    progress = min((iteration - warmup) / max(total - warmup, 1), 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


class Trainer:
    """AdamW on float32 masters of a bfloat16 model, their EMA, checkpoints (atomic) and a CSV of the losses.

    The EMA's decay grows as (1 + i) / (10 + i) up to `ema`, so that early averages forget the start.
    """

    def __init__(self, config, stage, model, settings, extras=None):
        self.config, self.stage, self.model, self.settings = config, stage, model, settings
        self.extras = extras or {}
        self.names, self.parameters = zip(*model.named_parameters())
        self.masters = [p.detach().float().clone() for p in self.parameters]
        self.average = [p.clone() for p in self.masters]
        self.optimizer = torch.optim.AdamW(self.masters, lr=0, betas=(0.9, 0.99), foreach=True,
                                           weight_decay=settings.get("weight_decay", 0.01))
        self.iteration, self.started, self.rows = 0, None, []

    def resume(self):
        path = self.config.checkpoint(self.stage)
        if os.path.exists(path):
            state = torch.load(path, map_location="cpu")
            for target, name in zip(self.masters, self.names):
                target.copy_(state["masters"][name])
            for target, name in zip(self.average, self.names):
                target.copy_(state["ema"][name])
            self.optimizer.load_state_dict(state["optimizer"])
            self.iteration, self.rows = state["iteration"], state["rows"]
            self._publish()
        return self.iteration

    @torch.no_grad()
    def _publish(self):
        for parameter, master in zip(self.parameters, self.masters):
            parameter.copy_(master)

    @torch.no_grad()
    def step(self, losses, batch):
        """One update from the gradients in model; losses: {name: float} for the log."""
        s = self.settings
        grads = averaged_over_processes([p.grad.float() for p in self.parameters])
        norm = torch.stack(torch._foreach_norm(grads)).norm()
        torch._foreach_mul_(grads, (s["clip"] / norm.clamp(min=s["clip"])).item())
        for master, grad, parameter in zip(self.masters, grads, self.parameters):
            master.grad, parameter.grad = grad, None
        rate = learning_rate(self.iteration, s["iterations"], s["learning_rate"], s["warmup"])
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        decay = min(s["ema"], (1 + self.iteration) / (10 + self.iteration))
        torch._foreach_mul_(self.average, decay)
        torch._foreach_add_(self.average, self.masters, alpha=1 - decay)
        self._publish()
        self.iteration += 1
        self._report(losses, batch * int(os.environ["WORLD_SIZE"]), rate, norm.item())

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
            self.rows.append({"iteration": self.iteration, **{k: round(v, 5) for k, v in means.items()}})
            self.sums, self.count = {}, 0
        if self.iteration % self.settings["save_every"] == 0 or self.iteration == self.settings["iterations"]:
            self.save()

    def ema_weights(self):
        return {name: tensor.clone() for name, tensor in zip(self.names, self.average)}

    def save(self):
        if os.environ["RANK"] != "0":
            return
        path = self.config.checkpoint(self.stage)
        state = {"masters": dict(zip(self.names, self.masters)), "ema": self.ema_weights(), "rows": self.rows,
                 "optimizer": self.optimizer.state_dict(), "iteration": self.iteration, "extras": self.extras}
        torch.save(state, path + ".part")
        os.replace(path + ".part", path)
        if self.rows:
            with open(os.path.join(self.config.logs, self.stage + ".csv"), "w", newline="") as file:
                writer = csv.DictWriter(file, list(self.rows[-1]))
                writer.writeheader()
                writer.writerows(self.rows)
