import { button } from "../controls";
import { attributes, el, icon, setText } from "../dom";
import { durationText } from "../rows/measures";
import type { Generation } from "../session";

const stageText = { load: "loading the model", encode: "encoding the image", denoise: "denoising", decode: "decoding", combine: "combining" } as const;

/** One line that is always there: the image's name, what is being done, time left, and a bar under it. */
export class StatusLine {
  readonly element = el("div", "status-line");
  readonly #name = el("span", "status-name");
  readonly #text = attributes(el("span", "status-text"), { role: "status" });
  readonly #time = el("span", "status-time");
  readonly #fill = el("div", "status-fill");
  readonly #bar = attributes(el("div", "status-bar", this.#fill), { role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100" });

  constructor() {
    this.element.append(this.#name, this.#text, this.#time, this.#bar);
  }

  update(name: string, generation: Generation | undefined): void {
    setText(this.#name, name);
    setText(this.#text, describe(generation));
    attributes(this.#text, { title: describe(generation) || undefined });
    const running = generation?.status === "running";
    const { fraction = 0, remainingMillis } = generation?.progress ?? {};
    setText(this.#time, running && remainingMillis !== undefined ? `${durationText(remainingMillis)} left` : "");
    this.#bar.classList.toggle("active", running);
    this.#bar.classList.toggle("unknown", running && fraction === 0);
    this.#fill.style.width = `${running ? 100 * fraction : 0}%`;
    attributes(this.#bar, { "aria-valuenow": running ? String(Math.round(100 * fraction)) : undefined, "aria-hidden": running ? undefined : "true" });
  }
}

function describe(generation: Generation | undefined): string {
  if (!generation) return "";
  const { status, progress, device, elapsedMillis } = generation;
  const on = device ? ` on ${deviceText[device.device]}${device.note ? ` (${device.note})` : ""}` : "";
  if (status === "finished") return `Finished${elapsedMillis === undefined ? "" : ` in ${durationText(elapsedMillis)}`}${on}`;
  if (status === "cancelled") return "Cancelled";
  if (status === "failed") return "Failed";
  if (!progress) return "Starting";
  const colon = progress.runId.lastIndexOf(":");
  const label = generation.settings.rows.find(({ rowId }) => rowId === progress.runId.slice(0, colon))?.label ?? "";
  const step = generation.runs.get(progress.runId)?.latest;
  const at = step && progress.stage === "denoise" ? `, step ${step.step + 1} of ${step.steps} (t = ${step.timestep})` : "";
  return `${label}, ${progress.runId.slice(colon + 1)}: ${stageText[progress.stage]}${at}`;
}

const deviceText = { cuda: "CUDA", webgpu: "WebGPU", dml: "DirectML", coreml: "Core ML", cpu: "CPU" } as const;

/** What went wrong and what to do about it, or a word on a finished export; takes no room when there is nothing. */
export class Notice {
  readonly element = attributes(el("div", "notice"), { role: "alert" });
  readonly #message = el("div", "notice-message");
  readonly #remedy = el("div", "notice-remedy");
  readonly #actions = el("div", "notice-actions");

  constructor(private readonly showLog: () => void, private readonly retry: () => void) {
    this.element.append(icon("warning"), el("div", "notice-text", this.#message, this.#remedy), this.#actions);
    this.element.hidden = true;
  }

  error(message: string, remedy: string): void {
    this.#set("error", message, remedy, [button("Show Log", this.showLog).element, button("Run Again", this.retry, { appearance: "primary" }).element]);
  }

  info(message: string, remedy = ""): void {
    this.#set("info", message, remedy, [button("Close", () => this.clear()).element]);
  }

  clear(): void {
    this.element.hidden = true;
  }

  #set(kind: "error" | "info", message: string, remedy: string, actions: readonly HTMLElement[]): void {
    attributes(this.element, { "data-kind": kind });
    setText(this.#message, message);
    setText(this.#remedy, remedy);
    this.#actions.replaceChildren(...actions);
    this.element.hidden = false;
  }
}
