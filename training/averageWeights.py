"""Ships the mean of some checkpoints of a stage: averageWeights.py CONFIG STAGE CHECKPOINT... (files).

The averaged weights (EMA) replace those of the stage's checkpoint, which evaluate.py and exportModels.py read; its optimiser state
and iteration stay, so that training can go on from where it was. Checkpoints of one run, after its rate has fallen or while it is
falling, lie close enough to each other for their mean to be a model (stochastic weight averaging, Izmailov et al., UAI 2018).
"""

import os
import sys

import torch

from run import Config, load_state


def mean_weights(states):
    """{name: tensor} of the states' averaged weights, the mean in float64 rounded to float32."""
    return {name: (sum(state["ema"][name].double() for state in states) / len(states)).float() for name in states[0]["ema"]}


def main(config, stage, paths):
    state = load_state(config, stage)
    states = [torch.load(path, map_location="cpu") for path in paths]
    state["ema"] = mean_weights(states)
    state["extras"]["averaged"] = [other["iteration"] for other in states]
    path = config.checkpoint(stage)
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)
    print(f"{stage}: the mean of iterations {state['extras']['averaged']}")


if __name__ == "__main__":
    main(Config(sys.argv[1]), sys.argv[2], sys.argv[3:])
