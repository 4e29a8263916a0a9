import { rowsOfPreset, type Preset } from "../src/core/presets";
import type { Task } from "../src/core/semantics";
import type { ModelChoice, PanelSettings, RowSettings } from "../src/protocol/panel";

/** Rows that can be added with one click: the comparisons of the paper. */
export const rowKinds = {
  multi: { label: "Multi-step", add: "Multi-step", endToEnd: false, steps: 10, spacing: "trailing", noise: "gaussian" },
  single: { label: "Single step", add: "Single step", endToEnd: false, steps: 1, spacing: "trailing", noise: "gaussian" },
  leading: { label: "Leading, 1 step (the flaw)", add: "Leading, 1 step (the flaw)", endToEnd: false, steps: 1, spacing: "leading", noise: "gaussian" },
  endToEnd: { label: "E2E fine-tuned", add: "E2E fine-tuned", endToEnd: true, steps: 1, spacing: "trailing", noise: "zeros" },
} as const;

export type RowKind = keyof typeof rowKinds;

/** Whether a row of this kind is there, whatever its label and its exact number of steps. */
export function hasRow(settings: PanelSettings, kind: RowKind, models: readonly ModelChoice[]): boolean {
  const { endToEnd, steps, spacing } = rowKinds[kind];
  return settings.rows.some((row) => row.spacing === spacing && row.steps > 1 === steps > 1 && isEndToEnd(row, models) === endToEnd);
}

/** Whether one of its models is fine-tuned end to end. */
export function isEndToEnd(row: RowSettings, models: readonly ModelChoice[]): boolean {
  return Object.values(row.models).some((id) => models.find((model) => model.id === id)?.endToEnd);
}

/** The settings with a row of a kind at the end; undefined when there is no model for it. */
export function withRow(settings: PanelSettings, kind: RowKind, models: readonly ModelChoice[]): { settings: PanelSettings; rowId: string } | undefined {
  const { label, endToEnd, steps, spacing, noise } = rowKinds[kind];
  const first = (task: Task): string | undefined => models.find((model) => model.task === task && model.endToEnd === endToEnd)?.id;
  // The row compares with what is there: the same models as the first row that is of this sort.
  const same = settings.rows.find((row) => Object.values(row.models).some((id) => models.find((model) => model.id === id)?.endToEnd === endToEnd));
  const depth = same ? same.models.depth : first("depth");
  const normals = same ? same.models.normals : first("normals");
  if (depth === undefined && normals === undefined) return undefined;
  let number = 1;
  while (settings.rows.some(({ rowId }) => rowId === `${kind}-${number}`)) number++;
  const rowId = `${kind}-${number}`;
  const row: RowSettings = { rowId, label: number > 1 ? `${label} ${number}` : label, models: { depth, normals }, steps, spacing, ensembleSize: 1, noise: { kind: noise } };
  return { settings: { ...settings, rows: [...settings.rows, row] }, rowId };
}

/** The settings with one row changed. */
export function withChangedRow(settings: PanelSettings, rowId: string, change: Partial<RowSettings>): PanelSettings {
  return { ...settings, rows: settings.rows.map((row) => (row.rowId === rowId ? { ...row, ...change } : row)) };
}

/** The settings with a copy of a row below it, under a name of its own. */
export function withDuplicate(settings: PanelSettings, rowId: string): PanelSettings {
  const rows = settings.rows.flatMap((row) => (row.rowId === rowId ? [row, { ...row, rowId: freeId(settings, rowId), label: freeLabel(settings, row.label) }] : [row]));
  return { ...settings, rows };
}

function freeId({ rows }: PanelSettings, rowId: string): string {
  const stem = rowId.replace(/-\d+$/, "");
  let number = 2;
  while (rows.some((row) => row.rowId === `${stem}-${number}`)) number++;
  return `${stem}-${number}`;
}

function freeLabel({ rows }: PanelSettings, label: string): string {
  const stem = label.replace(/ \(\d+\)$/, "");
  let number = 2;
  while (rows.some((row) => row.label === `${stem} (${number})`)) number++;
  return `${stem} (${number})`;
}

/** The settings with the rows of a preset at the end or in place of all others, and which they are; none where there is no model. */
export function withPreset(settings: PanelSettings, preset: Preset, models: readonly ModelChoice[], replace: boolean): { settings: PanelSettings; rowIds: readonly string[] } {
  // The models of the rows that are replaced are still the ones that are meant.
  const added: readonly RowSettings[] = rowsOfPreset(preset, models, settings);
  const rows = added.length > 0 && replace ? added : [...settings.rows, ...added];
  return { settings: { ...settings, rows }, rowIds: added.map(({ rowId }) => rowId) };
}

/** Whether running `wanted` would give other numbers than `ran` did; labels and removed rows do not. */
export function isOutdated(wanted: PanelSettings, ran: PanelSettings): boolean {
  const numbers = ({ models, steps, spacing, ensembleSize, noise, seed, processingResolution, device }: RowSettings, all: PanelSettings): string =>
    JSON.stringify([models.depth, models.normals, steps, spacing, ensembleSize, noise, seed ?? all.seed, processingResolution ?? all.processingResolution, device]);
  return wanted.rows.some((row) => {
    const before = ran.rows.find(({ rowId }) => rowId === row.rowId);
    return !before || numbers(row, wanted) !== numbers(before, ran);
  });
}

/** The models of a row, as far as they are there. */
export function modelsOf({ models }: RowSettings, all: readonly ModelChoice[]): readonly ModelChoice[] {
  return all.filter(({ id, task }) => models[task] === id);
}

/** Whether none of a row's models denoises. */
export function isOnePass(models: readonly ModelChoice[]): boolean {
  return models.length > 0 && models.every(({ family }) => family === "feedforward");
}
