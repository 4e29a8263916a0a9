import type { Task } from "../core/semantics";
import type { NoiseChoice, TimestepSpacing } from "../core/settings";
import type { PredictEvent } from "./inference";

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
}

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
  readonly maximised?: string;
  readonly showStd: boolean;
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
}

export interface ImageItem {
  /** URI as a string. */
  readonly uri: string;
  readonly name: string;
}

/** What the user asked to export: which files, for which row and task. */
export interface ExportRequest {
  readonly rowId: string;
  readonly task: Task;
  readonly formats: readonly ("png" | "png16" | "npy")[];
  readonly quantity: "map" | "std";
  /** Display choices that the colour PNG repeats. */
  readonly colormap: string;
  readonly range: readonly [number, number];
}

/** Host -> webview. Float maps travel as typed arrays on buffers of their own. */
export type ToWebview =
  | { readonly type: "init"; readonly state: PanelState; readonly models: readonly ModelChoice[]; readonly images: readonly ImageItem[]; readonly thumbnails?: readonly string[] }
  | { readonly type: "started"; readonly generation: number; readonly image: number; readonly settings: PanelSettings }
  | { readonly type: "event"; readonly generation: number; readonly event: PredictEvent }
  | { readonly type: "finished"; readonly generation: number; readonly elapsedMillis: number }
  | { readonly type: "cancelled"; readonly generation: number }
  | { readonly type: "failed"; readonly generation: number; readonly message: string; readonly remedy: string }
  | { readonly type: "exported"; readonly files: readonly string[] };

/** Webview -> host. */
export type FromWebview =
  | { readonly type: "ready"; readonly state?: PanelState }
  | { readonly type: "run"; readonly image: number; readonly settings: PanelSettings }
  | { readonly type: "cancel" }
  | { readonly type: "state"; readonly state: PanelState }
  | { readonly type: "export"; readonly request: ExportRequest }
  | { readonly type: "showLog" }
  | { readonly type: "error"; readonly message: string };
