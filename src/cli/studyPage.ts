import { join } from "node:path";
import { writeFileAtomically } from "../io/atomicFile";
import { writeFigure } from "../io/figureFile";
import type { Provenance } from "../protocol/inference";
import type { StudyOptions } from "./studyScenes";

/** One page of docs/. */
export interface StudyPage {
  /** Names the files: "fig5". */
  readonly id: string;
  readonly title: string;
  /** What the paper found, and how it is repeated here. */
  readonly question: string;
  /** Whether the finding shows here, computed from the numbers; a sentence each. */
  readonly findings: readonly string[];
  readonly svg: string;
  readonly alternative: string;
  readonly table: { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] };
  readonly settings: readonly string[];
  readonly data: object;
  readonly runs: readonly Provenance[];
}

/** The command that makes a page again. */
export function commandOf(id: string, { scenes, seed, device }: StudyOptions): string {
  const flags = [scenes !== undefined && `--scenes ${scenes}`, seed !== 2024 && `--seed ${seed}`, device !== "cpu" && `--device ${device}`].filter(Boolean);
  return ["npm run plumbline -- study", id, ...flags, "--out docs"].join(" ");
}

/** Writes ID.md with the findings, the picture, the table and the settings, and ID.svg, .png and .json. Returns the names. */
export async function writeStudy(options: StudyOptions, page: StudyPage): Promise<readonly string[]> {
  const { id, title, question, findings, alternative, table, settings } = page;
  const { out } = options;
  const [, ...columns] = table.header;
  const text = `# ${title}

${question}

${findings.map((finding) => `**${finding}**`).join("\n\n")}

![${alternative}](${id}.png)

${[table.header, ["---", ...columns.map(() => "---:")], ...table.rows].map((row) => `| ${row.join(" | ")} |`).join("\n")}

## How it was made

${settings.map((setting) => `- ${setting}`).join("\n")}
- \`${commandOf(id, options)}\` makes this page again, with the same numbers; [${id}.json](${id}.json) holds
  them all, with the hashes of the models, and [${id}.svg](${id}.svg) the picture with text as text.
`;
  await writeFileAtomically(join(out, `${id}.md`), text);
  return [`${id}.md`, ...(await writeFigure(out, id, page.svg, { ...page.data, findings, runs: page.runs.map(lastingPart) }, { compact: true }))];
}

/** What is the same each time: no date, no timings, no folders of this machine. */
export function lastingPart({ tool, model: { id, files }, task, semantics, settings, processingSize, timesteps, device, versions }: Provenance): object {
  return { tool, model: { id, files }, task, semantics, settings, processingSize, timesteps, device, versions };
}

/** "better in 40 of 48 scenes" */
export function ofScenes(count: number, scenes: number): string {
  return `${count} of ${scenes} scenes`;
}
