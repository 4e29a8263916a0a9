import { join } from "node:path";
import { Argument, Option, type Command } from "commander";
import { duration, report, withEngine, type Session } from "./engine";
import { deviceOption, wholeNumber } from "./programOptions";
import { studyEqualLength } from "./studyEqualLength";
import { studyFailures } from "./studyFailures";
import { studyFig2 } from "./studyFig2";
import { studyFig5 } from "./studyFig5";
import { studyPhotographs } from "./studyPhotographs";
import type { StudyOptions } from "./studyScenes";
import { studyTable1 } from "./studyTable1";
import { studyTable4 } from "./studyTable4";
import { studyTableA2 } from "./studyTableA2";

type Study = (session: Session, options: StudyOptions) => Promise<readonly string[]>;

const studies: Readonly<Record<string, Study>> = {
  table1: studyTable1,
  fig2: studyFig2,
  fig5: studyFig5,
  table4: studyTable4,
  tableA2: studyTableA2,
  equalLength: studyEqualLength,
  photographs: studyPhotographs,
  failures: studyFailures,
};

/** Where the files of a study go unless told; docs for all others. */
const homes: Readonly<Record<string, string>> = { failures: "models" };

/** Declares `plumbline study`. */
export function addStudy(program: Command): void {
  program
    .command("study")
    .description("Repeat a figure or table of the paper with the shipped models on the held-out scenes, or look at what they make of real photographs (from a checkout only).")
    .addArgument(new Argument("[study...]", "which of them (default: all)").choices(Object.keys(studies)))
    .addOption(new Option("--out <dir>", "where the pages go (default: docs; models for failures, which go beside the cards)"))
    .addOption(new Option("--scenes <n>", "only the first held-out scenes or photographs (default: all; 12 for fig2)").argParser(wholeNumber(1, 10000)))
    .addOption(new Option("--seed <n>", "seed of the noise of each image").argParser(wholeNumber(0, 0xffffffff)).default(2024))
    .addOption(deviceOption().default("cpu"))
    .addHelpText("after", `
Each writes NAME.md with its figures in a table, a sentence that says whether the paper's finding shows, and the settings;
NAME.svg and NAME.png, the picture (of photographs and failures only a JPEG); NAME.json, all numbers. The same seed on the same device gives the same files.

table1 and fig5 share their runs: 6266 runs of the network for each scene, nearly all of them in ensembles of 10, three seeds each: a minute and
a quarter a scene on two cores, an hour for all 48. Scores are kept in .cache/studies/scores.jsonl as they come: a study that was stopped goes
on, and one with more scenes or a new model measures only what is new. fig2 takes half a minute a scene, photographs and the rest less than a
minute.
tableA2, equalLength and table4 read training/logs/controls.json, which python3 controls.py configs/controls.json makes in training/.

Example:
  plumbline study table1 fig5 --scenes 4 --out docs`)
    .action(runStudies);
}

async function runStudies(names: readonly string[], options: Omit<StudyOptions, "out"> & Partial<Pick<StudyOptions, "out">>): Promise<void> {
  await withEngine(async (session) => {
    for (const name of names.length > 0 ? names : Object.keys(studies)) {
      const started = performance.now();
      const out = options.out ?? homes[name] ?? "docs";
      const files = await studies[name](session, { ...options, out });
      report(`${name} in ${duration(performance.now() - started)}`);
      process.stdout.write(`${files.map((file) => join(out, file)).join("\n")}\n`);
    }
  });
}
