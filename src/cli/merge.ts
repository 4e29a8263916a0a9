import { join, resolve } from "node:path";
import type { Command } from "commander";
import { claim } from "../io/lock";
import { mergeResults } from "../evaluation/merge";
import { lockOf } from "../evaluation/resultFolder";
import { report } from "./engine";
import { writeResults } from "./report";

/** Declares `plumbline merge`. */
export function addMerge(program: Command): void {
  program
    .command("merge")
    .description("Put the results of the shards of one spot check together.")
    .argument("<out...>", "folders of the shards' results")
    .requiredOption("--out <dir>", "where the whole goes")
    .addHelpText("after", `
Example:
  plumbline merge shard-* --out whole`)
    .action(async (outs: readonly string[], options: { readonly out: string }) => {
      const target = resolve(options.out);
      const release = await claim(lockOf(target));
      try {
        const { result, pending } = await mergeResults(outs.map((out) => resolve(out)), target);
        await writeResults(target);
        report(`${result.records.length} images${pending.length > 0 ? `, ${pending.length} not looked at yet` : ""} -> ${join(options.out, "report.html")}`);
      } finally {
        await release();
      }
    });
}
