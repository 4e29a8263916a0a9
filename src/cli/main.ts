import { Command, CommanderError } from "commander";
import { version } from "../../package.json";
import { isCancelled, PlumblineError } from "../core/errors";
import { addBench } from "./bench";
import { addCompare } from "./compare";
import { addComponent } from "./component";
import { addDemo } from "./demo";
import { addDoctor } from "./doctor";
import { report } from "./engine";
import { addEstimate } from "./estimate";
import { addEvaluate } from "./evaluate";
import { addMerge } from "./merge";
import { addModels } from "./models";
import { isUsageError } from "./programOptions";
import { addReport } from "./report";
import { addSpotCheck } from "./spotCheck";
import { addStudy } from "./study";
import { addTable } from "./table";

/** 0: everything done; 1: something failed; 2: the command line was wrong; 130: cancelled. */
type ExitCode = 0 | 1 | 2 | 130;

async function main(argv: readonly string[]): Promise<ExitCode> {
  const program = new Command("plumbline")
    .description("Depth and surface normals of images, by latent-diffusion estimators, and what every denoising step did.")
    .version(version)
    .exitOverride()
    .showHelpAfterError("(--help shows the options)")
    .configureHelp({ sortOptions: false })
    .addHelpText("after", "\nExit codes: 0 done, 1 an image or a file failed, 2 wrong usage, 130 cancelled.\nplumbline COMMAND --help shows options and examples.");
  for (const add of [addEstimate, addCompare, addSpotCheck, addEvaluate, addMerge, addReport, addModels, addComponent, addDoctor, addBench, addDemo, addTable, addStudy]) add(program);
  try {
    await program.parseAsync(argv);
    return process.exitCode === 1 ? 1 : 0;
  } catch (error) {
    return explain(error);
  }
}

/** Tells a person on stderr what went wrong and what to do. */
function explain(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (isCancelled(error)) {
    report("Cancelled.");
    return 130;
  }
  if (!(error instanceof PlumblineError)) throw error;
  report(`Error: ${error.message}${error.remedy && `\n${error.remedy}`}`);
  return isUsageError(error) ? 2 : 1;
}

void main(process.argv).then((code) => {
  process.exitCode = code;
});
