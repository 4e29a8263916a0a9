import { join } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { resolveModel } from "../catalogue/library";
import { PlumblineError } from "../core/errors";
import { evaluateDepth, meanDepthMetrics, normalsErrors, normalsMetrics, type DepthMetrics, type NormalsMetrics } from "../core/metrics";
import { convertFrame } from "../core/normals";
import type { Task } from "../core/semantics";
import type { DeviceChoice, RunRequest, RunSettings, TimestepSpacing } from "../core/settings";
import type { RunResult } from "../protocol/inference";
import { duration, installation, predictImage, report, shippedModelsDir, showStatus, withEngine, type Session } from "./engine";
import { openHeldOut, readHeldOut, type HeldOutScene, type HeldOutSet } from "./heldOut";
import { deviceOption, wholeNumber } from "./programOptions";

interface RowPlan {
  readonly name: string;
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly ensemble: number;
  readonly endToEnd: boolean;
}

const plans: readonly RowPlan[] = [
  { name: "leading-1", steps: 1, spacing: "leading", ensemble: 1, endToEnd: false },
  { name: "trailing-1", steps: 1, spacing: "trailing", ensemble: 1, endToEnd: false },
  { name: "trailing-4", steps: 4, spacing: "trailing", ensemble: 1, endToEnd: false },
  { name: "trailing-10", steps: 10, spacing: "trailing", ensemble: 1, endToEnd: false },
  { name: "trailing-50", steps: 50, spacing: "trailing", ensemble: 1, endToEnd: false },
  { name: "ensemble-10x10", steps: 10, spacing: "trailing", ensemble: 10, endToEnd: false },
  { name: "e2e", steps: 1, spacing: "trailing", ensemble: 1, endToEnd: true },
];

/** A row of the table: AbsRel, delta1 and the share below 11.25 degrees in percent, the mean angle in degrees. */
export interface TableRow {
  readonly name: string;
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly ensemble: number;
  readonly absrel: number;
  readonly delta1: number;
  readonly meanAngle: number;
  readonly pct11_25: number;
}

interface TableOptions {
  readonly limit?: number;
  readonly rows: readonly RowPlan[];
  readonly seed: number;
  readonly device: DeviceChoice;
  readonly json?: true;
}

/** Declares `plumbline table`. */
export function addTable(program: Command): void {
  program
    .command("table")
    .description("Measure the shipped models on the held-out rendered scenes: what the schedule and the fine-tuning do.")
    .option("--limit <n>", "only the first scenes", wholeNumber(1, 10000))
    .addOption(new Option("--rows <names>", `comma-separated: ${plans.map(({ name }) => name).join(", ")}`).argParser(chooseRows).default(plans, "all"))
    .addOption(new Option("--seed <n>", "seed of the noise of each image").argParser(wholeNumber(0, 0xffffffff)).default(2024))
    .addOption(deviceOption())
    .option("--json", "print the rows as JSON on stdout")
    .addHelpText("after", `
Depth is aligned to the ground truth by scale and shift (least squares). AbsRel, delta1, the mean angle and the
share of pixels below 11.25 degrees are means over the images. The ensemble row runs 10 members of 10 steps.
Of 167 runs of the network for each scene and task the ensemble takes 100 and trailing-50 takes 50: about 10 s a scene on 2 cores.

Examples:
  plumbline table --limit 8 --rows leading-1,trailing-1,e2e
  plumbline table --json > table.json`)
    .action(runTable);
}

async function runTable({ limit, rows, seed, device, json }: TableOptions): Promise<void> {
  const started = performance.now();
  const set = await openHeldOut(join(installation, "test", "heldout"));
  const ids = set.ids.slice(0, limit);
  const runs = (await Promise.all(rows.map((plan) => runsOf(plan, seed)))).flat();
  const scores = new Scores();
  await withEngine(async (session) => {
    for (const [i, id] of ids.entries()) {
      await measureScene(session, set, await readHeldOut(set, id), runs, device, scores);
      const left = ((performance.now() - started) / (i + 1)) * (ids.length - i - 1);
      showStatus(`scene ${i + 1} of ${ids.length}, ${duration(left)} left`);
    }
  });
  report(`${ids.length} scenes in ${duration(performance.now() - started)}`);
  const table = rows.map((plan) => scores.row(plan));
  process.stdout.write(json ? `${JSON.stringify(table, null, 2)}\n` : formatTable(table));
}

