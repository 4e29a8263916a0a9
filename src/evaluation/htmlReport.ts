import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { robustScores, type Column } from "./columns";
import { Html, html } from "./html";
import { pictureKinds, picturePath, type PictureKind } from "./pictures";
import { duplicatesOf, presentColumns, summaryOf, type SpotSummary } from "./report";
import { reportStyle } from "./reportStyle";
import type { SpotFolder } from "./resultFolder";
import type { SpotRecord } from "./spotRun";

/** A histogram as SVG text in the colours of the text around it. */
export type DrawHistogram = (values: readonly number[]) => string;

/** Images shown at each end of the ranking, and lines of a list before it refers to the CSV. */
const examples = 12;
const listed = 200;
/** Robust z-score from which an image stands out: beyond it lies one in two thousand of a normal distribution. */
const outlying = 3.5;

/** What images are ranked by, the first that they have: against truth, between runs, by themselves. */
const ranking = ["absRel", "meanAngle", "depthDisagreement", "normalsDisagreement", "depthUncertainty", "normalsUncertainty", "consistency"];

/** A report in one file that needs no script and no network: settings, tables, histograms, examples, and what went wrong. */
export async function reportHtml(folder: SpotFolder, histogram: DrawHistogram): Promise<string> {
  const { setup, result, pending } = folder;
  const summary = summaryOf(result);
  const columns = presentColumns(result);
  const done = result.records.filter(({ status }) => status === "done");
  const ranked = rankedBy(columns, done);
  // Of few images none is both.
  const each = Math.min(examples, Math.ceil((ranked?.records.length ?? 0) / 2));
  const page = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${setup.title}: ${setup.folder}</title><style>${new Html(reportStyle)}</style></head>
<body><main>
<header><h1>${setup.title}</h1><p class="path">${setup.folder}</p>${tallies(summary, pending.length)}</header>
${paperTables(folder, summary)}
${ranked ? html`<section><h2>Worst by ${ranked.column.title}</h2><p class="meaning">${ranked.column.meaning}</p>${await gallery(folder, ranked.records.slice(0, each), ranked.column)}</section>
<section><h2>Best by ${ranked.column.title}</h2>${await gallery(folder, ranked.records.slice(each).slice(-each).reverse(), ranked.column)}</section>` : undefined}
<section><h2>Every number</h2><p class="meaning">Mean and median over the images; the histogram counts images.</p><div class="cards">${columns.map((column) => card(column, folder, summary, histogram))}</div></section>
${outliers(columns, done)}
${failures(result.records)}
${oddities(result.records)}
${marks(folder)}
<section><h2>Settings</h2><table class="plain"><tbody>${setup.settings.map(([label, value]) => html`<tr><th scope="row">${label}</th><td>${value}</td></tr>`)}</tbody></table></section>
</main></body>
</html>
`;
  return page.text;
}

function tallies({ images, marks: { good, bad, unsure } }: SpotSummary, pending: number): Html {
  const items: [string, number][] = [["images", images.total], ["done", images.done], ["failed", images.failed], ["odd", images.odd]];
  if (pending > 0) items.push(["not looked at yet", pending]);
  if (good + bad + unsure > 0) items.push(["marked good", good], ["marked bad", bad], ["marked unsure", unsure]);
  return html`<ul class="tallies">${items.map(([label, count]) => html`<li class="${label === "failed" && count > 0 ? "bad" : ""}"><b>${count}</b> ${label}</li>`)}</ul>`;
}

/** The layouts of the paper's tables 1 (depth) and 2 (normals), so that numbers can be laid beside them. */
function paperTables({ setup: { truth, runs } }: SpotFolder, { perImage, pooledNormals }: SpotSummary): Html | undefined {
  if (!truth) return undefined;
  const meanOf = (run: string, i: number, id: string): number | undefined => perImage[i === 0 ? id : `${run}.${id}`]?.mean;
  const cell = (value: number | undefined, factor = 1): Html => html`<td>${value === undefined ? "–" : (factor * value).toFixed(1)}</td>`;
  const head = (a: string, b: string): Html => html`<thead><tr><th rowspan="2" scope="col">Method</th><th colspan="2" scope="colgroup">${truth.title}</th></tr><tr><th scope="col">${a} ↓</th><th scope="col">${b} ↑</th></tr></thead>`;
  if (truth.task === "depth") {
    const rows = runs.map((run, i) => html`<tr><th scope="row">${run}</th>${cell(meanOf(run, i, "absRel"), 100)}${cell(meanOf(run, i, "delta1"), 100)}</tr>`);
    return html`<section><h2>Depth against ground truth</h2><table class="paper">${head("AbsRel", "δ1")}<tbody>${rows}</tbody></table><p class="meaning">Percent; measured in each image after least-squares alignment, then averaged (Marigold's protocol).</p></section>`;
  }
  const rows = runs.flatMap((run, i) => [
    html`<tr><th scope="row">${run}, all pixels together</th>${cell(pooledNormals[run]?.mean)}${cell(pooledNormals[run]?.below["11.25"])}</tr>`,
    html`<tr><th scope="row">${run}, per image, then averaged</th>${cell(meanOf(run, i, "meanAngle"))}${cell(meanOf(run, i, "below11.25"))}</tr>`,
  ]);
  return html`<section><h2>Normals against ground truth</h2><table class="paper">${head("Mean", "11.25°")}<tbody>${rows}</tbody></table><p class="meaning">Mean angle in degrees, and percent of the pixels within 11.25 degrees. All pixels together is DSINE's protocol, which the paper reports; per image is Marigold's.</p></section>`;
}

