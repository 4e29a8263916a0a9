"""Stage 4: end-to-end fine-tuning of one task from the diffusion UNet: trainE2e.py CONFIG depth|normals.

t = T, zeros for noise: z_T = 0, so z_0 = -sqrt(1 - abar_T) v; the loss is on the map that the frozen decoder makes of it. The
scenes are mirrored, seen through windows, changed in colour and encoded as they are drawn.
"""

import sys

import torch

from data import Scenes, jittered, random_boxes, viewed
from encodeLatents import load_vae
from losses import affine_invariant_l1, angular_error, relative_error
from run import TASKS, Config, Trainer, iteration_generator, load_ema, start
from schedule import Schedule
from trainDiffusion import phase_of
from unet import UNet


def predict_map(unet, vae, scale, schedule, rgb_latent, context, z=None):
    """rgb latent [N, 4, h, w] (scaled) -> decoded map [N, 3, H, W], one step from zeros (or from z, shaped as rgb_latent)."""
    n, t = rgb_latent.shape[0], schedule.steps - 1
    z = torch.zeros_like(rgb_latent) if z is None else z
    sample = torch.cat([rgb_latent, z], 1).contiguous(memory_format=torch.channels_last)
    timestep = torch.full((n,), t, device=rgb_latent.device)
    v = unet(sample, timestep, context.to(rgb_latent).expand(n, -1, -1))
    z0 = (schedule.abar[t] ** 0.5).item() * z - ((1 - schedule.abar[t]) ** 0.5).item() * v
    return vae.decode((z0 / scale).contiguous(memory_format=torch.channels_last))


def depth_loss(decoded, truth, relative, mask, settings):
    """Eq. 1 on the mean of the decoded channels; the sky counts a little, so that it is not left undefined.

    Eq. 1 leaves scale and shift free, but what leaves [-1, 1] is clipped when the map is used: the excess is added. So is
    `relative_weight` times the same error over the depth in metres, on which AbsRel and delta1 depend.
    """
    depth = decoded.mean(1, keepdim=True)
    loss = affine_invariant_l1(depth, truth[:, :1], mask + settings["sky_weight"] * (1 - mask))
    loss = loss + (depth.abs() - 1).clamp(min=0).mean()
    if settings.get("relative_weight"):
        loss = loss + settings["relative_weight"] * relative_error(depth, truth[:, :1], relative, mask)
    return loss


def draw_scenes(scenes, phase, settings, generator):
    """Numbers, mirroring and windows of a batch, and its size: long [N], bool [N], long [N, 4] or None, (h, w).

    phase["sizes"]: rows of h, w, probability; what is left of 1 is phase["size"], the shape of the scenes. Another shape is
    seen through windows of that shape, so that nothing is stretched more than `crop` stretches it.
    """
    count, full = phase["batch"], scenes.raw("mask", 0).shape
    indices = scenes.draw(count, settings.get("shares"), generator)
    mirror = torch.rand(count, generator=generator) < 0.5
    windows = "crop" in settings and torch.rand(1, generator=generator) < 0.5
    size, within = phase["size"], full
    if "sizes" in phase:
        chance = torch.rand(1, generator=generator).item()
        for height, width, share in phase["sizes"]:
            chance -= share
            if chance < 0:
                scale = min(full[0] / height, full[1] / width)
                size, within, windows = (height, width), (height * scale, width * scale), True
                break
    return indices, mirror, random_boxes(count, full, settings["crop"], generator, within) if windows else None, size


def draw_large(scenes, phase, settings, generator):
    """As draw_scenes, at the size at which the scenes were rendered (settings["large"]: folders, and every how many batches)."""
    full = scenes.raw("mask", 0).shape
    return draw_scenes(scenes, {"batch": phase["batch"], "size": full}, {**settings, "shares": None}, generator)


def train_step(trainer, task, scenes, chosen, settings, encode, predict, device, generator):
    """One update from the scenes that draw_scenes chose."""
    rgb = jittered(viewed(scenes, "rgb", *chosen), generator).to(device)
    truth, mask = viewed(scenes, task, *chosen), viewed(scenes, "mask", *chosen).to(device)
    decoded = predict(trainer.model, encode(rgb)).float()
    if task == "depth":
        loss = depth_loss(decoded, truth[0].to(device), truth[1].to(device), mask, settings)
    else:
        loss = angular_error(decoded, truth.to(device), mask + settings["sky_weight"] * (1 - mask))
    loss.backward()
    trainer.step({"loss": loss.item()}, len(rgb))


def lengths_of(settings, task):
    """The settings with the lengths of one task where they differ from task to task ({task: iterations})."""
    own = lambda value: value[task] if isinstance(value, dict) else value
    phases = [{**phase, "iterations": own(phase["iterations"])} for phase in settings["phases"]]
    return {**settings, "phases": phases, "decay": own(settings.get("decay"))}


def main(config, task):
    settings = lengths_of(config["e2e"], task)
    settings["iterations"] = sum(phase["iterations"] for phase in settings["phases"])
    device, dtype, rank, world = start(config["seed"])
    origin = load_ema(config, settings.get("origin", "diffusion").format(task=task))
    model = UNet(config["unet"]["network"])
    model.load_state_dict(origin["weights"])
    model = model.to(device, dtype, memory_format=torch.channels_last)
    trainer = Trainer(config, f"e2e-{task}", model, settings, {"contexts": origin["contexts"]})
    vae, scale = load_vae(config, device, dtype)
    schedule, context = Schedule(**config["schedule"]), origin["contexts"][TASKS.index(task)]
    predict = lambda unet, rgb: predict_map(unet, vae, scale, schedule, rgb, context)
    encode = torch.no_grad()(lambda rgb: vae.encode(rgb.to(dtype).contiguous(memory_format=torch.channels_last))[0] * scale)
    pool = lambda folders: Scenes(folders, ("rgb", task, "mask"))
    scenes = pool(config.scene_folders())
    large = pool([config.scene_folder(name) for name in settings.get("large", {}).get("scenes", [])])
    trainer.resume()
    while trainer.iteration < settings["iterations"]:
        phase = phase_of(settings["phases"], trainer.iteration)
        if trainer.iteration % 500 == 0:
            scenes.refresh(), large.refresh()
        trainer.extras.update(scenes=scenes.count + large.count, splits=sorted(scenes.splits() + large.splits()))
        generator = iteration_generator(config["seed"] + 1, trainer.iteration, rank, world)
        # By iteration, not by chance: processes that average their gradients wait for the slowest.
        turn = large.count and trainer.iteration % settings["large"]["every"] == 0
        chosen = draw_large(large, phase, settings, generator) if turn else draw_scenes(scenes, phase, settings, generator)
        train_step(trainer, task, large if turn else scenes, chosen, settings, encode, predict, device, generator)


if __name__ == "__main__":
    main(Config(sys.argv[1]), sys.argv[2])
