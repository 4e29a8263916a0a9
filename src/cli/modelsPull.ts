import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { sizeText, type DownloadProgress } from "../catalogue/download";
import type { Places } from "../catalogue/library";
import { pullModel, type PullOffer } from "../catalogue/pull";
import { PlumblineError } from "../core/errors";
import { duration, report, showStatus } from "./engine";
import { interruptible } from "./interruption";
import { licenceText, semanticsText } from "./modelText";

interface PullOptions {
  readonly revision?: string;
  readonly yes?: boolean;
}

/** Declares `plumbline models pull`. */
export function addPull(models: Command, places: Places): void {
  models
    .command("pull")
    .description("Download a model from the Hugging Face hub: only the files that are needed, checked, whole or not at all.")
    .argument("<model>", "of the list, or any repository with a known layout, OWNER/NAME")
    .option("--revision <name>", "branch, tag or commit (default: the catalogue's, else main)")
    .option("--yes", "accept the licence without being asked")
    .addHelpText("after", `
Ctrl+C, or a connection that breaks for long, leaves what came: the same command goes on with it.

Examples:
  plumbline models pull marigold-e2e-ft-depth
  HF_TOKEN=hf_... plumbline models pull someone/gated-model --yes`)
    .action(async (name: string, { revision, yes = false }: PullOptions) => {
      let downloads = false;
      const model = await interruptible((signal) => pullModel(places, name, {
        revision,
        signal,
        onProgress: progressLine(),
        accept: (offer) => {
          downloads = true;
          return accept(offer, yes);
        },
      }));
      const what = semanticsText(model.semantics);
      if (model.problem !== undefined) throw new PlumblineError("unsupported", `${model.id} was downloaded to ${model.dir ?? ""}, but cannot be used: ${model.problem}`);
      report(`${model.id} is ${downloads ? "installed" : "here already"}${what && ` (${what})`}: ${model.dir ?? ""}`);
    });
}

/** Shows what would be downloaded and asks, or takes `--yes` for an answer. Throws `bad-argument` where nobody can be asked. */
async function accept({ name, repository, commit, files, bytes, remainingBytes, licence, gated }: PullOffer, yes: boolean): Promise<boolean> {
  const rest = remainingBytes < bytes ? `, ${sizeText(remainingBytes)} of it still to come` : "";
  report(`${name} (${repository} at ${commit.slice(0, 8)}): ${files.length} files, ${sizeText(bytes)}${rest}.`);
  report(`Licence: ${licenceText(licence)}${licence.url === undefined ? "" : `, ${licence.url}`}${gated ? "\nIt is gated: its terms have to be accepted on its page." : ""}`);
  if (yes) return true;
  if (!process.stdin.isTTY) throw new PlumblineError("bad-argument", "Expected --yes, or a terminal to ask whether the licence is accepted, but received neither.", "Read the licence, then add --yes.");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question("Accept the licence and download? [y/N] ")).trim());
  } finally {
    lines.close();
  }
}

/** A line that changes: how much is there, how fast it comes, how long it takes. */
function progressLine(): (progress: DownloadProgress) => void {
  let begin: { readonly millis: number; readonly bytes: number } | undefined;
  return (progress) => {
    if (progress.phase === "listing") return showStatus("Asking for the list of files");
    if (progress.phase === "waiting") {
      if (progress.waitMillis > 0) report(`${progress.reason} Trying again in ${duration(progress.waitMillis)}.`);
      else report(progress.reason);
      return;
    }
    const { phase, file, bytes, totalBytes } = progress;
    begin ??= { millis: performance.now(), bytes };
    const seconds = (performance.now() - begin.millis) / 1000;
    const perSecond = (bytes - begin.bytes) / Math.max(seconds, 1e-3);
    const speed = seconds > 1 && perSecond > 0 ? `, ${(perSecond / 1e6).toPrecision(3)} MB/s, ${duration((1000 * (totalBytes - bytes)) / perSecond)} left` : "";
    showStatus(`${Math.floor((100 * bytes) / Math.max(totalBytes, 1))} % of ${sizeText(totalBytes)}${speed}: ${phase === "verifying" ? "checking " : ""}${file}`);
  };
}
