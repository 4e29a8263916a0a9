import type { HalfMap } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import { depthKindText, normalsFrameText, type DepthKind, type NormalsFrame, type Task } from "../../src/core/semantics";
import type { DecodedImage } from "../../src/protocol/inference";
import type { PanelState, RowSettings, ShownRef, Thumbnail, ViewState } from "../../src/protocol/panel";
import { lutOf } from "./colormaps";
import type { Picture } from "../gl/painter";
import { durationText, percentile, rangeOf, shortText } from "./measures";
import { lettersOf, type Letters } from "./letters";
import { isSameRef, shownRun as runOnShow, semanticsOf } from "../maps";
import type { Page } from "../page";
import { chosenStep, stepRef, timelineOf, type TimelineView } from "./stops";
import { dropUnwantedSpreads } from "./spreads";
import { variationTile } from "./variation";
import { runIdOf, type Generation, type RunView, type StepView } from "../session";
import { isOnePass, modelsOf } from "../state";

export type Column = "photo" | Task | "variation";

/** One tile as it should look now; the page is brought to match it. */
export interface TileView {
  /** `${rowId}:${column}`. */
  readonly key: string;
  readonly column: Column;
  readonly title: string;
  /** "t = 899, step 2 of 10", "3.2 s": changes while results stream in. */
  readonly badge: string;
  /** What the numbers mean, in one line, and in full for the tooltip. */
  readonly kind: string;
  readonly kindInFull: string;
  /** Absent until something has arrived; then `waiting` says for what. */
  readonly picture?: Picture;
  /** What the probe reads; `signX` -1 where normals are shown in the other frame. */
  readonly map?: FloatMap | HalfMap;
  readonly signX: 1 | -1;
  /** Read in place of `map` where several are shown. */
  readonly read?: (u: number, v: number) => { readonly values: readonly number[]; readonly text: string } | undefined;
  readonly waiting: string;
  readonly busy: boolean;
  /** From the run before; dimmed. */
  readonly stale: boolean;
  /** Says that there is nothing to show, for good. */
  readonly nothing?: string;
  /** What the legend explains. */
  readonly frame?: NormalsFrame;
  readonly depthKind?: DepthKind;
  /** Part of the steps done, while they stream in. */
  readonly stepFraction?: number;
  /** A small picture to show until the photograph is decoded. */
  readonly preview?: string;
  readonly task?: Task;
  /** What is shown, for comparing; absent on tiles that are no map of a run. */
  readonly ref?: ShownRef;
  /** Everything else shows its difference to it. */
  readonly pinned?: boolean;
  /** "A" and "B" while it is chosen for the comparison. */
  readonly letters?: readonly string[];
  /** How ExportRequest names what is shown; absent while there is no result. */
  readonly exportable?: { readonly generation: number; readonly quantity: "map" | "std" | "stdOverMembers" };
}

export interface RowView {
  readonly rowId: string;
  readonly label: string;
  readonly summary: string;
  readonly status: string;
  /** Models, and what was converted or assumed, for the tooltip. */
  readonly details: string;
  /** What its maps mean, in two words each; in full for the tooltip. */
  readonly kinds: readonly { readonly text: string; readonly title: string }[];
  /** All its results were read from the cache. */
  readonly cached: boolean;
  readonly timeline: TimelineView;
  readonly tiles: readonly TileView[];
}

export interface Scene {
  readonly columns: readonly Column[];
  readonly rows: readonly RowView[];
  /** Width / height; undefined until it is known. */
  readonly aspect?: number;
  readonly photo?: DecodedImage;
}

const taskTitle: Record<Task, string> = { depth: "Depth", normals: "Normals" };

/** What all tiles show, from the saved state and from what has arrived. */
export function sceneOf(page: Page, thumbnail: Thumbnail | undefined, letters: Letters): Scene {
  const { state, generation } = page;
  const rows = shownRows(state, generation);
  const has = (task: Task): boolean => rows.some(({ models }) => models[task] !== undefined);
  const columns: Column[] = ["photo"];
  for (const task of ["depth", "normals"] as const) if (has(task)) columns.push(task);
  if (state.view.showStd) columns.push("variation");
  const photo = generation?.photo;
  const size = photo ?? thumbnail;
  const context: Context = { page, view: state.view, generation, rows, letters, preview: thumbnail?.source };
  const views = rows.map((row) => rowView(row, columns, context));
  dropUnwantedSpreads(page);
  return {
    columns,
    rows: views,
    aspect: size && size.width / size.height,
    photo,
  };
}

/** The rows that were run, without those removed since, under the names that they have now. */
function shownRows({ settings }: PanelState, generation: Generation | undefined): readonly RowSettings[] {
  if (!generation) return settings.rows;
  const labels = new Map(settings.rows.map(({ rowId, label }) => [rowId, label]));
  const rows = generation.settings.rows.filter(({ rowId }) => labels.has(rowId)).map((row) => ({ ...row, label: labels.get(row.rowId) ?? row.label }));
  return rows.length > 0 ? rows : generation.settings.rows;
}

