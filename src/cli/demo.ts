import { readdir } from "node:fs/promises";
import { join, parse } from "node:path";
import { Option, type Command } from "commander";
import { resolveModel } from "../catalogue/library";
import { applyScaleShift, fitScaleShift } from "../core/alignment";
import { PlumblineError } from "../core/errors";
import type { FloatMap } from "../core/image";
import { angleMap, convertFrame } from "../core/normals";
import type { Task } from "../core/semantics";
import type { DeviceChoice, RunRequest, TimestepSpacing } from "../core/settings";
import { displayRange } from "../core/statistics";
import { writeGrid, type GridCell } from "../io/composite";
import type { DecodedImage, RunResult } from "../protocol/inference";
import { duration, installation, predictImage, report, shippedModelsDir, showStatus, withEngine, type Session } from "./engine";
import { colourOf, colourOfDeviation } from "./mapExports";
import { deviceOption, wholeNumber } from "./programOptions";
import { alignColumns } from "./table";

interface Row {
  readonly id: string;
  readonly label: string;
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly endToEnd: boolean;
}

const rows: readonly Row[] = [
  { id: "multi", label: "multi-step (10, trailing)", steps: 10, spacing: "trailing", endToEnd: false },
  { id: "leading", label: "single step, leading", steps: 1, spacing: "leading", endToEnd: false },
  { id: "trailing", label: "single step, trailing", steps: 1, spacing: "trailing", endToEnd: false },
  { id: "e2e", label: "E2E fine-tuned", steps: 1, spacing: "trailing", endToEnd: true },
];

/** One row's outcome on one photograph. */
interface Outcome {
  readonly row: Row;
  readonly depth: RunResult;
  readonly normals: RunResult;
  /** Of both tasks; the encoder's time, which the rows share, counts in each. */
  readonly millis: number;
  readonly difference: Difference;
}

/** How far a row's maps are from those of the multi-step row. */
interface Difference {
  /** |depth - multi-step depth| after the best scale and shift, H x W, in percent of the multi-step depth's 2 to 98 percentile range. */
  readonly depthMap: FloatMap;
  readonly depthPercent: number;
  /** Mean angle between the normals, degrees. */
  readonly normalsDegrees: number;
}

interface DemoOptions {
  readonly out: string;
  readonly limit?: number;
  readonly device: DeviceChoice;
  readonly json?: true;
}

/** Declares `plumbline demo`. */
export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("Run the shipped models on the sample photographs: multi-step, single-step leading and trailing, end to end.")
    .addOption(new Option("--out <dir>", "where the pictures go").default(join("plumbline-out", "demo")))
    .option("--limit <n>", "only the first photographs", wholeNumber(1, 100))
    .addOption(deviceOption())
    .option("--json", "print the table as JSON on stdout")
    .addHelpText("after", "\nExamples:\n  npm run demo\n  plumbline demo --limit 2 --out pictures")
    .action(runDemo);
}

async function runDemo({ out, limit, device, json }: DemoOptions): Promise<void> {
  const started = performance.now();
  const folder = join(installation, "media", "samples");
  const images = (await readdir(folder).catch(() => [])).filter((name) => /\.jpe?g$/i.test(name)).slice(0, limit);
  if (images.length === 0) throw new PlumblineError("not-found", `Expected photographs in ${folder} but there are none.`, "Run the demo from a checkout: npm run demo");
  const runs = (await Promise.all(rows.map(runsOf))).flat();
  const table: (readonly [string, readonly Outcome[]])[] = [];
  await withEngine(async (session) => {
    for (const [i, name] of images.entries()) {
      showStatus(`${name}, ${i + 1} of ${images.length}`);
      const outcomes = await showPhotograph(session, join(folder, name), join(out, `${parse(name).name}.png`), runs, device);
      table.push([name, outcomes]);
    }
  });
  report(`${images.length} photographs in ${duration(performance.now() - started)}; pictures in ${out}`);
  process.stdout.write(json ? `${JSON.stringify(table.flatMap(jsonRows), null, 2)}\n` : formatDemo(table));
}

async function runsOf({ id, steps, spacing, endToEnd }: Row): Promise<RunRequest[]> {
  return Promise.all(
    (["depth", "normals"] as const).map(async (task: Task): Promise<RunRequest> => {
      const { dir, defaults } = await resolveModel(shippedModelsDir, `plumbline-${endToEnd ? "e2e-" : ""}${task}`);
      const settings = { steps, spacing, ensembleSize: 1, noise: { kind: defaults.noise }, seed: 2024, processingResolution: defaults.processingResolution };
      return { runId: `${id}:${task}`, modelDir: dir, task, settings };
    }),
  );
}