function rankedBy(columns: readonly Column[], done: readonly SpotRecord[]): { readonly column: Column; readonly records: readonly SpotRecord[] } | undefined {
  for (const id of ranking) {
    const column = columns.find((candidate) => candidate.id === id);
    const records = done.filter(({ values }) => values[id] !== undefined);
    if (column && records.length > 0) return { column, records: records.sort((a, b) => b.values[id] - a.values[id]) };
  }
  return undefined;
}

async function gallery({ out }: SpotFolder, records: readonly SpotRecord[], column: Column): Promise<Html> {
  const figures = await Promise.all(
    records.map(async (record) => {
      const pictures = await Promise.all(pictureKinds.map((kind) => picture(out, record.id, kind)));
      return html`<figure><div class="strip">${pictures.flatMap((image) => image ?? [])}</div><figcaption><b>${shown(record.values[column.id], column)}</b> ${record.id}</figcaption></figure>`;
    }),
  );
  return html`<div class="gallery">${figures}</div>`;
}

async function picture(out: string, id: string, kind: PictureKind): Promise<Html | undefined> {
  const bytes = await readFile(join(out, picturePath(id, kind))).catch(() => undefined);
  return bytes && html`<img alt="${kind} of ${id}" title="${kind}" src="data:image/webp;base64,${bytes.toString("base64")}">`;
}

function card(column: Column, { result }: SpotFolder, { perImage }: SpotSummary, histogram: DrawHistogram): Html {
  const values = result.records.flatMap((record) => (column.id === "millis" ? [record.millis] : (record.values[column.id] ?? [])));
  const { mean, median, count } = perImage[column.id];
  const isSame = values.every((value) => value === values[0]);
  const some = count < result.records.length ? html`<span>${count} images</span>` : undefined;
  const direction = { higher: "higher is worse", lower: "lower is worse", none: "" }[column.worse];
  return html`<div class="card"><h3>${column.title}</h3><p class="numbers"><b>${shown(mean, column)}</b> mean <b>${shown(median, column)}</b> median ${some}</p>${isSame ? html`<p class="same">The same in every image.</p>` : new Html(histogram(values.map((value) => value * column.shownFactor)))}<p class="meaning">${column.meaning} ${direction && `(${direction})`}</p></div>`;
}

function outliers(columns: readonly Column[], done: readonly SpotRecord[]): Html | undefined {
  const found = columns.filter(({ worse, id }) => worse !== "none" && id !== "validPixels").flatMap((column) => {
    const records = done.filter(({ values }) => values[column.id] !== undefined);
    const scores = robustScores(records.map(({ values }) => values[column.id]));
    return records.flatMap((record, i) => {
      const score = column.worse === "higher" ? scores[i] : -scores[i];
      return score > outlying ? [{ record, column, score }] : [];
    });
  });
  if (found.length === 0) return undefined;
  found.sort((a, b) => b.score - a.score);
  const rows = found.slice(0, listed).map(({ record, column, score }) => html`<tr><td>${record.id}</td><td>${column.title}</td><td>${shown(record.values[column.id], column)}</td><td>${score.toFixed(1)}</td></tr>`);
  return section("Outliers", `Images that are far worse in one number than most: the score is the distance to the median in robust standard deviations, from ${outlying}.`, ["Image", "Number", "Value", "Score"], rows, found.length);
}

function failures(records: readonly SpotRecord[]): Html | undefined {
  const failed = records.filter(({ status }) => status === "failed");
  if (failed.length === 0) return undefined;
  return section("Failed", "Images that could not be looked at.", ["Image", "Why", "What to do"], failed.slice(0, listed).map(({ id, reason, remedy }) => html`<tr><td>${id}</td><td>${reason}</td><td>${remedy}</td></tr>`), failed.length);
}

function oddities(records: readonly SpotRecord[]): Html | undefined {
  const doubles = duplicatesOf(records);
  const odd = records.map((record) => ({ record, words: [...record.oddities, ...(doubles.has(record.id) ? [`the same file as ${doubles.get(record.id)}`] : [])] })).filter(({ words }) => words.length > 0);
  if (odd.length === 0) return undefined;
  return section("Odd", "Images that were looked at, and what is unusual about them.", ["Image", "What is odd"], odd.slice(0, listed).map(({ record, words }) => html`<tr><td>${record.id}</td><td>${words.join("; ")}</td></tr>`), odd.length);
}

function marks({ result }: SpotFolder): Html | undefined {
  const marked = result.records.flatMap(({ id }) => result.marks.get(id) ?? []);
  if (marked.length === 0) return undefined;
  return section("Marked", "What people said of images.", ["Image", "Mark", "Note"], marked.slice(0, listed).map(({ id, mark, note }) => html`<tr><td>${id}</td><td>${mark === "none" ? "" : mark}</td><td>${note}</td></tr>`), marked.length);
}

function section(title: string, meaning: string, heads: readonly string[], rows: readonly Html[], total: number): Html {
  const more = total > rows.length ? html`<p class="meaning">${total - rows.length} more in samples.csv.</p>` : undefined;
  return html`<section><h2>${title} <small>${total}</small></h2><p class="meaning">${meaning}</p><div class="scroll"><table><thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>${more}</section>`;
}

function shown(value: number | undefined, { shownFactor, decimals, unit }: Column): string {
  if (value === undefined) return "–";
  const space = unit === "" ? "" : unit === "%" ? " %" : unit === "deg" ? "°" : ` ${unit}`;
  return `${(value * shownFactor).toFixed(decimals)}${space}`;
}
