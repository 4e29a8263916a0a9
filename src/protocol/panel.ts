import type { AdvisedModel } from "../core/advice";
import type { NormalsFrame, Task } from "../core/semantics";
import type { HalfMap } from "../core/half";
import type { FloatMap } from "../core/image";
import type { Decoder, DeviceChoice, Domain, NoiseChoice, TimestepSpacing } from "../core/settings";
import type { CurvesParams, MapRef, PredictEvent, SeriesParams, SpreadParams, StepCurves } from "./inference";

/** Raised whenever a saved state changes shape; older states are migrated or refused with a message. */
export const panelStateVersion = 1;

/** What one row of the panel shows: depth and normals of one set of settings. */
export interface RowSettings {
  /** Unique in the panel; run ids are `${rowId}:${task}`. */
  readonly rowId: string;
  /** "Multi-step", "Single step", "Leading, 1 step", "E2E fine-tuned", ... */
  readonly label: string;
  /** Catalogue ids; a task without a model is not shown in this row. */
  readonly models: Readonly<Partial<Record<Task, string>>>;
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly ensembleSize: number;
  readonly noise: NoiseChoice;
  /** Those of `PanelSettings`, and the device of the user's settings, when absent. */
  readonly seed?: number;
  readonly processingResolution?: number;
  readonly device?: DeviceChoice;
  /** Of the models that are told one; indoor when absent. */
  readonly domain?: Domain;
  /** Of the models that have latents; the model's own when absent. */
  readonly decoder?: Decoder;
}

/** Something that can be compared: the result, a step, or a member of a row's run of a task, or a ground-truth file. */
export type ShownRef =
  | { readonly kind: "result"; readonly rowId: string; readonly task: Task }
  | { readonly kind: "step"; readonly rowId: string; readonly task: Task; readonly step: number }
  | { readonly kind: "member"; readonly rowId: string; readonly task: Task; readonly member: number }
  | { readonly kind: "file"; readonly path: string; readonly task: Task };

/** What one pixel of the variation column is: the spread over steps or members (or, of one, the difference to the first row), or over rows that differ in their seed alone. */
export interface Variation {
  readonly spread: "std" | "mad" | "range";
  readonly over: "steps" | "members" | "seeds";
  /** Pixels above it are marked; no mask when absent. In the units of the map. */
  readonly threshold?: number;
}

export type AbMode = "wipe" | "flicker" | "signed" | "absolute" | "relative" | "angle";

/** What takes the place of the tiles; they are shown when absent. */
export type StageView =
  | { readonly kind: "ab"; readonly a: ShownRef; readonly b: ShownRef; readonly mode: AbMode; /** Of the wipe, 0..1 of the width of the image that is seen. */ readonly split: number; /** The map beside a wipe or flicker; signed, or the angle, when absent. */ readonly difference?: Exclude<AbMode, "wipe" | "flicker"> }
  | { readonly kind: "space"; readonly of: ShownRef; readonly shape: "points" | "mesh"; readonly colour: "rgb" | "normals" | "std"; readonly fovDegrees: number; readonly scale: number; readonly shift: number };

/** Plots under the tiles. */
export type DockTab = "noise" | "change" | "probes" | "profile";

/** Everything needed to run again. */
export interface PanelSettings {
  readonly rows: readonly RowSettings[];
  readonly seed: number;
  readonly processingResolution: number;
}

