import type * as vscode from "vscode";
import type { Device } from "../core/settings";
import type { EngineClient } from "../inference/client";
import type { PredictParams } from "../protocol/inference";
import type { Log } from "./log";
import type { Model } from "./models";
import type { Settings } from "./settings";

/** What panels share. */
export interface Services {
  readonly extensionUri: vscode.Uri;
  readonly engine: EngineClient;
  readonly log: Log;
  readonly settings: () => Settings;
  readonly models: () => Promise<readonly Model[]>;
  /** Fires when the list of models may have changed. */
  readonly onDidChangeModels: vscode.Event<void>;
  /** Folder of the runs that are kept, absolute; made when it is first needed. */
  readonly cacheDir: string;
  /** Told whenever a run starts or ends. */
  readonly onRunning: () => void;
  /** Told the device that a run got. */
  readonly onDevice: (device: Device) => void;
}

/** Where runs are kept, and how much of the disk they may take. */
export function cacheOf(dir: string, settings: Pick<Settings, "cache.sizeGB">): NonNullable<PredictParams["cache"]> {
  return { dir, maxBytes: Math.round(settings["cache.sizeGB"] * 1e9) };
}
