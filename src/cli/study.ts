import { join } from "node:path";
import { Argument, Option, type Command } from "commander";
import { duration, report, withEngine, type Session } from "./engine";
import { deviceOption, wholeNumber } from "./programOptions";
import { studyFig2 } from "./studyFig2";
import { studyFig5 } from "./studyFig5";
import { studyPhotographs } from "./studyPhotographs";
import type { StudyOptions } from "./studyScenes";
import { studyTable4 } from "./studyTable4";

const studies: Readonly<Record<string, (session: Session, options: StudyOptions) => Promise<readonly string[]>>> = { fig2: studyFig2, fig5: studyFig5, table4: studyTable4, photographs: studyPhotographs };

/** Declares `plumbline study`. */
export function addStudy(program: Command): void {
  program
    .command("study")
    .description("Repeat a figure or table of the paper with the shipped models on the held-out scenes, or look at what they make of real photographs (from a checkout only).")
    .addArgument(new Argument("[study...]", "which of them (default: all)").choices(Object.keys(studies)))
    .addOption(new Option("--out <dir>", "where the pages go").default("docs"))
    .addOption(new Option("--scenes <n>", "only the first held-out scenes or photographs (default: all; 12 for fig2)").argParser(wholeNumber(1, 10000)))
    .addOption(new Option("--seed <n>", "seed of the noise of each image").argParser(wholeNumber(0, 0xffffffff)).default(2024))
    .addOption(deviceOption().default("cpu"))
    .addHelpText("after", `
Each writes NAME.md with its figures in a table, a sentence that says whether the paper's finding shows, and the settings;
NAME.svg and NAME.png, the picture (of photographs only a NAME.jpg); NAME.json, all numbers. The same seed on the same device gives the same files.
Of 268 runs of the network for each scene fig5 needs 8 s or more on 2 cores.

Example:
  plumbline study fig5 --scenes 8 --out docs`)
    .action(runStudies);
}

async function runStudies(names: readonly string[], options: StudyOptions): Promise<void> {
  await withEngine(async (session) => {
    for (const name of names.length > 0 ? names : Object.keys(studies)) {
      const started = performance.now();
      const files = await studies[name](session, options);
      report(`${name} in ${duration(performance.now() - started)}`);
      process.stdout.write(`${files.map((file) => join(options.out, file)).join("\n")}\n`);
    }
  });
}
