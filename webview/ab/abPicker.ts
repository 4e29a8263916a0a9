import type { Task } from "../../src/core/semantics";
import type { RowSettings, ShownRef } from "../../src/protocol/panel";
import { dropdown, type Control } from "../controls";
import { attributes, el, setText } from "../dom";
import type { Page } from "../page";
import { runIdOf } from "../session";

export interface PickerActions {
  pick(ref: ShownRef): void;
  /** Asks for a ground-truth file. */
  chooseTruth(): void;
}

type Part = "result" | "step" | "member";

/** Values of the first dropdown beside the rows' ids, which hold no blank. */
const truthValue = " truth";
const chooseValue = " choose";

/** Chooses one side of a comparison: a row, then its result, a step or a member; or ground truth. */
export class AbPicker {
  readonly element;
  readonly #sources = new Choice((value) => this.#pickSource(value));
  readonly #parts = new Choice((value) => this.#pickPart(value as Part));
  readonly #slider = attributes(el("input"), { type: "range", min: "0", step: "1" });
  readonly #sliderText = el("span", "number");
  readonly #index = el("label", "ab-index", this.#slider, this.#sliderText);
  #ref?: ShownRef;
  #page?: Page;

  constructor(private readonly side: "A" | "B", private readonly actions: PickerActions) {
    const letter = el("span", `ab-letter ab-letter-${side.toLowerCase()}`, side);
    this.element = attributes(el("div", "ab-picker", letter, this.#sources.element, this.#parts.element, this.#index), { role: "group", "aria-label": `Map ${side}` });
    this.#slider.addEventListener("input", () => this.#pickIndex(Number(this.#slider.value)));
  }

  update(page: Page, ref: ShownRef): void {
    this.#page = page;
    this.#ref = ref;
    const { truth } = page.state.view;
    const rows = page.state.settings.rows.filter(({ models }) => models[ref.task] !== undefined).map(({ rowId, label }) => [rowId, label] as const);
    const gone = ref.kind !== "file" && !rows.some(([rowId]) => rowId === ref.rowId) ? [[ref.rowId, page.labelOf(ref)] as const] : [];
    const file = ref.kind === "file" ? ref : truth?.task === ref.task ? truth : undefined;
    const held = file ? [[truthValue, `Ground truth: ${page.labelOf(file)}`] as const] : [];
    const sources = [...rows, ...gone, ...held, [chooseValue, held.length > 0 ? "Another ground-truth file…" : "Ground-truth file…"] as const];
    this.#sources.update(`Map ${this.side}`, sources, ref.kind === "file" ? truthValue : ref.rowId);
    const parts = ref.kind === "file" ? [] : partsOf(rowOf(page, ref.rowId), ref.kind);
    this.#parts.element.hidden = parts.length < 2;
    if (parts.length > 0) this.#parts.update(`Part of ${this.side}`, parts, ref.kind);
    this.#updateIndex(page, ref);
  }

  #updateIndex(page: Page, ref: ShownRef): void {
    this.#index.hidden = ref.kind !== "step" && ref.kind !== "member";
    if (ref.kind !== "step" && ref.kind !== "member") return;
    const row = rowOf(page, ref.rowId);
    const [at, count] = ref.kind === "step" ? [ref.step, row?.steps ?? 1] : [ref.member, row?.ensembleSize ?? 1];
    attributes(this.#slider, { max: String(Math.max(count - 1, at)), "aria-label": `${ref.kind === "step" ? "Step" : "Member"} of ${this.side}` });
    if (Number(this.#slider.value) !== at) this.#slider.value = String(at);
    const run = page.generation?.runs.get(runIdOf(ref.rowId, ref.task));
    const timestep = ref.kind === "step" ? (run?.plan[at]?.timestep ?? run?.steps.find(({ step }) => step === at)?.timestep) : undefined;
    const text = `${at + 1}/${Math.max(count, at + 1)}${timestep === undefined ? "" : ` · t = ${timestep}`}`;
    setText(this.#sliderText, text);
    attributes(this.#slider, { "aria-valuetext": text });
  }

  #pickSource(value: string): void {
    const ref = this.#ref;
    const truth = this.#page?.state.view.truth;
    if (!ref) return;
    if (value === chooseValue) {
      // The dropdown goes back to what is shown until a file has been chosen.
      this.#sources.set(ref.kind === "file" ? truthValue : ref.rowId);
      this.actions.chooseTruth();
    } else if (value === truthValue) {
      if (truth) this.actions.pick(truth);
    } else this.actions.pick({ kind: "result", rowId: value, task: ref.task });
  }

  #pickPart(part: Part): void {
    const ref = this.#ref;
    if (!ref || ref.kind === "file") return;
    const { rowId, task } = ref;
    this.actions.pick(part === "step" ? { kind: part, rowId, task, step: 0 } : part === "member" ? { kind: part, rowId, task, member: 0 } : { kind: part, rowId, task });
  }

  #pickIndex(at: number): void {
    if (this.#ref?.kind === "step") this.actions.pick({ ...this.#ref, step: at });
    else if (this.#ref?.kind === "member") this.actions.pick({ ...this.#ref, member: at });
  }
}

/** A row as it was run, or as it is set when it was not. */
export function rowOf({ state, generation }: Page, rowId: string): RowSettings | undefined {
  return [...(generation?.settings.rows ?? []), ...state.settings.rows].find((row) => row.rowId === rowId);
}

/** What a row consists of, with the part that is shown even when the row no longer has it. */
function partsOf(row: RowSettings | undefined, shown: Part): readonly (readonly [Part, string])[] {
  const members = shown === "member" || (row !== undefined && row.ensembleSize > 1);
  const steps = shown === "step" || (row !== undefined && row.steps > 1);
  return [["result", members ? "Ensemble mean" : "Result"], ...(steps ? [["step", "Step"] as const] : []), ...(members ? [["member", "Member"] as const] : [])];
}

/** Where a map can come from next: the same place in another task. */
export function inTask(ref: ShownRef, task: Task, page: Page): ShownRef | undefined {
  if (ref.kind === "file" || rowOf(page, ref.rowId)?.models[task] === undefined) return undefined;
  return { ...ref, task };
}

/** A dropdown whose options change now and then; it is built anew only then. */
class Choice {
  readonly element = el("span", "ab-choice");
  #options = "";
  #dropdown?: Control<string>;

  constructor(private readonly onChange: (value: string) => void) {}

  update(label: string, options: readonly (readonly [string, string])[], value: string): void {
    const key = JSON.stringify([label, options]);
    if (key === this.#options) return this.set(value);
    this.#options = key;
    this.#dropdown = dropdown(label, options, value, (chosen) => this.onChange(chosen));
    this.element.replaceChildren(this.#dropdown.element);
  }

  set(value: string): void {
    this.#dropdown?.set(value);
  }
}
