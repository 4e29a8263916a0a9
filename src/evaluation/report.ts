import { csvFrom } from "../core/csv";
import type { NormalsMetrics } from "../core/metrics";
import { AnglePool } from "./anglePool";
import { columnsOf, marigoldNames, medianOf, type Column } from "./columns";
import type { SpotMark, SpotRecord } from "./spotRun";

/** A finished spot check, ready to be written down. Records are in the order of the sample. */
export interface SpotResult {
  readonly runNames: readonly string[];
  readonly records: readonly SpotRecord[];
  readonly marks: ReadonlyMap<string, SpotMark>;
}

/** Means of a column over the images that have it. */
export interface ColumnSummary {
  readonly mean: number;
  readonly median: number;
  readonly count: number;
}

export interface SpotSummary {
  /** Odd are images with an oddity, and those with the content of an earlier one. */
  readonly images: { readonly total: number; readonly done: number; readonly failed: number; readonly odd: number };
  readonly marks: Readonly<Record<"good" | "bad" | "unsure", number>>;
  /** Per image, then averaged: Marigold's protocol for depth, and its own for normals. */
  readonly perImage: Readonly<Record<string, ColumnSummary>>;
  /** All pixels of all images together, by run: DSINE's protocol for normals. */
  readonly pooledNormals: Readonly<Record<string, NormalsMetrics>>;
}

/** Columns that at least one record has. */
export function presentColumns({ runNames, records }: SpotResult): readonly Column[] {
  const present = new Set(records.flatMap(({ values }) => Object.keys(values)));
  present.add("millis");
  return columnsOf(runNames).filter(({ id }) => present.has(id));
}

/**
 * One line an image: Marigold's columns first where there is depth truth (its names, its units), then ours. `millis` is the only column that differs between two runs of the
 * same spot check.
 */
export function samplesCsv(result: SpotResult): string {
  const columns = presentColumns(result);
  const ours = columns.filter(({ id }) => !(id in marigoldNames));
  const marigold = Object.entries(marigoldNames).filter(([id]) => columns.some((item) => item.id === id));
  const header = ["filename", ...marigold.map(([, name]) => name), ...ours.map(({ id, unit, shownFactor }) => (unit && shownFactor === 1 ? `${id}_${unit}` : id)), "status", "reason", "oddities", "duplicate_of", "mark", "note", "sha256"];
  const firstOf = duplicatesOf(result.records);
  const rows = result.records.map((record) => {
    const mark = result.marks.get(record.id);
    const value = (id: string): string => (id === "millis" ? String(record.millis) : numberText(record.values[id]));
    return [
      record.id, ...marigold.map(([id]) => value(id)), ...ours.map(({ id }) => value(id)),
      record.status, record.reason ?? "", record.oddities.join("; "), firstOf.get(record.id) ?? "", mark && mark.mark !== "none" ? mark.mark : "", mark?.note ?? "", record.sha256 ?? "",
    ];
  });
  return csvFrom(header, rows);
}

/** The first image with the same content, by image; images without a double are not in it. */
export function duplicatesOf(records: readonly SpotRecord[]): Map<string, string> {
  const first = new Map<string, string>();
  const found = new Map<string, string>();
  for (const { id, sha256 } of records) {
    if (sha256 === undefined) continue;
    const earlier = first.get(sha256);
    if (earlier === undefined) first.set(sha256, id);
    else found.set(id, earlier);
  }
  return found;
}

export function summaryOf(result: SpotResult): SpotSummary {
  const { records, marks } = result;
  const doubles = duplicatesOf(records);
  const perImage: Record<string, ColumnSummary> = {};
  for (const { id } of presentColumns(result)) {
    const values = records.flatMap((record) => (id === "millis" ? [record.millis] : (record.values[id] ?? [])));
    if (values.length > 0) perImage[id] = { mean: values.reduce((sum, value) => sum + value, 0) / values.length, median: medianOf(values), count: values.length };
  }
  const marked = (mark: SpotMark["mark"]): number => records.filter(({ id }) => marks.get(id)?.mark === mark).length;
  return {
    images: {
      total: records.length,
      done: records.filter(({ status }) => status === "done").length,
      failed: records.filter(({ status }) => status === "failed").length,
      odd: records.filter(({ id, oddities }) => oddities.length > 0 || doubles.has(id)).length,
    },
    marks: { good: marked("good"), bad: marked("bad"), unsure: marked("unsure") },
    perImage,
    pooledNormals: Object.fromEntries(result.runNames.flatMap((name) => pooled(records, name))),
  };
}

function pooled(records: readonly SpotRecord[], runName: string): [string, NormalsMetrics][] {
  const texts = records.flatMap(({ angles }) => angles?.[runName] ?? []);
  if (texts.length === 0) return [];
  const pool = new AnglePool();
  for (const text of texts) pool.add(text);
  return [[runName, pool.metrics()]];
}

/** Nine digits: enough to tell float32 values apart, and the same on every machine. */
function numberText(value: number | undefined): string {
  return value === undefined ? "" : String(Number(value.toPrecision(9)));
}