/** How things are looked at; never changes a number. */
export interface ViewState {
  readonly colormap: string;
  /** Percentiles of the range shown, e.g. [2, 98]. */
  readonly rangePercentiles: readonly [number, number];
  /** The tile that fills the panel, by `${rowId}:${column}`. */
  readonly maximised?: string;
  readonly showStd: boolean;
  /** Which task's variation (std, or difference to the first row) the last column shows; depth when absent. */
  readonly variationOf?: Task;
  /** Stops added to the photograph and to normals when drawn; 0 when absent. */
  readonly exposure?: number;
  /** Image point (0..1) in the middle of every tile, and magnification over "fits the tile"; all of it when absent. */
  readonly viewpoint?: { readonly u: number; readonly v: number; readonly zoom: number };
  /** Frame in which normals are coloured and read out; each model's own when absent. */
  readonly normalsFrame?: NormalsFrame;
  /** `${rowId}` to index of the step on show; the result where there is none. */
  readonly shownSteps?: Readonly<Record<string, number>>;
  /** Choosing a step of one row moves the others to the nearest noise level. */
  readonly linkSteps?: boolean;
  /** Everything else shows its difference to it. */
  readonly pinned?: ShownRef;
  /** Ground truth of the current image. */
  readonly truth?: Extract<ShownRef, { kind: "file" }>;
  readonly variation?: Variation;
  readonly stage?: StageView;
  /** Closed when absent. */
  readonly dock?: DockTab;
  /** Image points whose values are listed over the steps. */
  readonly probes?: readonly { readonly u: number; readonly v: number }[];
  /** A line from and to image points, for the profile of depth along it. */
  readonly line?: readonly [{ readonly u: number; readonly v: number }, { readonly u: number; readonly v: number }];
}

/** What the webview hands to setState and what the serializer restores. */
export interface PanelState {
  readonly version: number;
  readonly images: readonly string[];
  readonly current: number;
  readonly settings: PanelSettings;
  readonly view: ViewState;
}

export interface ModelChoice {
  readonly id: string;
  readonly name: string;
  readonly task: Task;
  readonly endToEnd: boolean;
  /** "marigold", "geowizard", "depthfm" or "feedforward", where it is known. */
  readonly family?: string;
  /** Whether there is a tiny decoder for its latents. */
  readonly tinyDecoder?: boolean;
  /** What it was made for, by which other settings are told what they usually cost. */
  readonly advised?: AdvisedModel;
}

export interface ImageItem {
  /** URI as a string. */
  readonly uri: string;
  readonly name: string;
}

/** A file that the page made: text, or bytes. */
export interface PageFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}

/** What the page can ask of the host; every question is answered or refused. */
export interface Questions {
  /** Step and member maps are halves, results and files floats. */
  map: { params: MapRef; result: { readonly map: HalfMap | FloatMap } };
  spread: { params: Omit<SpreadParams, "cacheDir">; result: { readonly map: FloatMap } };
  curves: { params: Omit<CurvesParams, "cacheDir">; result: StepCurves };
  series: { params: Omit<SeriesParams, "cacheDir">; result: { readonly values: readonly (readonly (readonly number[])[])[] } };
  /** An open dialog for ground truth; no path when it is dismissed. */
  chooseTruth: { params: { readonly task: Task }; result: { readonly path?: string } };
  /** A folder is asked for, then all are written, with `provenance` as JSON beside them; no files when the dialog is dismissed. */
  saveFiles: { params: { readonly files: readonly PageFile[]; readonly provenance: unknown }; result: { readonly files: readonly string[] } };
  /** PNG (of the SVG), and an animated WebP of frames, are made by the host: it has the encoders. */
  saveFigure: { params: { readonly name: string; readonly svg: string; readonly provenance: unknown }; result: { readonly files: readonly string[] } };
  saveAnimation: { params: { readonly name: string; readonly width: number; readonly height: number; /** RGB, width x height x 3 each. */ readonly frames: readonly Uint8Array[]; readonly frameMillis: number; readonly provenance: unknown }; result: { readonly files: readonly string[] } };
  /** Saves the state as a `.plumbline.json` file. */
  saveSession: { params: { readonly state: PanelState }; result: { readonly file?: string } };
}

export type QuestionName = keyof Questions;

