import { z } from "zod";
import { PlumblineError } from "../core/errors";
import { readJsonObject } from "../io/jsonFile";
import type { Catalogue, DownloadableModel } from "./catalogue";

/*
 * `docs/models.json`: the systems that the paper runs or compares with, how each gets in, and what of it was verified. With the catalogue it
 * makes docs/models.md.
 */

const systems = z.strictObject({
  systems: z.array(z.strictObject({
    system: z.string().min(1),
    settings: z.string().optional(),
    nyuv2: z.strictObject({ absRel: z.number().optional(), meanAngle: z.number().optional() }).describe("Of the paper: AbsRel in percent, mean angle in degrees."),
    models: z.array(z.string()).describe("Repositories of the catalogue."),
    predicts: z.string().optional().describe("Where no repository of the catalogue tells."),
    how: z.string().min(1),
    verified: z.string(),
    notVerified: z.string(),
  })),
});

type PaperSystem = z.infer<typeof systems>["systems"][number];

/** The table of the paper's systems, as Markdown. Throws `not-found`, or `bad-model` for a damaged file or a repository that is not in the catalogue. */
export async function systemsMarkdown(path: string, { downloads }: Catalogue): Promise<string> {
  const result = systems.safeParse(await readJsonObject(path));
  if (!result.success) throw new PlumblineError("bad-model", `Expected the systems of the paper for ${path} but received something else (${z.prettifyError(result.error)}).`);
  const rows = result.data.systems.map((system) => {
    const models = system.models.map((repository) => {
      const found = downloads.find((download) => download.repository === repository);
      if (!found) throw new PlumblineError("bad-model", `Expected a repository of the catalogue for "${system.system}" of ${path} but received "${repository}".`);
      return found;
    });
    return rowOf(system, models);
  });
  const headings = ["System", "Predicts", "NYUv2 in the paper", "How it gets in", "Repository", "Licence", "Verified here", "Not verified"];
  return [headings, headings.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function rowOf({ system, settings, nyuv2: { absRel, meanAngle }, predicts, how, verified, notVerified }: PaperSystem, models: readonly DownloadableModel[]): readonly string[] {
  const figures = [...(absRel === undefined ? [] : [`AbsRel ${absRel.toFixed(1)} %`]), ...(meanAngle === undefined ? [] : [`mean angle ${meanAngle.toFixed(1)}°`])].join(", ");
  // One line for each repository, or one for all of them.
  const each = (text: (model: DownloadableModel) => string): string => {
    const lines = models.map(text);
    return (new Set(lines).size === 1 ? lines[0] : lines.join("<br>")) || "–";
  };
  return [
    system,
    predicts ?? each(({ predicts: { depth, normals } }) => [depth, normals && `normals ${normals}`].filter((part) => part !== undefined).join(", ")),
    settings === undefined ? figures : `${figures} (${settings})`,
    how,
    each(({ repository }) => `[${repository}](https://huggingface.co/${repository})`),
    each(({ licence: { name, nonCommercial } }) => `${name}${nonCommercial ? " (**non-commercial**)" : ""}`),
    verified || "–",
    notVerified || "–",
  ];
}
