import { sizeText } from "../catalogue/download";
import type { Licence, LibraryModel } from "../catalogue/library";
import { depthKindText, normalsFrameText, type DepthKind, type Semantics } from "../core/semantics";

const familyNames: Readonly<Record<string, string>> = { marigold: "Marigold", geowizard: "GeoWizard", depthfm: "DepthFM", feedforward: "feed-forward", "autoencoder-tiny": "fast decoder" };
const depthNames: Readonly<Record<DepthKind, string>> = { "affine-depth": "affine depth", "affine-disparity": "affine disparity", "metric-depth": "metric depth" };

/** What a model estimates, in a few words: "affine depth + normals LUB". */
export function predictsText(semantics: readonly Semantics[]): string {
  return semantics.map((one) => (one.task === "depth" ? depthNames[one.depthKind] : `normals ${one.frame}`)).join(" + ");
}

export function familyText(family: string): string {
  return familyNames[family] ?? family;
}

/** "non-commercial (CC-BY-NC-4.0)", "Apache-2.0"; empty where nothing is known. */
export function licenceText(licence: Licence | undefined): string {
  if (!licence) return "";
  if (licence.nonCommercial) return `non-commercial (${licence.name})`;
  return isOnPage(licence) ? "licence: see its page" : licence.name;
}

/** The catalogue does not know the terms, only where they are. */
export function isOnPage({ name }: Licence): boolean {
  return name.startsWith("see ");
}

/** Bytes of the files that are needed, where the catalogue knows all of them. */
export function knownBytes({ entry }: Pick<LibraryModel, "entry">): number | undefined {
  const files = Object.values(entry?.files ?? {});
  return files.length > 0 ? files.reduce((sum, { bytes }) => sum + bytes, 0) : undefined;
}

/** The line beside a model's name; what must not be overlooked comes first. `bytes` is the size of what is here, or would be downloaded. */
export function badgeText(model: LibraryModel, bytes?: number): string {
  const { licence, semantics, family } = model;
  const name = licence?.nonCommercial ? "" : licenceText(licence);
  return [licence?.nonCommercial ? licenceText(licence) : "", predictsText(semantics), familyText(family), name, bytes === undefined ? "" : sizeText(bytes)].filter(Boolean).join(" · ");
}

/** "4 steps, trailing, gaussian noise", "1 step from zeros" */
export function defaultsText({ steps, spacing, noise }: { readonly steps: number; readonly spacing: string; readonly noise: string }): string {
  const count = `${steps} step${steps === 1 ? "" : "s"}`;
  return noise === "zeros" ? `${count} from zeros` : `${count}, ${spacing}, ${noise} noise`;
}

const stateTexts: Readonly<Record<LibraryModel["state"], string>> = {
  shipped: "A part of Plumbline",
  installed: "Downloaded by Plumbline",
  cached: "In the Hugging Face cache, used in place",
  folder: "Added by hand, used in place",
  incomplete: "Cannot be used yet",
  available: "Can be downloaded",
};

/** Everything that is known of a model, as Markdown: what it predicts, its licence, where it is, and the paper's figures for it. */
export function tooltipText(model: LibraryModel, bytes?: number): string {
  const { name, id, state, family, semantics, licence, dir, revision, description, entry, problem } = model;
  const facts = [
    ...semantics.map((one) => (one.task === "depth" ? `Depth: ${depthKindText[one.depthKind]}` : `Normals: ${one.frame}, ${normalsFrameText[one.frame]}`)),
    ...(family ? [`Family: ${familyText(family)}${description?.endToEnd || entry?.endToEnd ? ", fine-tuned end to end" : ""}`] : []),
    ...(description && family !== "feedforward" ? [`Made for: ${defaultsText(description.defaults)}, ${description.defaults.processingResolution} pixels`] : []),
    ...(licence ? [licenceFact(licence)] : []),
    ...(bytes === undefined ? [] : [`Size: ${sizeText(bytes)}`]),
    ...(revision === undefined ? [] : [`Revision: ${escapeMarkdown(revision)}`]),
    ...(dir === undefined ? [] : [`Folder: ${escapeMarkdown(dir)}`]),
    ...[...(description?.assumptions ?? []), ...(entry?.notes ?? [])].map(escapeMarkdown),
  ];
  const head = [`**${escapeMarkdown(name)}**`, ...(id === name ? [] : [escapeMarkdown(id)]), `*${stateTexts[state]}${problem === undefined ? "" : `: ${escapeMarkdown(problem)}`}*`];
  return [head.join("  \n"), facts.map((fact) => `- ${fact}`).join("\n"), ...figureTables(entry?.figures ?? [])].join("\n\n");
}

function licenceFact(licence: Licence): string {
  const { url, nonCommercial } = licence;
  const name = url === undefined ? escapeMarkdown(licence.name) : `[${escapeMarkdown(licence.name)}](${url})`;
  return `Licence: ${name}${nonCommercial ? ", **non-commercial use only**" : ""}`;
}

/** The paper's figures: a table each of its own, a line a setting. */
function figureTables(figures: NonNullable<NonNullable<LibraryModel["entry"]>["figures"]>): readonly string[] {
  const tables = [...new Set(figures.map(({ table }) => table))];
  return tables.map((table) => {
    const ofTable = figures.filter((figure) => figure.table === table);
    const sets = [...new Set(ofTable.flatMap(({ values }) => Object.keys(values)))];
    const rows = ofTable.map(({ steps, ensemble, values }) => {
      const cells = sets.map((set) => values[set]?.map((value) => value.toFixed(1)).join(" / ") ?? "");
      return `| ${steps} step${steps === 1 ? "" : "s"}${ensemble > 1 ? ` x ${ensemble}` : ""} | ${cells.join(" | ")} |`;
    });
    return [`The paper, table ${table}: ${ofTable[0].metrics.join(" / ")}`, "", `| | ${sets.join(" | ")} |`, `|---|${sets.map(() => "--:|").join("")}`, ...rows].join("\n");
  });
}

/** Names and paths are text, not markup. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_[\]<>#|~]/g, "\\$&");
}
