import type { SpotCheckSpec } from "../evaluation/spec";
import type { PanelSettings, RowSettings } from "../protocol/panel";
import { modelOf, type Model } from "./models";

/** The runs of a spot check as a panel has them, so that an image is seen there as it was judged. Throws `not-found` for a model that is not there. */
export function panelSettingsOf({ runs }: SpotCheckSpec, models: readonly Model[]): PanelSettings {
  const rows = runs.map((run, i): RowSettings => {
    const named = (["depth", "normals"] as const).flatMap((task) => (run[task] === undefined ? [] : [[task, run[task]] as const]));
    const used = named.map(([task, id]) => modelOf(models, id, task));
    const noise = run.noise ?? (used.every(({ endToEnd }) => endToEnd) ? "zeros" : "gaussian");
    const { steps, spacing, ensembleSize, seed } = run;
    const processingResolution = run.processingResolution ?? Math.max(...used.map((model) => model.processingResolution));
    return { rowId: `spot-${i}`, label: run.name, models: Object.fromEntries(named), steps, spacing, ensembleSize, noise: { kind: noise }, seed, processingResolution };
  });
  const [{ seed = 0, processingResolution = 0 }] = rows;
  return { rows, seed, processingResolution };
}
