import type { DepthKind } from "../../src/core/semantics";
import type { ShownRef } from "../../src/protocol/panel";
import { button, dropdown, type Control } from "../controls";
import { attributes, el, setText } from "../dom";
import type { SpaceSettings } from "./cloud";
import { NumberSlider } from "./numberSlider";
import type { Viewpoint } from "./view";

/** A run whose depth can be shown, or a ground-truth file. */
export interface DepthSource {
  readonly value: string;
  readonly label: string;
  readonly ref: ShownRef;
  /** Steps that can be shown instead of the result; 1 where there is only the result. */
  readonly steps: number;
}

export interface SpaceActions {
  change(change: Partial<SpaceSettings>): void;
  look(viewpoint: Viewpoint): void;
  fit(): void;
  save(): void;
  close(): void;
}

/** Scale 1 and a shift that puts the far end three times as far as the near one, for depth from 0 to 1. */
export const defaultProjection: Record<DepthKind, { readonly fovDegrees: number; readonly scale: number; readonly shift: number }> = {
  "affine-depth": { fovDegrees: 60, scale: 1, shift: 0.5 },
  "affine-disparity": { fovDegrees: 60, scale: 1, shift: 0.5 },
  "metric-depth": { fovDegrees: 60, scale: 1, shift: 0 },
};

const scalingText: Record<DepthKind, string> = {
  "affine-depth": "z = scale · d + shift, in no unit: an affine-invariant depth leaves both free.",
  "affine-disparity": "Alignment is missing: the model gives disparity up to an unknown scale and shift. z = 1 / (scale · d + shift) with your numbers; other numbers bend the scene.",
  "metric-depth": "Metric depth: z = d, in metres.",
};

/** What is shown, from where, and the three numbers that make points of a prediction. */
export class SpaceControls {
  readonly head = el("header", "space-head");
  readonly element = el("div", "space-controls");
  readonly #sources = el("span", "space-sources");
  readonly #steps = attributes(el("input"), { type: "range", min: "0", step: "1", "aria-label": "Step in space" });
  readonly #stepText = el("span", "scrub-text");
  readonly #stepField = el("label", "field", this.#steps, this.#stepText);
  readonly #shape: Control<string>;
  readonly #colour: Control<string>;
  readonly #views: ReadonlyMap<Viewpoint, HTMLElement>;
  readonly #fov: NumberSlider;
  readonly #scale: NumberSlider;
  readonly #shift: NumberSlider;
  readonly #save;
  readonly #fit;
  readonly #meaning = el("p", "hint");
  #sourceList: readonly DepthSource[] = [];
  #sourceKey = "";
  #source?: Control<string>;
  #settings?: SpaceSettings;
  #depthKind: DepthKind = "affine-depth";

