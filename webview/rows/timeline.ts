import { noisePlan } from "../../src/core/schedulers/noiseLevels";
import { iconButton } from "../controls";
import { attributes, el, icon, setText } from "../dom";
import { stopsOf, type TimelineView } from "./stops";
import { Thumbnails } from "./thumbnails";
import "./timeline.css";

export interface TimelineActions {
  /** Undefined shows the result again. `linked`: the other rows go along. */
  showStep(rowId: string, step: number | undefined, linked: boolean): void;
  /** Steps that may be shown next, the likeliest first. */
  expectSteps(rowId: string, steps: readonly number[], linked: boolean): void;
  toggleLink(): void;
}

const playedPerSecond = 6;
/** Told and real noise levels that differ by more are pointed out. */
const noticeableGap = 0.05;

/** The steps of one row: thumbnails over a slider, play, and what the schedule said of the step on show. */
export class Timeline {
  readonly element = el("div", "timeline");
  readonly #play = iconButton("Play", "run", () => this.#togglePlay());
  readonly #link;
  readonly #thumbnails = new Thumbnails((part) => this.#go(Math.min(this.#stops - 1, Math.floor(part * this.#stops))));
  readonly #slider = attributes(el("input", "timeline-slider"), { type: "range", min: "0", step: "1" });
  readonly #track = el("div", "timeline-track", this.#thumbnails.element, this.#slider);
  readonly #step = el("span", "timeline-step");
  readonly #noise = el("span");
  readonly #noiseFact = el("span", "timeline-noise", icon("warning"), this.#noise);
  #view: TimelineView;
  #timer?: number;
  #shift = false;

  constructor(view: TimelineView, private readonly actions: TimelineActions) {
    this.#view = view;
    this.#link = iconButton("Link the steps of all rows (Shift)", "link", () => actions.toggleLink());
    const facts = el("div", "timeline-facts", this.#step, this.#noiseFact);
    this.element.append(el("div", "timeline-buttons", this.#play.element, this.#link.element), el("div", "timeline-scroll", this.#track), facts);
    for (const type of ["pointerdown", "pointermove", "keydown"] as const) this.element.addEventListener(type, (event) => (this.#shift = event.shiftKey), { capture: true });
    this.#slider.addEventListener("input", () => this.#go(Number(this.#slider.value)));
    this.#slider.addEventListener("keydown", (event) => this.#key(event));
  }

  update(view: TimelineView, linked: boolean, linkable: boolean): void {
    this.#view = view;
    this.element.classList.toggle("single", this.#stops < 2);
    attributes(this.#link.element, { "aria-pressed": String(linked) });
    this.#link.element.hidden = !linkable;
    this.#updateSlider(view);
    if (this.#stops > 1) this.#thumbnails.update(view);
    this.#updateFacts(view);
  }

  /** Ends what goes on by itself, before the row is dropped. */
  stop(): void {
    window.clearInterval(this.#timer);
    this.#timer = undefined;
    this.#play.set("Play (Space)", "run");
  }

  get #stops(): number {
    return stopsOf(this.#view);
  }

  #updateSlider({ label, shown }: TimelineView): void {
    this.#track.style.setProperty("--stops", String(this.#stops));
    attributes(this.#slider, { max: String(Math.max(1, this.#stops - 1)), "aria-label": `Step of ${label}` });
    this.#slider.toggleAttribute("disabled", shown === undefined);
    this.#play.enable(shown !== undefined);
    if (this.#timer === undefined) this.#play.set("Play (Space)", "run");
    if (Number(this.#slider.value) !== (shown ?? 0)) this.#slider.value = String(shown ?? 0);
  }

  #updateFacts({ count, members, steps, plan, gapIsMeant, isOnePass, shown }: TimelineView): void {
    const at = Math.min(shown ?? 0, count - 1);
    const timestep = isOnePass ? undefined : (plan[at]?.timestep ?? steps[at]?.timestep);
    const combined = shown !== undefined && shown >= count;
    const planned = noisePlan(plan)[at];
    const alphaBar = planned ? ` · ᾱ = ${planned.alphaBar.toFixed(4)}` : "";
    const step = combined ? `${members} members combined` : `step ${at + 1} of ${count}${timestep === undefined ? "" : ` · t = ${timestep}${alphaBar}`}`;
    setText(this.#step, timestep === undefined && !combined ? "" : step);
    const told = combined ? undefined : planned;
    const noise = told ? `noise: told ${told.toldNoise.toFixed(2)} · really ${told.inputNoise.toFixed(2)}` : "";
    const gap = told !== undefined && Math.abs(told.toldNoise - told.inputNoise) > noticeableGap;
    const mismatch = gap && !gapIsMeant;
    setText(this.#noise, noise);
    this.#noiseFact.classList.toggle("mismatch", mismatch);
    const about = mismatch
      ? "The network is told another noise level than its input really holds: it removes too little or too much noise"
      : gap
        ? "The network is told of noise and given none: it was fine-tuned for exactly this"
        : "The noise level that the network is told, sqrt(1 − ᾱ), and the level of the noise that its input really holds";
    attributes(this.#noiseFact, { title: told ? about : undefined });
    attributes(this.#slider, { "aria-valuetext": [step, noise].filter(Boolean).join(", ") });
  }

  #key(event: KeyboardEvent): void {
    // The slider is ahead of the view until the next frame: a second press in between counts from there.
    const at = Number(this.#slider.value);
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: this.#stops - 1 }[event.key];
    if (event.key === " ") this.#togglePlay();
    else if (to !== undefined) this.#go(Math.min(this.#stops - 1, Math.max(0, to)));
    else return;
    event.preventDefault();
  }

  #togglePlay(): void {
    if (this.#timer !== undefined) return this.stop();
    if (this.#view.shown === this.#stops - 1) this.#show(0);
    this.#play.set("Pause (Space)", "pause");
    this.#timer = window.setInterval(() => {
      const next = (this.#view.shown ?? 0) + 1;
      if (next < this.#stops) this.#show(next);
      if (next >= this.#stops - 1) this.stop();
    }, 1000 / playedPerSecond);
  }

  /** A stop chosen by hand: it ends the playing. */
  #go(stop: number): void {
    this.stop();
    this.#show(stop);
  }

  #show(stop: number): void {
    const { rowId, shown = 0, steps } = this.#view;
    const last = stop === this.#stops - 1;
    if (!last && !steps[stop]) {
      // What is not computed yet cannot be shown.
      this.#slider.value = String(shown);
      return;
    }
    this.#slider.value = String(stop);
    this.actions.showStep(rowId, last ? undefined : stop, this.#shift);
    const expected = nextStops(shown, stop).filter((next) => steps[next] !== undefined);
    this.actions.expectSteps(rowId, expected, this.#shift);
  }
}

/** How many steps ahead are expected. */
const stepsAhead = 4;

/** Where a scrubber that went from one stop to another goes next: as far again, then the neighbours ahead, then the one behind. */
export function nextStops(from: number, to: number): readonly number[] {
  const stride = to - from;
  const way = Math.sign(stride) || 1;
  const ahead = Array.from({ length: stepsAhead }, (_, i) => to + way * (i + 1));
  return [...new Set([to + stride, ...ahead, to - way])].filter((stop) => stop >= 0 && stop !== to);
}
