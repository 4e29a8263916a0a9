import { join } from "node:path";
import { Option, type Command } from "commander";
import { addFolder, removeModel } from "../catalogue/changes";
import { findModel, listModels } from "../catalogue/library";
import type { Statement } from "../catalogue/modelFolder";
import { verifyModel, type FileVerdict } from "../catalogue/verification";
import { PlumblineError } from "../core/errors";
import { installation, report, shippedModelsDir, showStatus } from "./engine";
import { interruptible } from "./interruption";
import { modelsPage } from "./modelsPage";
import { addPull } from "./modelsPull";
import { columns, listText, modelJson, semanticsText, showText } from "./modelText";

const places = { modelsDir: shippedModelsDir };

/** Declares `plumbline models` and its commands. */
export function addModels(program: Command): void {
  const models = program
    .command("models")
    .description("Which models there are, and how they get here.")
    .addHelpText("after", `
Models are kept in $PLUMBLINE_HOME/models, else in plumbline/models of the user's data folder. What is in the Hugging Face cache
(HF_HOME, HF_HUB_CACHE) is used in place. Nothing is fetched but by "pull", which heeds HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HTTPS_PROXY
and NO_PROXY.`);
  models
    .command("list")
    .description("Show what is shipped, installed, cached and added, and what can be downloaded.")
    .option("--json", "for a program")
    .option("--here", "only what is here")
    .option("--markdown", "docs/models.md: the systems of the paper, and how they get in")
    .action(async ({ json = false, here = false, markdown = false }: { readonly json?: boolean; readonly here?: boolean; readonly markdown?: boolean }) => {
      if (markdown) return print((await modelsPage(shippedModelsDir, join(installation, "docs", "models.json"))).trimEnd());
      const found = (await listModels(places)).filter(({ state }) => !here || state !== "available");
      print(json ? JSON.stringify(found.map(modelJson), undefined, 1) : listText(found));
    });
  models
    .command("show")
    .description("Show everything that is known of a model.")
    .argument("<model>", "of the list, or a folder")
    .option("--json", "for a program")
    .action(async (name: string, { json = false }: { readonly json?: boolean }) => {
      const model = await findModel(places, name);
      print(json ? JSON.stringify(modelJson(model), undefined, 1) : showText(model));
    });
  addPull(models, places);
  models
    .command("add")
    .description("Add a model's folder, or file in ONNX format, which stays where it is.")
    .argument("<folder>")
    .addOption(new Option("--task <task>", "what it estimates, where its files do not tell").choices(["depth", "normals"]))
    .addOption(new Option("--normals-frame <frame>", "of its normals, where its files do not tell: RUB (x right, y up, z toward the viewer) or LUB (x left)").choices(["RUB", "LUB"]))
    .addOption(new Option("--depth-kind <kind>", "of its depth, where its files do not tell: larger is farther, larger is nearer, or metres").choices(["affine-depth", "affine-disparity", "metric-depth"]))
    .action(async (folder: string, statement: Statement) => {
      const { dir, family, assumptions } = await addFolder({}, folder, statement);
      report(`Added ${dir} (${family}, ${semanticsText((await findModel(places, folder)).semantics)}).${assumptions.map((text) => `\n- ${text}`).join("")}`);
    });
  models
    .command("remove")
    .description("Delete what was downloaded of a model, or forget a folder that was added; its files stay.")
    .argument("<model>")
    .action(async (name: string) => {
      const { did, path } = await removeModel(places, name);
      report(did === "removed" ? `Removed ${path}.` : `Forgot ${path}; its files stay.`);
    });
  models
    .command("verify")
    .description("Compare the hashes of a model's files with those that they were downloaded with.")
    .argument("<model>")
    .action(runVerify);
}

async function runVerify(name: string): Promise<void> {
  const { model, files } = await interruptible((signal) => verifyModel(places, name, (path) => showStatus(`Reading ${path}`), signal));
  showStatus("");
  print(columns(["FILE", "HASH"], files.map(({ path, verdict }) => [path || model.id, verdict])));
  const count = (verdict: FileVerdict): number => files.filter((file) => file.verdict === verdict).length;
  const bad = count("wrong") + count("missing");
  if (bad > 0) throw new PlumblineError("bad-model", `Expected every file of ${model.id} as it was downloaded but ${bad} of ${files.length} are not.`, model.state === "cached" ? "Delete it from the Hugging Face cache, and download it again." : `Download it again: plumbline models remove ${model.id}, then plumbline models pull ${model.id}`);
  if (model.problem !== undefined) throw new PlumblineError("bad-model", `${model.id} cannot be used: ${model.problem}`);
  report(count("unknown") === files.length ? "Everything is there; nothing states what the hashes should be." : `${count("right")} of ${files.length} files are as they were downloaded.`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
