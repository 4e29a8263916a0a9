import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Argument, type Command } from "commander";
import { PlumblineError } from "../core/errors";
import { installation } from "./engine";

/** Declares `plumbline bench`. */
export function addBench(program: Command): void {
  program
    .command("bench")
    .description("Measure networks of the size of Stable Diffusion 2 on this machine (from a checkout only).")
    .addArgument(new Argument("[network...]", "which of them (default: all)").choices(["unet", "unet-constant", "encoder", "decoder"]))
    .addHelpText("after", `
Seconds, GFLOP/s, share of this machine's own matrix product, and peak memory, for an image of 576 x 768. Writes random
weights of 3.8 GB to .cache/bench once and takes minutes. The environment variables THREADS and ROUNDS may be set.

Example:
  npm run --silent plumbline -- bench unet`)
    .action(runBench);
}

async function runBench(networks: readonly string[]): Promise<void> {
  const script = join(installation, "bench", "fullSize.ts");
  if (!existsSync(script)) {
    throw new PlumblineError("unsupported", `Expected a checkout of Plumbline at ${installation} but it has no bench/.`, "Clone the repository and run there: npm run --silent plumbline -- bench");
  }
  const child = spawn(process.execPath, ["--import", "tsx", script, ...networks], { stdio: "inherit", cwd: installation });
  const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (code !== 0) process.exitCode = 1;
}
