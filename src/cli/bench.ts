import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { PlumblineError } from "../core/errors";
import { installation } from "./engine";

/** Declares `plumbline bench`. */
export function addBench(program: Command): void {
  program
    .command("bench")
    .description("Measure a full-size network on this machine (from a checkout only).")
    .argument("[arguments...]", "for the bench script")
    .allowUnknownOption()
    .helpOption(false)
    .addHelpText("after", "\nExample:\n  npm run --silent plumbline -- bench --help")
    .action(runBench);
}

async function runBench(args: readonly string[]): Promise<void> {
  const script = join(installation, "bench", "main.ts");
  if (!existsSync(script)) {
    throw new PlumblineError("unsupported", `Expected a checkout of Plumbline at ${installation} but there is no bench/.`, "Clone the repository and run: npm run --silent plumbline -- bench");
  }
  const child = spawn(process.execPath, ["--import", "tsx", script, ...args], { stdio: "inherit", cwd: installation });
  const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (code !== 0) process.exitCode = 1;
}
