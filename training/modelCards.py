"""The README.md of every model folder: YAML front matter, origin, figures of evaluate.py, limits, failures, how to make it again.

The failures.jpg and failures.md that the cards of the end-to-end models point to are written afterwards, by `plumbline study failures`.
"""

import json
import os
import subprocess

from run import load_ema, origin_of, samples_seen

TITLES = {"plumbline-depth": "Plumbline depth (diffusion)", "plumbline-normals": "Plumbline surface normals (diffusion)",
          "plumbline-e2e-depth": "Plumbline depth (end-to-end, one step)",
          "plumbline-e2e-normals": "Plumbline surface normals (end-to-end, one step)"}

CARD = """---
license: apache-2.0
pipeline_tag: {tag}
tags: [{tag}, marigold, plumbline]
---

# {title}

A small estimator trained from nothing on rendered scenes, made so that Plumbline shows a result within a minute of being
installed and without a download. It follows the protocol of *Fine-Tuning Image-Conditional Diffusion Models is Easier than
You Think* (Martin Garcia et al., WACV 2025) with networks of about a hundredth of the size. The folder follows the layout of
diffusers; parts shared by several models lie in `../shared` and are named in `model_index.json` under `_plumbline`.

**Output.** {output}

**How it works.** {method}

**Trained on** {scenes} procedurally rendered scenes (rooms, table-tops and portraits, outdoor; `training/renderer`) of
{size} pixels{large}. {material}

**Network.** UNet of {parameters:.1f} M parameters in the layout of Stable Diffusion 2, an autoencoder of factor 4 with
{vae_parameters:.2f} M parameters (`../shared/vae`), a constant two-token context in place of a text encoder
(`empty_prompt.safetensors`). Best at about {size} pixels: larger images are scaled down, and fine detail is lost.

## Figures
On the held-out set ({heldout}; textures and layouts never seen in training), {measure}.
`reconstruction`: the truth through the autoencoder, the best that any row can reach. `leading`, `trailing`: the diffusion model
with that many steps. `diffusion-zeros`: the diffusion model run in one step from zeros. `e2e`: fine-tuned end to end.

{table}

## On real photographs
It has only ever seen rendered scenes. On photographs of rooms, floors and objects on a table the rough layout is often
plausible; often it is not: people, animals, plants, mirrors, glass, text, close-ups and distant landscapes are misread, and
nothing in the output says so. The figures above hold for rendered scenes only and must not be expected on photographs.
For work, use a full-size checkpoint (Marigold, E2E-FT).

## What it gets wrong
{failures}

**Do not use it** for measuring, for navigation or robotics, for anything that concerns safety, or to judge what Marigold or
the paper's models can do. Depth has no unit: its scale and shift are unknown.

## How it was made
| | |
|---|---|
| configuration | `training/configs/{config}.json`{weights_before} |
| seed | {seed} |
| code | commit `{commit}` |
| samples seen | {samples} |

```sh
cd training
{commands}
```

These commands make such weights, not these to the bit: the configuration holds the last lengths and rates, which were changed, and checkpoints
chosen between, while runs were under way (`training/logs/{config}.md`), and scenes were taken in as they were rendered. `training/README.md`
says what each command does.
"""

OUTPUTS = {"depth": "Affine-invariant depth in [0, 1]: 0 near, 1 far, planar (z), scale and shift unknown. Sky is far.",
           "normals": "Unit normals in the camera frame x right, y up, z toward the viewer (RUB). Sky is (0, 0, 1)."}
METHODS = {True: "One step: t = 999, zeros in place of noise, no randomness. Fine-tuned from the diffusion model through the "
                 "frozen decoder on the paper's {equation}{extra}.",
           False: "Diffusion: v-prediction, DDIM, trailing time steps. One network serves depth and normals, told apart by "
                  "the context. {zeros:.0f} % of its training samples had t = T and zeros for noise, so that the one-step setting is part "
                  "of it. Steps beyond the first sharpen more than they correct; `leading` with one step is noise."}
EQUATIONS = {"depth": "affine-invariant loss (Eq. 1)", "normals": "angular loss (Eq. 2)"}
MATERIAL = {False: "No photograph, no pretrained weight and no data of others went into it.",
            True: "Some surfaces carry photographic textures (`training/renderer/TEXTURES.md`); no photograph of a scene and no pretrained\nweight went into it."}
# Splits without photographic textures; what runs saw before they wrote down their splits.
PATTERNED = ("train", "train-wide")
FAILURES = {
    True: """![Held-out scenes and photographs that it gets wrong](failures.jpg)

The held-out scenes with the greatest errors, and real photographs whose layout it misses: [what is wrong in each](failures.md).""",
    False: """One `leading` step (`leading-1` above) is noise: the schedule tells the network that its input is almost clean. Ten `trailing` steps are {more}
than one. The end-to-end models began as this network, and what they get wrong is pictured beside them:
[depth](../plumbline-e2e-depth/failures.md), [normals](../plumbline-e2e-normals/failures.md).""",
}
COLUMNS = {"depth": (("absrel", "AbsRel %"), ("delta1", "delta1 %")),
           "normals": (("meanAngle", "mean angle (degrees)"), ("pct11_25", "below 11.25 degrees %"))}
