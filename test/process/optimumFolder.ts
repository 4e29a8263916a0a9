import { copyFile, cp, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { architectures } from "../../src/graph/architectures";
import { GraphBuilder, type Dim, type Value } from "../../src/graph/builder";
import { Config } from "../../src/graph/config";
import { dataType, type DataType } from "../../src/graph/onnx";
import { openWeights } from "../../src/graph/weights";
import { readJsonObject } from "../../src/io/jsonFile";

/** What differs between versions of Optimum. */
export interface OptimumExport {
  /** The encoder draws its sample itself; here it takes the mean, so that the answer is known. */
  readonly latentSample?: boolean;
  readonly timestep?: "float" | "int64" | "scalar";
}

/** Builds a component under the names that Optimum gives its inputs and outputs. */
class ExportedBuilder extends GraphBuilder {
  exportedNames: Readonly<Record<string, string>> = {};
  options: OptimumExport = {};

  override input(name: string, dims: readonly Dim[], type: DataType = dataType.FLOAT): Value {
    const exported = this.exportedNames[name] ?? name;
    if (name !== "timestep" || this.options.timestep === undefined || this.options.timestep === "float") return { ...super.input(exported, dims, type), dims };
    const isScalar = this.options.timestep === "scalar";
    const given = super.input(exported, isScalar ? [] : dims, isScalar ? type : dataType.INT64);
    return isScalar ? this.node("Reshape", "timestep", [given, this.integers(1)], dims) : this.node("Cast", "timestep", [given], dims, { to: dataType.FLOAT });
  }

  override output(name: string, value: Value): void {
    const drawn = name === "moments" && this.options.latentSample ? this.node("Slice", "draw", [value, this.integers(0), this.integers(4), this.integers(1)], [value.dims[0], 4, value.dims[2], value.dims[3]]) : value;
    super.output(this.exportedNames[name] ?? name, drawn);
  }
}

/** Writes a checkpoint in diffusers layout as Optimum exports it: a network for each component, its weights in a file beside it. */
export async function writeOptimumFolder(checkpoint: string, folder: string, options: OptimumExport = {}): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of ["model_index.json", "scheduler", "tokenizer"]) await cp(join(checkpoint, name), join(folder, name), { recursive: true });
  const encoderNames = { image: "sample", moments: options.latentSample ? "latent_sample" : "latent_parameters" };
  await exportComponent("UNet2DConditionModel", join(checkpoint, "unet"), join(folder, "unet"), {}, options);
  await exportComponent("AutoencoderKL", join(checkpoint, "vae"), join(folder, "vae_encoder"), encoderNames, options, "encoder");
  await exportComponent("AutoencoderKL", join(checkpoint, "vae"), join(folder, "vae_decoder"), { latent: "latent_sample", image: "sample" }, options, "decoder");
  await exportComponent("CLIPTextModel", join(checkpoint, "text_encoder"), join(folder, "text_encoder"), {}, options);
}

async function exportComponent(kind: keyof typeof architectures, from: string, to: string, names: Readonly<Record<string, string>>, options: OptimumExport, part?: "encoder" | "decoder"): Promise<void> {
  await mkdir(to, { recursive: true });
  const weights = await openWeights(from, architectures[kind].weightsNames);
  const dataFile = "model.onnx_data";
  const builder = new ExportedBuilder(kind, weights, new Map(weights.dataPaths.map((path) => [path, dataFile])));
  builder.exportedNames = names;
  builder.options = options;
  architectures[kind].build(builder, new Config(join(from, "config.json"), await readJsonObject(join(from, "config.json"))), { part });
  await copyFile(join(from, "config.json"), join(to, "config.json"));
  await copyFile(weights.dataPaths[0], join(to, dataFile));
  await writeFile(join(to, "model.onnx"), builder.finish());
  if (weights.dataPaths.length !== 1) throw new Error(`one file of weights expected in ${basename(from)}`);
}
