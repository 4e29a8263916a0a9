import { numberField, type Control, type NumberLimits } from "../controls";
import { attributes, el } from "../dom";

/** A slider with a field for exact numbers, which may lie outside the slider's ends. */
export class NumberSlider {
  readonly element: HTMLElement;
  readonly #slider;
  readonly #field: Control<number>;

  constructor(label: string, unit: string, ends: { min: number; max: number; step: number }, limits: NumberLimits, onChange: (value: number) => void) {
    this.#slider = attributes(el("input"), { type: "range", min: String(ends.min), max: String(ends.max), step: String(ends.step), "aria-label": label });
    this.#slider.addEventListener("input", () => onChange(Number(this.#slider.value)));
    this.#field = numberField(`${label}, exactly`, ends.min, limits, onChange);
    this.element = el("div", "space-number", el("span", "field-label", label), this.#slider, this.#field.element, el("span", "field-label", unit));
  }

  set(value: number): void {
    if (Number(this.#slider.value) !== value) this.#slider.value = String(value);
    this.#field.set(Number(value.toPrecision(4)));
  }
}
