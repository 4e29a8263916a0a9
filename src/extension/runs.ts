import type { LibraryModel } from "../catalogue/library";
import { PlumblineError } from "../core/errors";
import { rowsOfPreset, type Preset, type PresetId } from "../core/presets";
import type { Task } from "../core/semantics";
import type { Device, DeviceChoice, RunRequest } from "../core/settings";
import type { PredictParams } from "../protocol/inference";
import { panelStateVersion, type PanelSettings, type PanelState, type RowSettings, type ViewState } from "../protocol/panel";
import { modelOf, type Model } from "./models";
import type { Settings } from "./settings";

/** What a panel is opened for. */
export type PanelKind = "estimate" | "compare" | PresetId;

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

/** The runs of a preset. Throws `not-found` when there is a model for none of them. */
export function inspectRows(preset: Preset, models: readonly Model[], settings: Settings): readonly RowSettings[] {
  const rows = rowsOfPreset(preset, models, { seed: settings.seed, rows: [] });
  if (rows.length > 0) return rows;
  throw new PlumblineError("not-found", `Expected a model for "${preset.title}" but received none.`, "Add the folder of a diffusion model to the setting plumbline.models.");
}

/** A row of one model alone, with the settings that it was made for. Throws `bad-model` for one that cannot be used. */
export function modelRow({ id, name, description, problem }: LibraryModel, task: Task, others: readonly RowSettings[]): RowSettings {
  if (!description) throw new PlumblineError("bad-model", `Expected a model that can be used but received ${name}. ${problem ?? ""}`.trim(), "Download it first.");
  const { steps, spacing, noise, processingResolution } = description.defaults;
  let number = others.length;
  while (others.some(({ rowId }) => rowId === `model-${number}`)) number++;
  return { rowId: `model-${number}`, label: name, models: { [task]: id }, steps, spacing, ensembleSize: 1, noise: { kind: noise }, processingResolution };
}

/** A row with another model for one task; the settings of that model too, where the row shows nothing else. */
export function withModel(row: RowSettings, added: RowSettings, task: Task): RowSettings {
  const models = { ...row.models, ...added.models };
  const isOnly = Object.keys(row.models).every((other) => other === task);
  return isOnly ? { ...added, rowId: row.rowId, models } : { ...row, models };
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
export function initialState(rows: readonly RowSettings[], images: readonly string[], models: readonly Model[], settings: Settings, view: Partial<ViewState> = {}): PanelState {
  const used = rows.flatMap((row) => Object.entries(row.models).map(([task, id]) => modelOf(models, id, task as Task)));
  const processingResolution = settings.processingResolution ?? Math.max(0, ...used.map((model) => model.processingResolution));
  return {
    version: panelStateVersion,
    images,
    current: 0,
    settings: { rows, seed: settings.seed, processingResolution },
    view: { colormap: settings.colormap, rangePercentiles: [2, 98], showStd: rows.some((row) => row.steps > 1), ...view },
  };
}

/** The state of a restored panel, checked. Throws `protocol-mismatch` for one that another version saved. */
export function restoredState(saved: unknown): PanelState {
  const state = (typeof saved === "object" && saved !== null ? saved : {}) as Partial<PanelState>;
  const isComplete = Array.isArray(state.images) && state.images.length > 0 && typeof state.current === "number" && Array.isArray(state.settings?.rows) && state.view !== undefined;
  if (state.version === panelStateVersion && isComplete) return state as PanelState;
  throw new PlumblineError("protocol-mismatch", `Expected a panel saved by this version (${panelStateVersion}) but received version ${state.version ?? "unknown"}.`, "Open the image again.");
}

/** Above this many pixels an image's maps are shown, and exported, at processing size: enlarged they would hold no more, and fill the memory. */
const sourceSizePixels = 4e6;

/** What is the same for all rows. */
export interface RequestOptions {
  readonly models: readonly Model[];
  /** For rows that name none. */
  readonly device: DeviceChoice;
  /** Only these rows; all when absent. */
  readonly only?: readonly string[];
  /** Of the image, in pixels. */
  readonly size?: { readonly width: number; readonly height: number };
  readonly cache?: PredictParams["cache"];
}

/** A model that a row names and that is not there. */
export interface MissingModel {
  readonly id: string;
  readonly task: Task;
  readonly row: RowSettings;
}

/**
 * What the engine is asked for one image, a request a device, in the order of the rows; and the models that are missing,
 * whose runs are left out. No requests when no run is left.
 */
export function predictRequests(imagePath: string, settings: PanelSettings, options: RequestOptions): { requests: readonly PredictParams[]; missing: readonly MissingModel[] } {
  const { models, device, only, size, cache } = options;
  const missing: MissingModel[] = [];
  const byDevice = new Map<DeviceChoice, RunRequest[]>();
  let tinyDecoderDir: string | undefined;
  for (const row of settings.rows.filter(({ rowId }) => only?.includes(rowId) ?? true)) {
    for (const task of tasks) {
      const id = row.models[task];
      if (id === undefined) continue;
      const model = models.find((candidate) => candidate.id === id && candidate.task === task);
      if (!model) {
        missing.push({ id, task, row });
        continue;
      }
      const { steps, spacing, ensembleSize, noise, seed = settings.seed, processingResolution = settings.processingResolution } = row;
      // A feed-forward network has one run, whatever the row's other model does.
      const onePass = model.family === "feedforward" ? { steps: 1, ensembleSize: 1, noise: { kind: "zeros" } as const } : {};
      const ofFamily = { ...onePass, ...(model.family === "geowizard" && row.domain && { domain: row.domain }), ...(model.family !== "feedforward" && row.decoder && { decoder: row.decoder }) };
      const run = { runId: `${row.rowId}:${task}`, modelDir: model.dir, task, settings: { steps, spacing, ensembleSize, noise, seed, processingResolution, ...ofFamily } };
      if (row.decoder === "tiny") tinyDecoderDir ??= model.tinyDecoderDir;
      const runDevice = row.device ?? device;
      byDevice.set(runDevice, [...(byDevice.get(runDevice) ?? []), run]);
    }
  }
  const mapSize = size && size.width * size.height > sourceSizePixels ? "processing" : "source";
  const requests = [...byDevice].map(([runDevice, runs]): PredictParams => ({
    imagePath, runs, device: runDevice, mapSize, recordSteps: false,
    stepMaps: runs.some((run) => run.settings.steps > 1),
    ...(cache && { cache }),
    ...(tinyDecoderDir !== undefined && { tinyDecoderDir }),
  }));
  return { requests, missing };
}
