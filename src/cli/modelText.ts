import type { DownloadableModel } from "../catalogue/catalogue";
import type { LibraryModel, Licence } from "../catalogue/library";
import type { Semantics } from "../core/semantics";

/** What a model estimates, in a few words. */
export function semanticsText(semantics: readonly Semantics[]): string {
  const words = { "affine-depth": "depth", "affine-disparity": "disparity", "metric-depth": "metric depth" };
  return semantics.map((one) => (one.task === "depth" ? words[one.depthKind] : `normals ${one.frame}`)).join(", ");
}

/** "CC-BY-NC-4.0 (non-commercial)" */
export function licenceText(licence: Licence | undefined): string {
  return licence ? `${licence.name}${licence.nonCommercial ? " (non-commercial)" : ""}` : "";
}

/** Rows in columns of their widest cells, under their headings. */
export function columns(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) => line.map((cell, i) => (i === line.length - 1 ? cell : cell.padEnd(widths[i]))).join("  ").trimEnd()).join("\n");
}

/** The list of models, and under it why some of what is here cannot be used. */
export function listText(models: readonly LibraryModel[]): string {
  const rows = models.map(({ id, state, family, semantics, licence }) => [id, state, semanticsText(semantics), family, licenceText(licence)]);
  const problems = models.filter(({ problem }) => problem !== undefined).map(({ id, problem = "" }) => `${id}: ${problem}`);
  return [columns(["MODEL", "STATE", "PREDICTS", "FAMILY", "LICENCE"], rows), ...(problems.length > 0 ? ["", ...problems] : [])].join("\n");
}

/** Everything that is known of a model. */
export function showText(model: LibraryModel): string {
  const { id, name, state, family, semantics, licence, dir, revision, description, entry, problem } = model;
  const defaults = description?.defaults ?? entry?.defaults;
  const facts: [string, string | undefined][] = [
    ["Model", id],
    ["Name", name === id ? undefined : name],
    ["State", problem === undefined ? state : `${state}: ${problem}`],
    ["Predicts", semanticsText(semantics) || undefined],
    ["Family", family || undefined],
    ["Starts with", defaults && `${defaults.steps} ${defaults.steps === 1 ? "step" : "steps"}, ${defaults.spacing} timesteps, ${defaults.noise} noise${"processingResolution" in defaults ? `, longest side ${defaults.processingResolution}` : ""}`],
    ["Licence", licence && `${licenceText(licence)}${licence.url === undefined ? "" : `, ${licence.url}`}`],
    ["Folder", dir],
    ["Revision", revision],
    ["Page", entry && `https://huggingface.co/${entry.repository}`],
  ];
  const remarks = [...(description?.assumptions ?? []), ...(entry?.notes ?? [])];
  const figures = entry?.figures ?? [];
  return [
    ...facts.flatMap(([label, value]) => (value === undefined ? [] : [`${label.padEnd(12)}${value}`])),
    ...(remarks.length > 0 ? ["", ...remarks.map((remark) => `- ${remark}`)] : []),
    ...(figures.length > 0 ? ["", "The paper's figures for it:", figuresText(figures)] : []),
  ].join("\n");
}

/** What `--json` prints of a model. */
export function modelJson({ description, entry, ...model }: LibraryModel): object {
  return { ...model, endToEnd: description?.endToEnd ?? entry?.endToEnd, defaults: description?.defaults ?? entry?.defaults, assumptions: description?.assumptions, notes: entry?.notes, figures: entry?.figures };
}

function figuresText(figures: NonNullable<DownloadableModel["figures"]>): string {
  const rows = figures.flatMap(({ table, steps, ensemble, metrics, values }) => Object.entries(values).map(([set, [first, second]]) => [table, String(steps), String(ensemble), set, `${metrics[0]} ${first}`, `${metrics[1]} ${second}`]));
  return columns(["TABLE", "STEPS", "ENSEMBLE", "DATA SET", "ERROR", "INLIERS"], rows);
}
