import type { SpotCheckSpec } from "../evaluation/spec";
import type { SpotMark, SpotProgress, SpotRecord } from "../evaluation/spotRun";
import type { ModelChoice } from "./panel";

/** What the page knows of an image of the sample. */
export type SpotItem = Pick<SpotRecord, "id" | "reason" | "remedy" | "values" | "oddities" | "sha256" | "millis"> & {
  /** `pending` until it was examined. */
  readonly status: SpotRecord["status"] | "pending";
  /** Of its small pictures, relative to the results: "<this>depth.webp". */
  readonly picture: string;
};

export type SpotItemMark = Pick<SpotMark, "id" | "mark" | "note">;

/** What a run is doing; `idle` where there is none. */
export type SpotPhase = "idle" | "starting" | "running" | "paused" | "stopping";

export interface SpotRunState {
  readonly phase: SpotPhase;
  readonly progress?: SpotProgress & { readonly imagesPerSecond?: number; readonly remainingMillis?: number };
}

/** From the extension host to the page of a spot check. */
export type ToSpotPage =
  /** First, and again when the file was saved; the results that follow take the place of those before. */
  | {
      readonly type: "init";
      /** URI of the folder. */
      readonly folder: string;
      /** Its name. */
      readonly title: string;
      /** As in the file, or as it would be saved. */
      readonly spec: SpotCheckSpec;
      readonly isSaved: boolean;
      readonly models: readonly ModelChoice[];
      readonly presets: readonly { readonly id: string; readonly title: string; readonly task: "depth" | "normals" }[];
      /** Address of the results' folder, with a slash at its end. */
      readonly results: string;
      readonly runNames: readonly string[];
    }
  | { readonly type: "items"; readonly items: readonly SpotItem[] }
  /** Paths of images that are to be examined, or are known already. */
  | { readonly type: "pending"; readonly ids: readonly string[] }
  | { readonly type: "marks"; readonly marks: readonly SpotItemMark[] }
  | { readonly type: "run"; readonly state: SpotRunState }
  | { readonly type: "notice"; readonly message: string };

/** From the page of a spot check to the extension host. */
export type FromSpotPage =
  | { readonly type: "ready" }
  | { readonly type: "save"; readonly spec: SpotCheckSpec }
  | { readonly type: "run"; readonly spec: SpotCheckSpec; readonly retryFailed: boolean }
  | { readonly type: "pause" | "resume" | "cancel" | "report" | "showLog" }
  | ({ readonly type: "mark" } & SpotItemMark)
  | { readonly type: "open"; readonly id: string }
  | { readonly type: "error"; readonly message: string };

/** What VS Code keeps of a page, from which it is restored. */
export interface SpotPageState {
  readonly version: 1;
  /** URI of the folder. */
  readonly folder: string;
}
