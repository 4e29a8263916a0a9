import type { HalfMap } from "../src/core/half";
import type { FloatMap } from "../src/core/image";
import type { Semantics, Task } from "../src/core/semantics";
import type { MapRef } from "../src/protocol/inference";
import type { ShownRef } from "../src/protocol/panel";
import type { MapStore } from "./mapStore";
import type { Page, ShownMap } from "./page";
import { hasShown, runIdOf, type Generation, type RunView } from "./session";

/** The run on show: this generation's once it has anything, else the one before, which is then `stale`. */
export function shownRun(rowId: string, task: Task, generation: Generation | undefined): { run?: RunView; stale: boolean } {
  const id = runIdOf(rowId, task);
  const run = generation?.runs.get(id);
  if (run && hasShown(run)) return { run, stale: false };
  const before = generation?.before?.get(id);
  return before ? { run: before, stale: true } : { run, stale: false };
}

/** What the maps of a run mean; until its result says so, what the models of the paper estimate. */
export function semanticsOf(task: Task, run: RunView | undefined): Semantics {
  return run?.result?.provenance.semantics ?? (task === "depth" ? { task, depthKind: "affine-depth" } : { task, frame: "RUB" });
}

/** The map as floats, when the page has it; otherwise it is asked for, if there is such a map, and the page is brought up to date when it has come. */
export function mapOf(ref: ShownRef, page: Page, store: MapStore): ShownMap | undefined {
  const stored = storedOf(ref, page, store);
  if (!stored) return undefined;
  const named = nameOf(ref, page);
  const map = stored.data instanceof Float32Array ? (stored as FloatMap) : named && store.get(named.ref);
  return map && { map, semantics: semanticsOfRef(ref, page), label: labelOf(ref, page) };
}

/** The same as it came, for drawing: halves need not be decoded. */
export function storedOf(ref: ShownRef, page: Page, store: MapStore): HalfMap | FloatMap | undefined {
  if (ref.kind === "result") return shownRun(ref.rowId, ref.task, page.generation).run?.result?.map;
  const named = nameOf(ref, page);
  const stored = named && store.stored(named.ref);
  if (!stored && named?.askable) store.request(named.ref);
  return stored;
}

/** How the store names a map that the host can be asked for; undefined for any other. */
export function askableRef(ref: ShownRef, page: Page): MapRef | undefined {
  const named = ref.kind === "result" ? undefined : nameOf(ref, page);
  return named?.askable ? named.ref : undefined;
}

/** How the store names a map; undefined where there is no such map yet. Without a run key nobody else knows the name. */
function nameOf(ref: ShownRef, { generation }: Page): { readonly ref: MapRef; readonly askable: boolean } | undefined {
  if (ref.kind === "file") return { ref, askable: true };
  const { run } = shownRun(ref.rowId, ref.task, generation);
  const exists = ref.kind === "step" ? run?.steps.some(({ step }) => step === ref.step) : run?.result !== undefined;
  // What a cancelled run had computed is not kept.
  const isKept = run?.runKey !== undefined && (run.result !== undefined || generation?.status === "running");
  return run && exists ? { ref: mapRef(ref, run.storeKey), askable: isKept } : undefined;
}

function semanticsOfRef(ref: ShownRef, { generation }: Page): Semantics {
  if (ref.kind !== "file") return semanticsOf(ref.task, shownRun(ref.rowId, ref.task, generation).run);
  return ref.task === "depth" ? { task: "depth", depthKind: "metric-depth" } : semanticsOf("normals", undefined);
}

/** How the engine names a map: by the run key, so undefined until the run is planned, and where there is no cache. */
export function refOf(ref: ShownRef, { generation }: Page): MapRef | undefined {
  if (ref.kind === "file") return ref;
  const { run } = shownRun(ref.rowId, ref.task, generation);
  return run?.runKey === undefined ? undefined : mapRef(ref, run.runKey);
}

function mapRef(ref: Exclude<ShownRef, { kind: "file" }>, runKey: string): MapRef {
  switch (ref.kind) {
    case "result":
      return { kind: "result", runKey };
    case "step":
      return { kind: "step", runKey, step: ref.step };
    case "member":
      return { kind: "member", runKey, member: ref.member };
  }
}

/** "Multi-step", "Multi-step, step 3 of 10", "truth.npy". */
export function labelOf(ref: ShownRef, { state, generation }: Page): string {
  if (ref.kind === "file") return ref.path.split(/[\\/]/).pop() ?? ref.path;
  const row = state.settings.rows.find(({ rowId }) => rowId === ref.rowId);
  const name = row?.label ?? ref.rowId;
  if (ref.kind === "result") return name;
  if (ref.kind === "member") return `${name}, member ${ref.member + 1}`;
  const { run } = shownRun(ref.rowId, ref.task, generation);
  const steps = run?.plan.length || run?.latest?.steps;
  return `${name}, step ${ref.step + 1} of ${steps ?? row?.steps ?? "?"}`;
}

/** Whether two name the same map. */
export function isSameRef(a: ShownRef | undefined, b: ShownRef | undefined): boolean {
  if (!a || !b || a.task !== b.task) return false;
  if (a.kind === "file" || b.kind === "file") return a.kind === b.kind && "path" in a && "path" in b && a.path === b.path;
  const part = (ref: typeof a): number => (ref.kind === "step" ? ref.step : ref.kind === "member" ? ref.member : 0);
  return a.kind === b.kind && a.rowId === b.rowId && part(a) === part(b);
}
