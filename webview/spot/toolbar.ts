import type { Column } from "../../src/evaluation/columns";
import type { SpotRunState } from "../../src/protocol/spotCheck";
import { button, checkbox, dropdown, iconButton, optionalNumberField, textField, type Control } from "../controls";
import { attributes, el, setText } from "../dom";
import { pictureKinds, pictureNames, type PictureKind } from "./grid";
import type { Filter, Order } from "./store";

export interface ToolbarActions {
  run(retryFailed: boolean): void;
  pause(): void;
  resume(): void;
  cancel(): void;
  report(): void;
  /** Shows or hides the settings. */
  toggleSettings(): void;
}

/** Images of the sample, and what came of them so far. */
interface Known {
  readonly size: number;
  readonly examined: number;
  readonly failed: number;
}

/** Run and how far it is. */
export class RunBar {
  readonly element = attributes(el("div", "bar"), { role: "toolbar", "aria-label": "Run" });
  readonly #run = button("Run", () => this.actions.run(false), { appearance: "primary", icon: "run" });
  readonly #pause = button("Pause", () => (this.#state.phase === "paused" ? this.actions.resume() : this.actions.pause()), { icon: "pause" });
  readonly #cancel = button("Cancel", () => this.actions.cancel(), { icon: "stop" });
  readonly #retry = button("Retry Failed", () => this.actions.run(true), { icon: "reset" });
  readonly #settings = button("Settings", () => this.actions.toggleSettings(), { icon: "settings" });
  readonly #report = button("Write Report", () => this.actions.report(), { icon: "export" });
  readonly #status = attributes(el("span", "run-status"), { role: "status" });
  readonly #progress = attributes(el("progress", "run-progress"), { "aria-label": "Progress" });
  #state: SpotRunState = { phase: "idle" };

