import { halfFromMap } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import type { NormalsFrame, Semantics, Task } from "../../src/core/semantics";
import type { DecodedImage, PredictEvent, Provenance, RunResult, StepPlan } from "../../src/protocol/inference";
import type { ModelChoice, PanelSettings, PanelState, RowSettings, ToWebview } from "../../src/protocol/panel";

/** Messages as the host sends them, on maps whose every value is known. */

export const models: readonly ModelChoice[] = [
  { id: "depth", name: "Plumbline Depth", task: "depth", endToEnd: false },
  { id: "normals", name: "Plumbline Normals", task: "normals", endToEnd: false },
  { id: "e2e-depth", name: "Plumbline E2E Depth", task: "depth", endToEnd: true },
  { id: "e2e-normals", name: "Plumbline E2E Normals", task: "normals", endToEnd: true },
];

export const multi: RowSettings = { rowId: "multi", label: "Multi-step", models: { depth: "depth", normals: "normals" }, steps: 4, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" } };
export const single: RowSettings = { ...multi, rowId: "single", label: "Single step", steps: 1 };

export function settingsOf(...rows: readonly RowSettings[]): PanelSettings {
  return { rows, seed: 2024, processingResolution: 768 };
}

export function stateOf(settings: PanelSettings, names: readonly string[] = ["room.jpg"]): PanelState {
  return {
    version: 1,
    images: names.map((name) => `file:///pictures/${name}`),
    current: 0,
    settings,
    view: { colormap: "Spectral", rangePercentiles: [0, 100], showStd: true },
  };
}

export function init(state: PanelState): ToWebview {
  return { type: "init", state, models, images: state.images.map((uri) => ({ uri, name: uri.split("/").pop() ?? "" })) };
}

export function mapOf(width: number, height: number, channels: 1 | 3, value: (x: number, y: number, c: number) => number): FloatMap {
  const data = new Float32Array(width * height * channels);
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / channels);
    data[i] = value(pixel % width, Math.floor(pixel / width), i % channels);
  }
  return { width, height, channels, data };
}

export function photoOf(width: number, height: number): DecodedImage {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < rgb.length; i++) rgb[i] = (i * 7) % 251;
  return { width, height, rgb };
}

/** From `from` at the left to `to` at the right. */
export function ramp(width: number, height: number, from = 0, to = 1): FloatMap {
  return mapOf(width, height, 1, (x) => from + ((to - from) * x) / (width - 1));
}

/** Unit vectors that differ from pixel to pixel. */
export function directions(width: number, height: number): FloatMap {
  return mapOf(width, height, 3, (x, y, c) => {
    const right = (x / (width - 1)) * 1.4 - 0.7;
    const up = 0.7 - (y / (height - 1)) * 1.4;
    const norm = Math.hypot(right, up, 0.8);
    return [right, up, 0.8][c] / norm;
  });
}

export function event(generation: number, predictEvent: PredictEvent): ToWebview {
  return { type: "event", generation, event: predictEvent };
}

export function resultOf(row: RowSettings, task: Task, map: FloatMap, extra: Partial<RunResult> & { frame?: NormalsFrame; timesteps?: readonly number[]; totalMillis?: number } = {}): RunResult {
  const { frame = "RUB", timesteps = [999, 749, 499, 249].slice(0, row.steps), totalMillis = 3210, ...rest } = extra;
  const semantics: Semantics = task === "depth" ? { task, depthKind: "affine-depth" } : { task, frame };
  const provenance: Provenance = {
    tool: { name: "plumbline", version: "0.1.0" },
    image: { path: "/pictures/room.jpg", width: map.width, height: map.height, sha256: "0" },
    model: { id: row.models[task] ?? "", dir: "/models", files: {} },
    task,
    semantics,
    settings: { steps: row.steps, spacing: row.spacing, ensembleSize: row.ensembleSize, noise: row.noise, seed: 2024, processingResolution: 768 },
    processingSize: { width: map.width, height: map.height },
    timesteps,
    device: "cpu",
    timingsMillis: { load: 100, encode: 300, denoise: 2000, decode: 700, combine: 110, total: totalMillis },
    versions: {},
    finishedAt: "2025-01-01T00:00:00Z",
  };
  return { runId: `${row.rowId}:${task}`, runKey: runKeyOf(row, task), map, provenance, ...rest };
}

export function runKeyOf(row: RowSettings, task: Task): string {
  return `key-${row.rowId}-${task}`;
}

/** A schedule of 1000 timesteps whose noise level is the timestep's own part of them; leading runs are told too little at first. */
export function planOf(row: RowSettings): StepPlan[] {
  const timesteps = Array.from({ length: row.steps }, (_, i) => (row.spacing === "leading" ? Math.floor(((row.steps - 1 - i) * 1000) / row.steps) + 1 : 999 - Math.floor((i * 1000) / row.steps)));
  const level = (timestep: number): number => (timestep + 1) / 1000;
  return timesteps.map((timestep, i) => ({ timestep, alphaBar: 1 - level(timestep) ** 2, toldNoise: level(timestep), inputNoise: i > 0 ? level(timestep) : row.noise.kind === "zeros" ? 0 : 1 }));
}

export function planned(row: RowSettings, task: Task, cached = false): PredictEvent {
  return { type: "planned", runId: `${row.rowId}:${task}`, runKey: runKeyOf(row, task), cached, steps: planOf(row) };
}

/** Every so many pixels of a map, so that it has at most 96 on a side. */
export function thumbnailOf(map: FloatMap): FloatMap {
  const stride = Math.ceil(Math.max(map.width, map.height) / 96);
  return mapOf(Math.floor(map.width / stride), Math.floor(map.height / stride), map.channels, (x, y, c) => map.data[(y * stride * map.width + x * stride) * map.channels + c]);
}

export function step(row: RowSettings, task: Task, index: number, map: FloatMap, stdSoFar?: FloatMap): Extract<PredictEvent, { type: "step" }> {
  const { timestep } = planOf(row)[index];
  return { type: "step", runId: `${row.rowId}:${task}`, member: 0, step: index, steps: row.steps, timestep, map: halfFromMap(map), thumbnail: thumbnailOf(map), stdSoFar };
}

/** A whole run of the rows on a 48 x 32 image: ramps for depth, `directions` for normals. */
export function wholeRun(generation: number, settings: PanelSettings, image = 0, width = 48, height = 32): ToWebview[] {
  const results = settings.rows.flatMap((row, r): PredictEvent[] => {
    const depth = ramp(width, height, 0.1 * r, 1 + 0.1 * r);
    const std = row.steps > 1 ? { stdOverSteps: mapOf(width, height, 1, (_x, y) => y / (height - 1) / 10) } : {};
    return [
      planned(row, "depth"),
      planned(row, "normals"),
      { type: "result", result: resultOf(row, "depth", depth, std) },
      { type: "result", result: resultOf(row, "normals", directions(width, height), std) },
    ];
  });
  const events: PredictEvent[] = [{ type: "image", image: photoOf(width, height) }, { type: "device", device: "cpu" }, ...results];
  return [
    { type: "started", generation, image, settings },
    ...events.map((item) => event(generation, item)),
    { type: "finished", generation, elapsedMillis: 8400 },
  ];
}