/** What a tile is made from; maps of steps come from `page.storedOf`, or `page.mapOf` to compute with. */
export interface Context {
  readonly page: Page;
  readonly view: ViewState;
  readonly generation?: Generation;
  readonly rows: readonly RowSettings[];
  readonly letters: Letters;
  readonly preview?: string;
}

function rowView(row: RowSettings, columns: readonly Column[], context: Context): RowView {
  const runs = tasksOf(row).flatMap((task) => context.generation?.runs.get(runIdOf(row.rowId, task)) ?? []);
  return {
    rowId: row.rowId,
    label: row.label,
    summary: summaryOf(row, context),
    kinds: kindsOf(row, context),
    status: statusOf(row, context),
    details: detailsOf(row, context),
    cached: runs.length > 0 && runs.every(({ cached }) => cached),
    timeline: timelineOf(row, context),
    tiles: columns.map((column) => tileView(row, column, context)),
  };
}

export function tasksOf(row: RowSettings): Task[] {
  return (["depth", "normals"] as const).filter((task) => row.models[task] !== undefined);
}

function summaryOf(row: RowSettings, { page }: Context): string {
  const { steps, spacing, ensembleSize, noise, domain, decoder } = row;
  const models = modelsOf(row, page.session.models);
  if (isOnePass(models)) return "one pass, without steps and noise";
  const noiseText = noise.kind === "file" ? `noise from ${noise.path.split(/[\\/]/).pop()}` : noise.kind === "zeros" ? "no noise" : `${noise.kind} noise`;
  const members = ensembleSize > 1 ? ` · ${ensembleSize} members` : "";
  const told = models.some(({ family }) => family === "geowizard") ? ` · ${domain ?? "indoor"}` : "";
  return `${steps} ${steps === 1 ? "step" : "steps"} · ${spacing} · ${noiseText}${members}${told}${decoder === "tiny" ? " · tiny decoder" : ""}`;
}

const depthKindName: Readonly<Record<DepthKind, string>> = { "affine-depth": "affine depth", "affine-disparity": "disparity", "metric-depth": "metric depth, m" };

/** Of the results that are there: a row of disparity beside rows of depth is told from them by its name. */
function kindsOf(row: RowSettings, context: Context): RowView["kinds"] {
  return tasksOf(row).flatMap((task) => {
    const semantics = shownRun(row, task, context).run?.result?.provenance.semantics;
    if (!semantics) return [];
    return semantics.task === "depth"
      ? [{ text: depthKindName[semantics.depthKind], title: depthKindText[semantics.depthKind] }]
      : [{ text: `normals ${semantics.frame}`, title: `Unit surface normals, ${semantics.frame}: ${normalsFrameText[semantics.frame]}` }];
  });
}

function statusOf(row: RowSettings, { generation }: Context): string {
  const done = tasksOf(row).flatMap((task) => {
    const result = generation?.runs.get(runIdOf(row.rowId, task))?.result;
    return result ? [`${task} ${durationText(result.provenance.timingsMillis.total)}`] : [];
  });
  return done.join(" · ");
}

function detailsOf(row: RowSettings, { generation }: Context): string {
  const results = tasksOf(row).flatMap((task) => generation?.runs.get(runIdOf(row.rowId, task))?.result ?? []);
  const models = results.map(({ provenance: { task, model, processingSize } }) => `${taskTitle[task]}: ${model.id} at ${processingSize.width} × ${processingSize.height}`);
  return [...models, ...new Set(results.flatMap(({ provenance }) => provenance.notes ?? []))].join("\n");
}

function tileView(row: RowSettings, column: Column, context: Context): TileView {
  if (column === "photo") return photoTile(row, context);
  if (column === "variation") return variationTile(row, context);
  return mapTile(row, column, context);
}

export function blank(row: RowSettings, column: Column, title: string): TileView {
  return { key: `${row.rowId}:${column}`, column, title, badge: "", kind: "", kindInFull: "", signX: 1, waiting: "", busy: false, stale: false };
}

function photoTile(row: RowSettings, { view, generation, preview }: Context): TileView {
  const photo = generation?.photo;
  const exposure = view.exposure ?? 0;
  return {
    ...blank(row, "photo", "RGB"),
    badge: photo ? `${photo.width} × ${photo.height}` : "",
    kind: exposure === 0 ? "8-bit sRGB, as read" : `8-bit sRGB, exposure ${exposure > 0 ? "+" : ""}${exposure} EV`,
    kindInFull: "The photograph, 8-bit sRGB after orientation",
    waiting: generation?.status === "running" ? "Reading the image" : generation?.status === "failed" ? "Not read" : "",
    busy: generation?.status === "running" && !photo,
    preview,
    picture: photo ? { kind: "photo", image: photo, exposure } : undefined,
  };
}

