import { join, resolve } from "node:path";
import type { Command } from "commander";
import { reportHtml } from "../evaluation/htmlReport";
import { readResults, writeTables } from "../evaluation/resultFolder";
import { writeFileAtomically } from "../io/atomicFile";
import { report } from "./engine";
import { histogramChart } from "./histogramChart";

/** Declares `plumbline report`. */
export function addReport(program: Command): void {
  program
    .command("report")
    .description("Write samples.csv, summary.json and report.html of a spot check or an evaluation again, with what there is so far.")
    .argument("<out>", "folder of the results")
    .action(async (out: string) => {
      await writeResults(resolve(out));
      report(`-> ${join(out, "report.html")}`);
    });
}

/** Tables and report of a folder of results. Throws what reading it throws, `write-failed`. */
export async function writeResults(out: string): Promise<void> {
  const folder = await readResults(out);
  await writeTables(folder);
  await writeFileAtomically(join(out, "report.html"), await reportHtml(folder, histogramChart));
}
