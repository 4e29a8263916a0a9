import type { Task } from "../core/semantics";
import type { Device, DeviceChoice, RunRequest } from "../core/settings";
import type { PredictParams } from "../protocol/inference";
import { panelStateVersion, type PanelSettings, type PanelState, type RowSettings } from "../protocol/panel";
import { modelOf, type Model } from "./models";
import type { Settings } from "./settings";

/** What a panel is opened for. */
export type PanelKind = "estimate" | "compare";

const tasks: readonly Task[] = ["depth", "normals"];

/** One end-to-end run: the best that one step gives. Other models where none was fine-tuned end to end. */
export function estimateRows(models: readonly Model[]): readonly RowSettings[] {
  const chosen = chooseModels(models, true);
  const isEndToEnd = Object.entries(chosen).every(([task, id]) => modelOf(models, id, task as Task).endToEnd);
  return [{ rowId: "estimate", label: isEndToEnd ? "E2E fine-tuned" : "Single step", models: chosen, steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: isEndToEnd ? "zeros" : "gaussian" } }];
}

/** The same diffusion models over many steps and over one. */
export function compareRows(models: readonly Model[], steps: number): readonly RowSettings[] {
  const common = { models: chooseModels(models, false), spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" } } as const;
  return [
    { rowId: "multi", label: "Multi-step", steps, ...common },
    { rowId: "single", label: "Single step", steps: 1, ...common },
  ];
}

/** The first model of each task, of the wanted kind where there is one. */
function chooseModels(models: readonly Model[], endToEnd: boolean): RowSettings["models"] {
  const chosen: Partial<Record<Task, string>> = {};
  for (const task of tasks) {
    const ofTask = models.filter((model) => model.task === task);
    const model = ofTask.find((candidate) => candidate.endToEnd === endToEnd) ?? ofTask[0];
    if (model) chosen[task] = model.id;
  }
  return chosen;
}

/** Steps of a multi-step run on this device: the paper's 50 where they are quick. */
export function multiSteps(settings: Settings, device: Device): number {
  if (settings.defaultSteps > 0) return settings.defaultSteps;
  return device === "cpu" ? 10 : 50;
}

/** The state in which a panel is opened on `images` (URIs as strings). */
export function initialState(rows: readonly RowSettings[], images: readonly string[], models: readonly Model[], settings: Settings): PanelState {
  const used = rows.flatMap((row) => Object.entries(row.models).map(([task, id]) => modelOf(models, id, task as Task)));
  const processingResolution = settings.processingResolution ?? Math.max(0, ...used.map((model) => model.processingResolution));
  return {
    version: panelStateVersion,
    images,
    current: 0,
    settings: { rows, seed: settings.seed, processingResolution },
    view: { colormap: settings.colormap, rangePercentiles: [2, 98], showStd: rows.some((row) => row.steps > 1) },
  };
}

/** Above this many pixels an image's maps are shown, and exported, at processing size: enlarged they would hold no more, and fill the memory. */
const sourceSizePixels = 4e6;

/**
 * What the engine is asked for one image of a `size`: all rows, or `only` those named.
 * Throws `not-found` when a row names a model that is gone.
 */
export function predictParams(
  imagePath: string,
  settings: PanelSettings,
  models: readonly Model[],
  device: DeviceChoice,
  { only, size }: { readonly only?: readonly string[]; readonly size?: { readonly width: number; readonly height: number } } = {},
): PredictParams {
  const rows = settings.rows.filter((row) => only?.includes(row.rowId) ?? true);
  const runs = rows.flatMap((row) =>
    tasks.flatMap((task): RunRequest[] => {
      const id = row.models[task];
      if (id === undefined) return [];
      const { steps, spacing, ensembleSize, noise } = row;
      const { seed, processingResolution } = settings;
      return [{ runId: `${row.rowId}:${task}`, modelDir: modelOf(models, id, task).dir, task, settings: { steps, spacing, ensembleSize, noise, seed, processingResolution } }];
    }),
  );
  return { imagePath, runs, device, stepMaps: rows.some((row) => row.steps > 1), recordSteps: false, mapSize: size && size.width * size.height > sourceSizePixels ? "processing" : "source" };
}
