import { Option, type Command } from "commander";
import type { DeviceChoice } from "../core/settings";
import { openSafetensors, readInt64, readTensor, writeSafetensors } from "../io/safetensors";
import type { ComponentParams } from "../protocol/inference";
import { report, withEngine } from "./engine";
import { deviceOption } from "./programOptions";

interface ComponentOptions {
  readonly inputs: string;
  readonly outputs: string;
  readonly part?: "encoder" | "decoder";
  readonly device: DeviceChoice;
  readonly json?: true;
}

/** Declares `plumbline component`. */
export function addComponent(program: Command): void {
  program
    .command("component")
    .description("Run one network of a checkpoint on given tensors: how parity with PyTorch is checked.")
    .argument("<dir>", "folder of the network, with config.json and .safetensors")
    .requiredOption("--inputs <file>", "tensors to put in (.safetensors; int64 stays int64)")
    .requiredOption("--outputs <file>", "where to write what comes out (.safetensors)")
    .addOption(new Option("--part <part>", "which half of a VAE").choices(["encoder", "decoder"]))
    .addOption(deviceOption())
    .option("--json", "print names and shapes of the outputs as JSON on stdout")
    .addHelpText("after", `
Tensors in and out:
  UNet         sample, timestep, encoder_hidden_states, class_labels (where there are classes) -> out_sample
  VAE          --part encoder: image -> moments; --part decoder: latent -> image
  CLIP text    input_ids -> last_hidden_state

Example:
  plumbline component marigold/unet --inputs in.safetensors --outputs out.safetensors`)
    .action(runComponent);
}

async function runComponent(dir: string, { inputs, outputs, part, device, json }: ComponentOptions): Promise<void> {
  const tensors = await readInputs(inputs);
  await withEngine(async ({ engine, signal }) => {
    const result = await engine.component({ dir, part, inputs: tensors, device }, { signal });
    await writeSafetensors(outputs, result.outputs);
    const shapes = Object.fromEntries(Object.entries(result.outputs).map(([name, { dims }]) => [name, dims]));
    if (json) process.stdout.write(`${JSON.stringify({ outputs: shapes })}\n`);
    else report(`${Object.entries(shapes).map(([name, dims]) => `${name} [${dims.join(", ")}]`).join(", ")} -> ${outputs}`);
  });
}

async function readInputs(path: string): Promise<ComponentParams["inputs"]> {
  const file = await openSafetensors(path);
  const inputs: Record<string, ComponentParams["inputs"][string]> = {};
  for (const [name, { dtype }] of file.tensors) inputs[name] = await (dtype === "I64" ? readInt64(file, name) : readTensor(file, name));
  return inputs;
}