/** A run for each task; ids are `${row}:${task}`. */
async function runsOf({ name, steps, spacing, ensemble, endToEnd }: RowPlan, seed: number): Promise<RunRequest[]> {
  return Promise.all(
    (["depth", "normals"] as const).map(async (task) => {
      const { dir, defaults } = await resolveModel(shippedModelsDir, `plumbline-${endToEnd ? "e2e-" : ""}${task}`);
      const settings: RunSettings = { steps, spacing, ensembleSize: ensemble, noise: { kind: defaults.noise }, seed, processingResolution: defaults.processingResolution };
      return { runId: `${name}:${task}`, modelDir: dir, task, settings };
    }),
  );
}

async function measureScene(session: Session, set: HeldOutSet, scene: HeldOutScene, runs: readonly RunRequest[], device: DeviceChoice, scores: Scores): Promise<void> {
  // One request: all rows share the decoded image and its latent.
  const params = { imagePath: scene.imagePath, runs, device, stepMaps: false, stdOverSteps: false, recordSteps: false, mapSize: "source" } as const;
  const { results } = await predictImage(session, params);
  for (const { runId, map, provenance } of results.values()) scores.add(runId, map, provenance.semantics, scene, set);
}

/** Figures of every image, by run id. */
class Scores {
  private readonly depth = new Map<string, DepthMetrics[]>();
  private readonly normals = new Map<string, NormalsMetrics[]>();

  add(runId: string, map: RunResult["map"], semantics: RunResult["provenance"]["semantics"], { depth, normals, mask, width }: HeldOutScene, set: HeldOutSet): void {
    if (semantics.task === "depth") {
      const { metrics } = evaluateDepth(map.data, depth, mask, width, { alignment: "depth", minDepth: 1e-6, maxDepth: Infinity });
      append(this.depth, runId, metrics);
    } else {
      const inFrame = convertFrame(map, semantics.frame, set.normalsFrame);
      append(this.normals, runId, normalsMetrics(normalsErrors(inFrame.data, normals, mask)));
    }
  }

  row({ name, steps, spacing, ensemble }: RowPlan): TableRow {
    const { absRel, delta1 } = meanDepthMetrics(this.of(this.depth, name, "depth"));
    const angles = this.of(this.normals, name, "normals");
    const mean = (value: (metrics: NormalsMetrics) => number): number => angles.reduce((sum, metrics) => sum + value(metrics), 0) / angles.length;
    return { name, steps, spacing, ensemble, absrel: 100 * absRel, delta1: 100 * delta1, meanAngle: mean((metrics) => metrics.mean), pct11_25: mean((metrics) => metrics.below["11.25"]) };
  }

  private of<T>(figures: ReadonlyMap<string, T[]>, row: string, task: Task): readonly T[] {
    const found = figures.get(`${row}:${task}`);
    if (!found) throw new PlumblineError("engine-failed", `Expected ${task} results for ${row} but the engine sent none.`);
    return found;
  }
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  lists.set(key, [...(lists.get(key) ?? []), item]);
}

function chooseRows(text: string): readonly RowPlan[] {
  return text.split(",").map((name) => {
    const plan = plans.find((candidate) => candidate.name === name.trim());
    if (!plan) throw new InvalidArgumentError(`Expected names of ${plans.map((candidate) => candidate.name).join(", ")}.`);
    return plan;
  });
}

/** Columns for people; figures with their units in the header. */
export function formatTable(rows: readonly TableRow[]): string {
  const header = ["", "steps", "spacing", "members", "AbsRel %", "delta1 %", "mean angle °", "< 11.25° %"];
  const lines = rows.map((row) => [
    row.name, String(row.steps), row.spacing, String(row.ensemble),
    row.absrel.toFixed(2), row.delta1.toFixed(1), row.meanAngle.toFixed(2), row.pct11_25.toFixed(1),
  ]);
  return alignColumns([header, ...lines]);
}

/** Text columns, the first `names` flush left and the others flush right. */
export function alignColumns(rows: readonly (readonly string[])[], names = 1): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => `${row.map((cell, i) => (i < names ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ").trimEnd()}\n`).join("");
}
