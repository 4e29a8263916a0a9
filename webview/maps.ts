import type { MapRef } from "../src/protocol/inference";
import type { ShownRef } from "../src/protocol/panel";
import type { Page, ShownMap } from "./page";
import { runIdOf } from "./session";

/** The map of a result or of a step that is held; nothing is asked for yet. */
export function mapOf(ref: ShownRef, page: Page): ShownMap | undefined {
  if (ref.kind === "file" || ref.kind === "member") return undefined;
  const run = page.generation?.runs.get(runIdOf(ref.rowId, ref.task));
  const semantics = run?.result?.provenance.semantics;
  const map = ref.kind === "result" ? run?.result?.map : run?.steps.find(({ step }) => step === ref.step)?.map;
  return map && semantics && { map, semantics, label: labelOf(ref, page) };
}

export function refOf(ref: ShownRef, page: Page): MapRef | undefined {
  if (ref.kind === "file") return ref;
  const runKey = page.generation?.runs.get(runIdOf(ref.rowId, ref.task))?.result?.runKey;
  if (runKey === undefined) return undefined;
  if (ref.kind === "result") return { kind: "result", runKey };
  return ref.kind === "step" ? { kind: "step", runKey, step: ref.step } : { kind: "member", runKey, member: ref.member };
}

export function labelOf(ref: ShownRef, { state }: Page): string {
  if (ref.kind === "file") return ref.path.split(/[\\/]/).pop() ?? ref.path;
  const row = state.settings.rows.find(({ rowId }) => rowId === ref.rowId);
  const name = row?.label ?? ref.rowId;
  if (ref.kind === "result") return name;
  return ref.kind === "step" ? `${name}, step ${ref.step + 1} of ${row?.steps ?? "?"}` : `${name}, member ${ref.member + 1}`;
}