  constructor(private readonly actions: SpaceActions) {
    this.#shape = dropdown("Shape", [["points", "Points"], ["mesh", "Mesh"]], "points", (shape) => actions.change({ shape: shape as SpaceSettings["shape"] }));
    this.#colour = dropdown("Colour of the points", [["rgb", "Photograph"], ["normals", "Normals"], ["std", "Standard deviation"]], "rgb", (colour) => actions.change({ colour: colour as SpaceSettings["colour"] }));
    const view = (name: Viewpoint, text: string): [Viewpoint, HTMLElement] => [name, button(text, () => actions.look(name)).element];
    this.#views = new Map([view("front", "Front"), view("top", "Top"), view("side", "Side")]);
    this.#save = button("Save PLY", () => actions.save(), { icon: "export" });
    this.#fit = button("Fit to the predicted normals", () => actions.fit());
    this.#fov = new NumberSlider("Field of view", "°", { min: 20, max: 120, step: 1 }, { min: 1, max: 170 }, (fovDegrees) => actions.change({ fovDegrees }));
    this.#scale = new NumberSlider("Scale", "", { min: 0.1, max: 5, step: 0.01 }, { min: 1e-4, max: 1e4 }, (scale) => actions.change({ scale }));
    this.#shift = new NumberSlider("Shift", "", { min: 0, max: 4, step: 0.01 }, { min: -1e4, max: 1e4 }, (shift) => actions.change({ shift }));
    const reset = button("Reset", () => actions.change(defaultProjection[this.#depthKind]), { icon: "reset" });
    this.#steps.addEventListener("input", () => this.#chooseStep(Number(this.#steps.value)));
    this.head.append(
      button("Back to tiles", () => actions.close(), { icon: "previous" }).element,
      el("span", "group", this.#sources, this.#stepField),
      el("span", "group", this.#shape.element, this.#colour.element),
      attributes(el("span", "group", ...this.#views.values()), { role: "group", "aria-label": "Look from" }),
      this.#save.element,
    );
    this.element.append(this.#fov.element, this.#scale.element, this.#shift.element, el("div", "group", reset.element, this.#fit.element), this.#meaning);
  }

  update(settings: SpaceSettings, sources: readonly DepthSource[], depthKind: DepthKind | undefined, can: { readonly fit: boolean; readonly save: boolean }): void {
    this.#settings = settings;
    if (depthKind) this.#depthKind = depthKind;
    this.#updateSources(settings, sources);
    this.#shape.set(settings.shape);
    this.#colour.set(settings.colour);
    const metric = this.#depthKind === "metric-depth";
    this.#fov.set(settings.fovDegrees);
    this.#scale.set(settings.scale);
    this.#shift.set(settings.shift);
    this.#scale.element.hidden = this.#shift.element.hidden = metric;
    this.#fit.enable(can.fit);
    this.#save.enable(can.save);
    setText(this.#meaning, scalingText[this.#depthKind]);
  }

  /** Marks the view that the eye is in. */
  mark(viewpoint: Viewpoint | undefined): void {
    for (const [name, element] of this.#views) attributes(element, { "aria-pressed": String(name === viewpoint), class: name === viewpoint ? "pressed" : undefined });
  }

  #updateSources(settings: SpaceSettings, sources: readonly DepthSource[]): void {
    this.#sourceList = sources;
    const value = sourceOf(settings.of);
    const key = JSON.stringify(sources.map((source) => [source.value, source.label]));
    if (key !== this.#sourceKey || !this.#source) {
      this.#sourceKey = key;
      this.#source = dropdown("Depth in space", sources.map((source) => [source.value, source.label] as const), value, (chosen) => this.#chooseSource(chosen));
      this.#sources.replaceChildren(this.#source.element);
    }
    this.#source.set(value);
    const steps = sources.find((source) => source.value === value)?.steps ?? 1;
    this.#stepField.hidden = steps < 2;
    attributes(this.#steps, { max: String(steps) });
    const at = settings.of.kind === "step" ? settings.of.step : steps;
    if (Number(this.#steps.value) !== at) this.#steps.value = String(at);
    setText(this.#stepText, at < steps ? `step ${at + 1} of ${steps}` : "result");
    attributes(this.#steps, { "aria-valuetext": this.#stepText.textContent ?? undefined });
  }

  #chooseSource(value: string): void {
    const source = this.#sourceList.find((candidate) => candidate.value === value);
    if (source && value !== sourceOf(this.#settings?.of)) this.actions.change({ of: source.ref });
  }

  /** The last place of the slider is the result of all members. */
  #chooseStep(step: number): void {
    const of = this.#settings?.of;
    const source = this.#sourceList.find(({ value }) => value === sourceOf(of));
    if (!of || of.kind === "file" || !source) return;
    this.actions.change({ of: step < source.steps ? { kind: "step", rowId: of.rowId, task: "depth", step } : { kind: "result", rowId: of.rowId, task: "depth" } });
  }
}

/** How a dropdown names where a map comes from. */
export function sourceOf(ref: ShownRef | undefined): string {
  if (!ref) return "";
  return ref.kind === "file" ? "file" : `row:${ref.rowId}`;
}