/** What the user asked to export: which files, for which row and task. */
export interface ExportRequest {
  /** The run whose result it is, as numbered by `started`. */
  readonly generation: number;
  readonly rowId: string;
  readonly task: Task;
  readonly formats: readonly ("png" | "png16" | "npy")[];
  /** "std" is over the steps, "stdOverMembers" over the ensemble. */
  readonly quantity: "map" | "std" | "stdOverMembers";
  /** Display choices that the colour PNG repeats. */
  readonly colormap: string;
  readonly range: readonly [number, number];
  readonly normalsFrame?: NormalsFrame;
}

/** A small picture of an image of the strip: a data: or webview URI; the size is the image's own, after orientation. */
export interface Thumbnail {
  readonly source: string;
  readonly width: number;
  readonly height: number;
}

/**
 * Host -> webview, in the order init, then for every run started, event*, and one of finished, cancelled, failed.
 * After `ready` from a reloaded webview the host sends what it still holds again in the same order.
 * Float maps travel as typed arrays on buffers of their own.
 */
export type ToWebview =
  | { readonly type: "init"; readonly state: PanelState; readonly models: readonly ModelChoice[]; readonly images: readonly ImageItem[] }
  /** Any time after init: a model was added or removed. */
  | { readonly type: "models"; readonly models: readonly ModelChoice[] }
  /** Any time after init; the panel reserves the tiles' aspect ratio from it and shows it until the image is decoded. */
  | { readonly type: "thumbnail"; readonly image: number; readonly thumbnail: Thumbnail }
  /** `only` as in `run`: rows that are run; the others keep the results of an earlier generation of the same image. */
  | { readonly type: "started"; readonly generation: number; readonly image: number; readonly settings: PanelSettings; readonly only?: readonly string[] }
  | { readonly type: "event"; readonly generation: number; readonly event: PredictEvent }
  | { readonly type: "finished"; readonly generation: number; readonly elapsedMillis: number }
  | { readonly type: "cancelled"; readonly generation: number }
  | { readonly type: "failed"; readonly generation: number; readonly message: string; readonly remedy: string }
  /** Something that the user should know and that ends no run: a saved image that was changed, a model that is gone. */
  | { readonly type: "notice"; readonly message: string; readonly remedy: string }
  /** Names of the written files; an export that fails is told by the host. */
  | { readonly type: "exported"; readonly files: readonly string[] }
  /** The end of an `ask`: its answer, or why there is none. */
  | { readonly type: "answer"; readonly id: number; readonly result: Questions[QuestionName]["result"] }
  | { readonly type: "refused"; readonly id: number; readonly message: string; readonly remedy: string }
  /** Answer to `chooseNoise`; not sent when the dialog is dismissed. */
  | { readonly type: "noiseChosen"; readonly rowId: string; readonly path: string };

/** Webview -> host. `run` cancels a run in progress. */
export type FromWebview =
  | { readonly type: "ready"; readonly state?: PanelState }
  /** `only` names the rows to run, when a row was added to ones that have their results; all rows when absent. */
  | { readonly type: "run"; readonly image: number; readonly settings: PanelSettings; readonly only?: readonly string[] }
  | { readonly type: "cancel" }
  /** Asks for an open dialog on .npy and .safetensors. */
  | { readonly type: "chooseNoise"; readonly rowId: string }
  | { readonly type: "state"; readonly state: PanelState }
  /** `more` are further maps to write to the same place. */
  | { readonly type: "export"; readonly request: ExportRequest; readonly more?: readonly ExportRequest[] }
  | { readonly type: "showLog" }
  | Ask
  /** Nobody waits any more for the answer to the ask of this number; none need come. */
  | { readonly type: "dismiss"; readonly id: number }
  | { readonly type: "error"; readonly message: string };

/** A question with its number; one variant a name. */
export type Ask = { [Name in QuestionName]: { readonly type: "ask"; readonly id: number; readonly name: Name; readonly params: Questions[Name]["params"] } }[QuestionName];
