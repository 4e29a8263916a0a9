import type { RunResult } from "../protocol/inference";
import type { ExportRequest } from "../protocol/panel";

/** One map of the panel to be written, and the result that it comes from. */
export interface MapExport {
  readonly request: ExportRequest;
  readonly result: RunResult;
}

export async function exportMaps(_maps: readonly MapExport[]): Promise<readonly string[]> {
  return [];
}
