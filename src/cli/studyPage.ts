import { join } from "node:path";
import { writeFileAtomically } from "../io/atomicFile";
import { writeFigure } from "../io/figureFile";
import type { Provenance } from "../protocol/inference";
import type { StudyOptions } from "./studyScenes";

/** A picture with its figures. */
export interface StudySection {
  /** Names the files: "fig5". */
  readonly id: string;
  /** What the paper found, and how it is repeated here. */
  readonly question: string;
  /** Whether the finding shows here, computed from the numbers; a sentence each. */
  readonly findings: readonly string[];
  readonly svg: string;
  readonly alternative: string;
  readonly table: { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] };
  readonly settings: readonly string[];
  readonly data: object;
  /** `lastingPart` of what the figures were made with; empty where no shipped model was run. */
  readonly runs: readonly object[];
}

/** One page of docs/, named by the first section. */
export interface StudyPage extends StudySection {
  readonly title: string;
  /** What belongs on the same page, under a heading of its own. */
  readonly second?: StudySection & { readonly heading: string };
}

/** The command that makes a page again. */
export function commandOf(id: string, { scenes, seed, device }: StudyOptions): string {
  const flags = [scenes !== undefined && `--scenes ${scenes}`, seed !== 2024 && `--seed ${seed}`, device !== "cpu" && `--device ${device}`].filter(Boolean);
  return ["npm run plumbline -- study", id, ...flags, "--out docs"].join(" ");
}

/** Writes ID.md with the findings, the picture, the table and the settings, and ID.svg, .png and .json of each section. Returns the names. */
export async function writeStudy(options: StudyOptions, page: StudyPage): Promise<readonly string[]> {
  const { id, title, second } = page;
  const sections = second ? [page, second] : [page];
  const text = `# ${title}

${sectionText(page)}
${second ? `\n## ${second.heading}\n\n${sectionText(second)}\n` : ""}
## How it was made

${sections.flatMap(({ settings }) => settings).map((setting) => `- ${setting}`).join("\n")}
- \`${commandOf(id, options)}\` makes this page again, with the same numbers; ${sections.map((section) => `[${section.id}.json](${section.id}.json)`).join(" and ")} ${second ? "hold" : "holds"}
  them all, with the hashes ${page.runs.length > 0 ? "of the models" : "of what they come from"}, and ${sections.map((section) => `[${section.id}.svg](${section.id}.svg)`).join(" and ")} the ${second ? "pictures" : "picture"} with text as text.
`;
  await writeFileAtomically(join(options.out, `${id}.md`), text);
  const files: string[] = [`${id}.md`];
  for (const { id: name, svg, data, findings, runs } of sections) files.push(...(await writeFigure(options.out, name, svg, { ...data, findings, runs }, { compact: true })));
  return files;
}

function sectionText({ id, question, findings, alternative, table }: StudySection): string {
  const [, ...columns] = table.header;
  return `${question}

${findings.map((finding) => `**${finding}**`).join("\n\n")}

![${alternative}](${id}.png)

${[table.header, ["---", ...columns.map(() => "---:")], ...table.rows].map((row) => `| ${row.join(" | ")} |`).join("\n")}`;
}

/** What is the same each time: no date, no timings, no folders of this machine. */
export function lastingPart({ tool, model: { id, files }, task, semantics, settings, processingSize, timesteps, device, versions }: Provenance): object {
  return { tool, model: { id, files }, task, semantics, settings, processingSize, timesteps, device, versions };
}

/** "better in 40 of 48 scenes" */
export function ofScenes(count: number, scenes: number): string {
  return `${count} of ${scenes} scenes`;
}