MEASURES = {"depth": "depth aligned by least squares, sky masked, per image and then averaged",
            "normals": "sky masked, per image and then averaged"}


def figures_table(task, figures):
    """A Markdown table of the rows of heldout.json that hold this task's figures."""
    keys, heads = zip(*COLUMNS[task])
    rows = [f"| {name} | " + " | ".join(f"{row[key]:.1f}" for key in keys) + " |"
            for name, row in figures.items() if keys[0] in row]
    return "\n".join([f"| | {' | '.join(heads)} |", "|---" * (len(keys) + 1) + "|", *rows])


def commit_of_code():
    """The commit that is checked out, and whether anything in training/ differs from it."""
    folder = os.path.dirname(os.path.abspath(__file__))
    git = lambda *arguments: subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=True).stdout
    changed = [line[3:] for line in git("status", "--porcelain", "--untracked-files=no", "--", ".").splitlines()]
    return git("rev-parse", "HEAD")[:12] + ("`, with changes in `" + "`, `".join(changed) if changed else "")


def commands_of(config, stages, splits):
    """The shell commands, in training/, that render the splits, train these stages and write the models."""
    path = f"configs/{config['name']}.json"
    lines = [] if set(splits) <= set(PATTERNED) else ["python3 fetchTextures.py"]
    lines += [f"python3 renderScenes.py --config {path} --split {split} --out .cache/scenes/{split}" for split in splits]
    lines.append(f"python3 trainVae.py {path}")
    origins = [stage for stage in stages if origin_of(config, stage)]
    if origins:
        lines.append(f"python3 adaptLatents.py configs/mini.json {path}    # after runAll.sh configs/mini.json")
    if "diffusion" not in origins:
        lines.append(f"python3 encodeLatents.py {path} && python3 trainDiffusion.py {path}")
    for stage in stages:
        if stage.startswith("e2e-"):
            lines.append(f"python3 trainE2e.py {path} {stage.removeprefix('e2e-')}")
            averaged = load_ema(config, stage).get("averaged")
            if averaged:
                lines.append(f"python3 averageWeights.py {path} {stage} CHECKPOINT...    # copies kept at iterations {', '.join(f'{i:,}' for i in averaged)}")
    return "\n".join([*lines, f"python3 evaluate.py {path} && python3 exportModels.py {path}"])


def write_card(config, name, task, e2e, parameters, vae_parameters):
    with open(os.path.join(config.logs, "heldout.json")) as file:
        figures = json.load(file)
    with open(os.path.join(config.heldout, "index.json")) as file:
        heldout = len(json.load(file)["scenes"])
    stages = ["diffusion", f"e2e-{task}"] if e2e else ["diffusion"]
    last = stages[-1]
    relative = task == "depth" and config["e2e"].get("relative_weight")
    extra = f" and {relative} times the same error relative to the depth in metres" if relative else ""
    method = METHODS[e2e].format(equation=EQUATIONS[task], extra=extra, zeros=100 * config["diffusion"]["zeros_share"])
    samples = [f"autoencoder {samples_seen(config, 'vae'):,} crops", f"diffusion {samples_seen(config, 'diffusion'):,} (both tasks)"]
    if e2e:
        samples.append(f"end-to-end {samples_seen(config, last):,}")
    if origin_of(config, last):
        method += (" Its first and last convolutions were then fitted to an autoencoder that had been trained further "
                   "(`training/adaptLatents.py`)" + (", and it was trained on with that." if e2e else "."))
    height, width = config["e2e" if e2e else "diffusion"]["phases"][-1]["size"]
    error = COLUMNS[task][0][0]
    more = "worse" if figures["trailing-10"][error] > figures["trailing-1"][error] else "no worse"
    run = load_ema(config, last)
    splits = run.get("splits", PATTERNED)
    photographic = any(name not in PATTERNED for name in splits)
    card = CARD.format(title=TITLES[name], tag="depth-estimation" if task == "depth" else "image-to-image",
                       output=OUTPUTS[task], method=method, material=MATERIAL[photographic], large=" (some of 256 x 192)" if "train-large" in splits else "", size=f"{width} x {height}",
                       scenes=f"{run.get('scenes', 0):,}", parameters=parameters,
                       vae_parameters=vae_parameters, heldout=f"{heldout} rendered scenes", measure=MEASURES[task],
                       table=figures_table(task, figures), failures=FAILURES[e2e].format(more=more), config=config["name"], seed=config["seed"],
                       weights_before=", going on from the weights of `training/configs/mini.json`" if origin_of(config, last) else "",
                       commit=commit_of_code(), samples=", ".join(samples), commands=commands_of(config, stages, splits))
    with open(os.path.join(config.models, name, "README.md"), "w") as file:
        file.write(card)