/** Runs all rows on one photograph and writes its picture. */
async function showPhotograph(session: Session, imagePath: string, picturePath: string, runs: readonly RunRequest[], device: DeviceChoice): Promise<readonly Outcome[]> {
  let photograph: DecodedImage | undefined;
  const params = { imagePath, runs, device, stepMaps: false, recordSteps: false, mapSize: "source" } as const;
  const { results } = await predictImage(session, params, (event) => {
    if (event.type === "image") photograph = event.image;
  });
  const of = (row: Row, task: Task): RunResult => {
    const result = results.get(`${row.id}:${task}`);
    if (!result) throw new PlumblineError("engine-failed", `Expected ${task} of ${row.label} but the engine sent none.`);
    return result;
  };
  const encodeMillis = Math.max(...[...results.values()].map(({ provenance }) => provenance.timingsMillis.encode));
  const outcomes = rows.map((row): Outcome => {
    const [depth, normals] = [of(row, "depth"), of(row, "normals")];
    const ownMillis = [depth, normals].reduce((sum, { provenance: { timingsMillis: t } }) => sum + t.denoise + t.decode + t.combine, 0);
    return { row, depth, normals, millis: encodeMillis + ownMillis, difference: differenceOf(depth, normals, of(rows[0], "depth"), of(rows[0], "normals")) };
  });
  if (photograph) await writeGrid(picturePath, `${parse(imagePath).base}: the same photograph under four settings`, gridOf(photograph, outcomes), 300, join(installation, "media", "fonts"));
  return outcomes;
}

function differenceOf(depth: RunResult, normals: RunResult, multiDepth: RunResult, multiNormals: RunResult): Difference {
  const reference = multiDepth.map.data;
  const aligned = applyScaleShift(depth.map.data, fitScaleShift(depth.map.data, reference));
  const { low, high } = displayRange(reference, 2, 98);
  const range = high - low;
  const depthMap = { ...depth.map, data: aligned.map((value, i) => (100 * Math.abs(value - reference[i])) / range) };
  return { depthMap, depthPercent: meanOf(depthMap.data), normalsDegrees: (meanOf(angleMap(inFrameOf(normals, multiNormals), multiNormals.map).data) * 180) / Math.PI };
}

function inFrameOf(result: RunResult, other: RunResult): FloatMap {
  const [own, wanted] = [result.provenance.semantics, other.provenance.semantics];
  return own.task === "normals" && wanted.task === "normals" ? convertFrame(result.map, own.frame, wanted.frame) : result.map;
}

/** Pixels without a value (a zero vector has no angle) do not count. */
function meanOf(values: Float32Array): number {
  const finite = values.filter(Number.isFinite);
  return finite.reduce((sum, value) => sum + value, 0) / Math.max(1, finite.length);
}

function gridOf({ rgb, width, height }: DecodedImage, outcomes: readonly Outcome[]): GridCell[][] {
  const cell = (label: string, pixels: Uint8Array): GridCell => ({ label, picture: { rgb: pixels, width, height } });
  return outcomes.map(({ row, depth, normals, millis, difference }) => {
    const last = depth.stdOverSteps
      ? cell("depth: std over the steps", colourOfDeviation(depth.stdOverSteps))
      : cell(`depth vs multi-step: ${difference.depthPercent.toFixed(1)} %`, colourOfDeviation(difference.depthMap, 50));
    return [cell(`${row.label}, ${duration(millis)}`, rgb), cell("depth (relative)", colourOf(depth)), cell("normals", colourOf(normals)), last];
  });
}

function formatDemo(table: readonly (readonly [string, readonly Outcome[]])[]): string {
  const header = ["", "", "time", "depth differs", "normals differ"];
  const lines = table.flatMap(([name, outcomes]) =>
    outcomes.map(({ row, millis, difference }, i) => {
      const figures = i === 0 ? ["-", "-"] : [`${difference.depthPercent.toFixed(1)} %`, `${difference.normalsDegrees.toFixed(1)}°`];
      return [i === 0 ? name : "", row.label, duration(millis), ...figures];
    }),
  );
  return `${alignColumns([header, ...lines], 2)}
Differences are to the multi-step result of the same photograph, which is not the truth: depth, mean |difference| after
the best scale and shift, in percent of the multi-step map's range (2nd to 98th percentile); normals, mean angle. Times are for
depth and normals together, with the encoder, without loading; the multi-step row also decodes every step for its deviation.
`;
}

function jsonRows([image, outcomes]: readonly [string, readonly Outcome[]]): object[] {
  return outcomes.map(({ row, millis, difference: { depthPercent, normalsDegrees } }) => ({ image, name: row.id, steps: row.steps, spacing: row.spacing, millis, depthPercent, normalsDegrees }));
}