/** The run on show of a row. */
export function shownRun(row: RowSettings, task: Task, { generation }: Context): { run?: RunView; stale: boolean } {
  return runOnShow(row.rowId, task, generation);
}

function mapTile(row: RowSettings, task: Task, context: Context): TileView {
  const tile = { ...blank(row, task, taskTitle[task]), task };
  if (row.models[task] === undefined) return { ...tile, nothing: `This row has no ${task} model.` };
  const { run, stale } = shownRun(row, task, context);
  const step = chosenStep(row.rowId, run, context) ?? (run?.result ? undefined : run?.steps.at(-1));
  const ref: ShownRef | undefined = step ? stepRef(row.rowId, task, step.step) : run?.result && { kind: "result", rowId: row.rowId, task };
  // A cached run races through its steps: their maps are not worth a question each.
  const racing = run?.cached && !run.result;
  const map = ref && !racing ? context.page.storedOf(ref) : undefined;
  const busy = isBusy(row, task, context);
  const exportable = run?.result && { generation: run.generation, quantity: "map" as const };
  const pinned = isSameRef(ref, context.view.pinned);
  const letters = lettersOf(ref, context.letters);
  const base = { ...tile, stale, busy, ref, pinned, letters, exportable, stepFraction: fractionOf(run, busy), badge: badgeOf(run, step, stale), waiting: waitingText(row, task, context), map };
  // Until the map of a step is here, its thumbnail stands for it; the probe does not read from it.
  const drawn = map ?? step?.thumbnail;
  return { ...base, ...(task === "depth" ? depthLook(drawn, run, context) : normalsLook(drawn, run, context)) };
}

/** Whether this very run is under way. */
export function isBusy(row: RowSettings, task: Task, { generation }: Context): boolean {
  const id = runIdOf(row.rowId, task);
  const run = generation?.runs.get(id);
  return generation?.status === "running" && !run?.result && (run?.latest !== undefined || generation.progress?.runId === id);
}

function fractionOf(run: RunView | undefined, busy: boolean): number | undefined {
  return busy && run?.latest && !run.result ? (run.latest.step + 1) / run.latest.steps : undefined;
}

function badgeOf(run: RunView | undefined, step: StepView | undefined, stale: boolean): string {
  if (stale) return "previous run";
  if (step) return `t = ${step.timestep} · ${step.step + 1}/${step.steps}`;
  const timesteps = run?.result?.provenance.timesteps;
  if (!timesteps?.length) return "";
  return timesteps.length === 1 ? `t = ${timesteps[0]}` : `t = ${timesteps[0]} → ${timesteps[timesteps.length - 1]}`;
}

function depthLook(map: FloatMap | HalfMap | undefined, run: RunView | undefined, { view }: Context): Partial<TileView> {
  const semantics = semanticsOf("depth", run);
  const depthKind: DepthKind = semantics.task === "depth" ? semantics.depthKind : "affine-depth";
  const kindInFull = depthKindText[depthKind];
  return {
    depthKind,
    kind: kindInFull.replace("(unknown scale and shift; ", "· ").replace("(", "· ").replace(")", ""),
    kindInFull,
    picture: map && { kind: "scalar", map, lut: lutOf(view.colormap), range: rangeOf(map, view.rangePercentiles) },
  };
}

function normalsLook(map: FloatMap | HalfMap | undefined, run: RunView | undefined, { view }: Context): Partial<TileView> {
  const semantics = semanticsOf("normals", run);
  const own: NormalsFrame = semantics.task === "normals" ? semantics.frame : "RUB";
  const frame = view.normalsFrame ?? own;
  const signX = frame === own ? 1 : -1;
  return {
    frame,
    signX,
    kind: `${frame}: ${normalsFrameText[frame]}`,
    kindInFull: `Unit surface normals, ${frame}: ${normalsFrameText[frame]}${signX < 0 ? ` (estimated in ${own})` : ""}`,
    picture: map && { kind: "normals", map, signX },
  };
}

export function waitingText(row: RowSettings, task: Task, { generation }: Context): string {
  if (!generation) return "Not estimated yet";
  if (generation.status === "cancelled") return "Cancelled";
  if (generation.status === "failed") return "Not finished";
  const { progress } = generation;
  if (progress?.runId !== runIdOf(row.rowId, task)) return "Waiting";
  return { load: "Loading the model", encode: "Encoding the image", denoise: "Denoising", decode: "Decoding", combine: "Combining" }[progress.stage];
}

/** A non-negative map: colours begin at 0, so that little variation looks like little. */
export function heat(map: FloatMap | undefined, { view }: Context, top = map ? percentile(map, view.rangePercentiles[1]) : 0): Partial<TileView> {
  if (!map) return {};
  const range: readonly [number, number] = [0, top > 0 ? top : 1];
  return { map, badge: `median ${shortText(percentile(map, 50))}`, picture: { kind: "scalar", map, lut: lutOf("magma"), range } };
}
