import type { SpotCheckSpec, SpotRunSpec } from "../../src/evaluation/spec";
import type { ToSpotPage } from "../../src/protocol/spotCheck";
import { checkbox, dropdown, numberField, optionalNumberField, textField } from "../controls";
import { attributes, el } from "../dom";

type Init = Extract<ToSpotPage, { type: "init" }>;
type Sampling = SpotCheckSpec["sampling"];

const samplings: readonly (readonly [Sampling["kind"], string])[] = [
  ["all", "All images"], ["first", "The first"], ["random", "A random sample"], ["stratified", "As many of every folder"], ["every", "Every k-th"], ["glob", "Paths like"], ["list", "Paths in a file"],
];

/** Of lists; the toolkit takes an empty value for the one that is chosen. */
const none = "none";
const own = "as-in-file";

/** The choices of a spot check; every change makes another spec. */
export class SpecForm {
  readonly element = attributes(el("form", "spec-form"), { "aria-label": "What is looked at" });
  #spec: SpotCheckSpec | undefined;
  #given: SpotCheckSpec["truth"];
  #init?: Init;

  constructor(private readonly onChange: (spec: SpotCheckSpec) => void) {
    this.element.addEventListener("submit", (event) => event.preventDefault());
  }

  get spec(): SpotCheckSpec | undefined {
    return this.#spec;
  }

  /** Made anew for another file. */
  set(init: Init): void {
    this.#init = init;
    this.#spec = init.spec;
    this.#given = init.spec.truth;
    this.#build();
  }

  #change(change: Partial<SpotCheckSpec>, rebuild = false): void {
    if (!this.#spec) return;
    this.#spec = { ...this.#spec, ...change };
    this.onChange(this.#spec);
    // The list that was chosen from still closes: its element stays until then.
    if (rebuild) setTimeout(() => this.#build());
  }

  #changeRun(index: number, change: Partial<SpotRunSpec>): void {
    this.#change({ runs: this.#spec?.runs.map((run, i) => (i === index ? { ...run, ...change } : run)) });
  }

  #build(): void {
    if (!this.#spec || !this.#init) return;
    const { runs } = this.#spec;
    const second = checkbox("Compare with a second run", runs.length > 1, (isOn) => {
      const first = this.#spec?.runs[0] ?? runs[0]; // it may have changed since
      this.#change({ runs: isOn ? [first, this.#secondRun(first)] : [first] }, true);
    });
    const resolution = optionalNumberField("Resolution", runs[0].processingResolution, "model's", { min: 0, max: 8192, integer: true }, (processingResolution) =>
      this.#change({ runs: this.#spec?.runs.map((run) => ({ ...run, processingResolution })) }),
    );
    this.element.replaceChildren(
      line("Images", ...this.#samplingFields()),
      line("Ground truth", this.#truthField()),
      line("Resolution", resolution.element, el("span", "hint", "Longest side in pixels; empty is what the models were made for, 0 is the image's own.")),
      ...runs.map((run, i) => this.#runLine(run, i)),
      line("", second.element),
    );
  }

  /** What the paper compares with: several steps of the model that was not fine-tuned. */
  #secondRun(first: SpotRunSpec): SpotRunSpec {
    const model = (task: "depth" | "normals"): string | undefined => this.#init?.models.find((choice) => choice.task === task && !choice.endToEnd)?.id ?? first[task];
    return { ...first, name: first.name === "multi-step" ? "second" : "multi-step", depth: first.depth && model("depth"), normals: first.normals && model("normals"), steps: 10 };
  }

  #samplingFields(): HTMLElement[] {
    const sampling: Sampling = this.#spec?.sampling ?? { kind: "all" };
    const kind = dropdown("Sampling", samplings, sampling.kind, (value) => this.#change({ sampling: freshSampling(value as Sampling["kind"]) }, true)).element;
    const change = (values: object): void => this.#change({ sampling: { ...this.#spec?.sampling, ...values } as Sampling });
    const count = (label: string, value: number, name: string): HTMLElement => numberField(label, value, { min: 1, max: 1e9, integer: true }, (number) => change({ [name]: number })).element;
    switch (sampling.kind) {
      case "all":
        return [kind];
      case "first":
        return [kind, count("Number of images", sampling.count, "count")];
      case "random":
      case "stratified":
        return [kind, count("Number of images", sampling.count, "count"), el("span", "field-label", "seed"), numberField("Seed", sampling.seed, { min: 0, max: 0xffffffff, integer: true }, (seed) => change({ seed })).element];
      case "every":
        return [kind, count("k", sampling.nth, "nth")];
      case "glob":
        return [kind, wide(textField("Pattern", sampling.pattern, (pattern) => change({ pattern })).element)];
      case "list":
        return [kind, wide(textField("File of paths", sampling.file, (file) => change({ file })).element)];
    }
  }

  #truthField(): HTMLElement {
    const given = this.#given;
    const truth = this.#spec?.truth;
    const hasOwn = given !== undefined && !("preset" in given);
    const options: (readonly [string, string])[] = [[none, "None"], ...(hasOwn ? [[own, "As in the file"] as const] : []), ...(this.#init?.presets ?? []).map(({ id, title }) => [id, title] as const)];
    const value = truth === undefined ? none : "preset" in truth ? truth.preset : own;
    return dropdown("Ground truth", options, value, (chosen) => this.#change({ truth: chosen === none ? undefined : chosen === own ? given : { preset: chosen } })).element;
  }

  #runLine(run: SpotRunSpec, index: number): HTMLElement {
    const models = (task: "depth" | "normals"): HTMLElement => {
      const known = (this.#init?.models ?? []).filter((choice) => choice.task === task).map(({ id, name }) => [id, name] as const);
      const named = run[task];
      const missing = named !== undefined && !known.some(([id]) => id === named) ? [[named, named] as const] : [];
      return dropdown(`${run.name}: ${task} model`, [[none, `No ${task}`], ...known, ...missing], named ?? none, (id) => this.#changeRun(index, { [task]: id === none ? undefined : id })).element;
    };
    return line(
      index === 0 ? "Run" : "Second run",
      textField("Name", run.name, (name) => this.#changeRun(index, { name })).element,
      models("depth"),
      models("normals"),
      numberField("Steps", run.steps, { min: 1, max: 1000, integer: true }, (steps) => this.#changeRun(index, { steps })).element,
      el("span", "field-label", "steps"),
      numberField("Members", run.ensembleSize, { min: 1, max: 100, integer: true }, (ensembleSize) => this.#changeRun(index, { ensembleSize })).element,
      el("span", "field-label", "members"),
    );
  }
}

function freshSampling(kind: Sampling["kind"]): Sampling {
  switch (kind) {
    case "all":
      return { kind };
    case "first":
      return { kind, count: 100 };
    case "random":
    case "stratified":
      return { kind, count: 100, seed: 0 };
    case "every":
      return { kind, nth: 10 };
    case "glob":
      return { kind, pattern: "**/*.png" };
    case "list":
      return { kind, file: "images.txt" };
  }
}

function line(label: string, ...fields: readonly HTMLElement[]): HTMLElement {
  return el("div", "spec-line", el("span", "field-label spec-label", label), ...fields);
}

function wide(element: HTMLElement): HTMLElement {
  element.classList.add("wide");
  return element;
}