  constructor(private readonly actions: ToolbarActions) {
    const buttons = [this.#run, this.#pause, this.#cancel, this.#retry, this.#settings, this.#report].map(({ element }) => element);
    this.element.append(...buttons, this.#progress, this.#status);
  }

  update(state: SpotRunState, known: Known & { readonly isSettingsShown: boolean }): void {
    this.#state = state;
    const isIdle = state.phase === "idle";
    this.#run.element.hidden = this.#settings.element.hidden = !isIdle;
    this.#run.set(known.examined > 0 && known.examined < known.size ? "Continue" : "Run", "run");
    this.#pause.element.hidden = this.#cancel.element.hidden = isIdle;
    this.#pause.set(state.phase === "paused" ? "Resume" : "Pause", state.phase === "paused" ? "run" : "pause");
    this.#pause.enable(state.phase === "running" || state.phase === "paused");
    this.#cancel.enable(state.phase !== "stopping");
    this.#retry.element.hidden = !isIdle || known.failed === 0;
    this.#report.element.hidden = !isIdle || known.examined === 0;
    attributes(this.#settings.element, { "aria-expanded": String(known.isSettingsShown) });
    this.#progress.hidden = isIdle;
    if (state.progress) [this.#progress.value, this.#progress.max] = [state.progress.done, Math.max(1, state.progress.total)];
    else this.#progress.removeAttribute("value");
    setText(this.#status, statusText(state, known));
  }
}

function statusText({ phase, progress }: SpotRunState, { size, examined, failed }: Known): string {
  const failures = (count: number): string => (count > 0 ? `, ${count} failed` : "");
  if (phase === "idle") return examined === 0 ? "Nothing examined yet." : `${examined === size ? examined : `${examined} of ${size}`} examined${failures(failed)}`;
  if (phase === "starting" || !progress) return phase === "stopping" ? "Stopping" : "Looking for images";
  const { done, total, imagesPerSecond, remainingMillis } = progress;
  const count = `${done} of ${total}${failures(progress.failed)}`;
  if (phase === "paused") return `${count}, paused`;
  if (phase === "stopping") return `${count}, stopping`;
  return imagesPerSecond === undefined || remainingMillis === undefined ? count : `${count}, ${imagesPerSecond.toPrecision(3)} a second, ${timeText(remainingMillis)} left`;
}

/** "45 s", "12 min", "3.5 h" */
function timeText(millis: number): string {
  const seconds = millis / 1000;
  return seconds < 100 ? `${Math.round(seconds)} s` : seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Of the list of metrics; the toolkit takes an empty value for the one that is chosen. */
const noMetric = "path";

export interface LookActions {
  kind(kind: PictureKind): void;
  filter(change: Partial<Filter>): void;
  order(change: Partial<Order>): void;
}

/** Which pictures, in which order, and which images. */
export class LookBar {
  readonly element = attributes(el("div", "bar"), { role: "toolbar", "aria-label": "Look" });
  readonly #kinds = new Map<PictureKind, HTMLElement>();
  readonly #metricPlace = el("span", "field");
  readonly #reversed = iconButton("Reverse the order", "swap", () => this.actions.order({ isReversed: !this.#isReversed }));
  readonly #outliers: Control<boolean>;
  readonly #worst: Control<number | undefined>;
  readonly #count = attributes(el("span", "run-status"), { role: "status" });
  #metric?: Control<string>;
  #options = "";
  #isReversed = false;

  constructor(private readonly actions: LookActions) {
    const kinds = attributes(el("span", "kinds"), { role: "group", "aria-label": "Pictures" });
    pictureKinds.forEach((kind, i) => {
      const { element } = button(pictureNames[kind], () => actions.kind(kind));
      this.#kinds.set(kind, attributes(element, { title: `${pictureNames[kind]} (${i + 1})` }));
      kinds.append(element);
    });
    const status = dropdown("Status", [["all", "Any status"], ["done", "Done"], ["failed", "Failed"], ["odd", "Odd images"], ["pending", "Waiting"]], "all", (value) => actions.filter({ status: value as Filter["status"] }));
    const mark = dropdown("Marked", [["all", "Any mark"], ["good", "Good"], ["bad", "Bad"], ["unsure", "Unsure"], ["none", "No mark"]], "all", (value) => actions.filter({ mark: value as Filter["mark"] }));
    const text = attributes(textField("Text", "", () => undefined).element, { placeholder: "Name, reason or note" });
    text.addEventListener("input", () => actions.filter({ text: (text as HTMLElement & { value: string }).value }));
    text.classList.add("wide");
    this.#worst = optionalNumberField("Worst", undefined, "all", { min: 1, max: 1e6, integer: true }, (worst) => actions.filter({ worst }));
    this.#outliers = checkbox("Outliers", false, (outliers) => actions.filter({ outliers }));
    attributes(this.#outliers.element, { title: "Only images further than 3.5 robust standard deviations from the median of the metric" });
    this.element.append(kinds, el("span", "field", el("span", "field-label", "Sort by"), this.#metricPlace, this.#reversed.element), el("span", "field", el("span", "field-label", "Worst"), this.#worst.element), this.#outliers.element, status.element, mark.element, text, this.#count);
  }

  update(kind: PictureKind, columns: readonly Column[], { metric, isReversed }: Order, filter: Filter, shown: number, all: number): void {
    for (const [name, element] of this.#kinds) attributes(element, { "aria-pressed": String(name === kind) });
    this.#isReversed = isReversed;
    attributes(this.#reversed.element, { "aria-pressed": String(isReversed) });
    const options = [[noMetric, "Path"] as const, ...columns.map(({ id, title }) => [id, title] as const)];
    const text = JSON.stringify(options);
    // A list that is open stays as it is until it is closed.
    if (text !== this.#options && !this.#metric?.element.hasAttribute("open")) {
      this.#options = text;
      this.#metric = dropdown("Metric", options, metric ?? noMetric, (value) => this.actions.order({ metric: value === noMetric ? undefined : value }));
      this.#metricPlace.replaceChildren(this.#metric.element);
    }
    this.#metric?.set(metric ?? noMetric);
    this.#worst.set(filter.worst);
    this.#outliers.set(filter.outliers);
    setText(this.#count, shown === all ? `${all} images` : `${shown} of ${all} images`);
  }
}
