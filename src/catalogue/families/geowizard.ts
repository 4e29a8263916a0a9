import { join } from "node:path";
import { unexpected } from "../../core/errors";
import type { ClipPreprocessing } from "../../core/latent";
import { booleanAt, numberAt, objectAt, readJsonFile, required, stringAt, type JsonFile } from "../jsonFile";
import { componentSource, readScheduler, readUnet, readVae, repositoryOf, schedulerPath, type Checkpoint } from "./components";
import type { GeoWizardDescription } from "./description";

/** The pipeline class of this family. */
export const geoWizardClass = "DepthNormalEstimationPipeline";

/** GeoWizard, and GeoWizard fine-tuned end to end. Throws as `describeModel`. */
export async function describeGeoWizard(checkpoint: Checkpoint): Promise<GeoWizardDescription> {
  const { dir, index, own, names } = checkpoint;
  const unet = await readUnet(checkpoint);
  requireTaskLabels(unet.config);
  const vae = await readVae(checkpoint);
  const preprocessorPath = join(dir, "feature_extractor", "preprocessor_config.json");
  const endToEnd = booleanAt(own, "e2e") ?? names.some((name) => /e2e/.test(name));
  return {
    family: "geowizard",
    id: repositoryOf(dir),
    dir,
    path: dir,
    tasks: ["depth", "normals"],
    normalsFrame: "LUB",
    open: [],
    endToEnd,
    unet: unet.source,
    vae,
    resizeFilter: "bicubic",
    scheduler: await readScheduler(checkpoint),
    imageEncoder: await componentSource(checkpoint, "image_encoder"),
    clip: await readClipPreprocessing(preprocessorPath),
    // The GeoWizard code's own.
    defaults: {
      steps: endToEnd ? 1 : (numberAt(own, "default_steps") ?? 10),
      spacing: "trailing",
      noise: endToEnd ? "zeros" : "gaussian",
      processingResolution: unet.sampleSize * vae.downsamplingFactor,
    },
    assumptions: [],
    files: [index.path, schedulerPath(checkpoint), preprocessorPath],
  };
}

/** The UNet is told task and domain by ten numbers. */
function requireTaskLabels(config: JsonFile): void {
  const kind = stringAt(config, "class_embed_type");
  if (kind !== "projection") throw unexpected("unsupported", `"class_embed_type" of ${config.path}`, '"projection"', kind);
  const length = required(numberAt(config, "projection_class_embeddings_input_dim"), config, "projection_class_embeddings_input_dim");
  if (length !== 10) throw unexpected("unsupported", `"projection_class_embeddings_input_dim" of ${config.path}`, "10 (task and domain)", length);
}

async function readClipPreprocessing(path: string): Promise<ClipPreprocessing> {
  const file = await readJsonFile(path, "Download the checkpoint completely.");
  const crop = typeof file.values["crop_size"] === "number" ? undefined : objectAt(file, "crop_size");
  const side = (key: string): number => required(crop ? numberAt(crop, key) : numberAt(file, "crop_size"), file, `crop_size.${key}`);
  return { width: side("width"), height: side("height"), mean: channelsAt(file, "image_mean"), std: channelsAt(file, "image_std") };
}

function channelsAt(file: JsonFile, key: string): readonly number[] {
  const values = file.values[key];
  const isChannels = Array.isArray(values) && values.length === 3 && values.every((value) => typeof value === "number" && Number.isFinite(value));
  if (!isChannels) throw unexpected("bad-model", `"${key}" of ${file.path}`, "three numbers", values);
  return values as readonly number[];
}
