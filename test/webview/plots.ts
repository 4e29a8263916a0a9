import { parseSchedulerConfig } from "../../src/core/schedulers/config";
import type { StepNoise } from "../../src/core/schedulers/noiseLevels";
import { ddimSchedule } from "../../src/core/schedulers/schedule";
import type { Task } from "../../src/core/semantics";
import type { PredictEvent } from "../../src/protocol/inference";
import type { Ask, QuestionName, Questions, RowSettings } from "../../src/protocol/panel";
import { runKeyOf } from "./scenario";
import type { Stage } from "./stage";

/** Of the official checkpoints. */
const scheduler = parseSchedulerConfig({ _class_name: "DDIMScheduler", num_train_timesteps: 1000, beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012, prediction_type: "v_prediction", clip_sample: false, set_alpha_to_one: false, steps_offset: 1 });

/** The schedule of a row as the engine tells it. */
export function planOf({ steps, spacing, noise }: RowSettings): readonly StepNoise[] {
  const schedule = ddimSchedule(scheduler, steps, spacing);
  return schedule.map(({ t, alphaBar }, i) => ({
    timestep: t,
    alphaBar,
    toldNoise: Math.sqrt(1 - alphaBar),
    inputNoise: i > 0 ? Math.sqrt(1 - schedule[i - 1].alphaBarPrev) : noise.kind === "zeros" ? 0 : 1,
  }));
}

export function planned(row: RowSettings, task: Task): PredictEvent {
  return { type: "planned", runId: `${row.rowId}:${task}`, runKey: runKeyOf(row, task), cached: false, steps: planOf(row) };
}

/** Where the chart's marks of a class lie, in the units of its axes. */
export async function dotsOf(stage: Stage, chart: string, className: string): Promise<{ x: number; y: number }[]> {
  return stage.page.locator(chart).evaluate((figure, wanted) => {
    const place = (element: Element): [number, number] => {
      const [x, y] = (element.getAttribute("transform") ?? "").match(/-?[\d.]+(e-?\d+)?/g) ?? [];
      return [Number(x), Number(y)];
    };
    // The axis is read as a person reads it: two of its numbers and where they stand.
    const scale = (axis: "x" | "y"): ((pixel: number) => number) => {
      const marks = [...figure.querySelectorAll(`g[aria-label="${axis}-axis tick label"] text`)].map((text) => ({ at: place(text)[axis === "x" ? 0 : 1], value: Number((text.textContent ?? "").replace("−", "-").replace(/[^-\d.]/g, "")) }));
      const [first, last] = [marks[0], marks[marks.length - 1]];
      return (pixel) => first.value + ((pixel - first.at) * (last.value - first.value)) / (last.at - first.at);
    };
    const [across, up] = [scale("x"), scale("y")];
    return [...figure.querySelectorAll(`g.chart-dot.${wanted} path, g.chart-dot.${wanted} circle, path.chart-dot.${wanted}`)].map((dot) => {
      const [x, y] = dot.tagName === "circle" ? [Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))] : place(dot);
      return { x: across(x), y: up(y) };
    });
  }, className);
}

type Answers = { readonly [Name in QuestionName]?: (params: Questions[Name]["params"]) => Questions[Name]["result"] };

/** Answers every question that was asked since the last call, and those of the same names that are asked then; returns them. */
export async function answer(stage: Stage, answers: Answers, from = 0): Promise<Ask[]> {
  const answered: Ask[] = [];
  for (;;) {
    const asks = (await stage.sentOf("ask")).slice(from + answered.length);
    const known = answered.length === 0 ? asks : asks.filter(({ name }) => name in answers);
    if (known.length === 0) return answered;
    for (const { id, name, params } of known) {
      const reply = answers[name] as ((given: unknown) => Questions[QuestionName]["result"]) | undefined;
      if (reply) await stage.send({ type: "answer", id, result: reply(params) });
    }
    answered.push(...known);
  }
}
