import { unexpected } from "../core/errors";
import { depthKindText, normalsFrameText } from "../core/semantics";
import type { ModelDescription, Statement } from "./families/description";

/**
 * A model with what its user stated of it. What was stated, or is assumed in its place, becomes a sentence of its assumptions. Throws `bad-argument`
 * for a statement about a task that the model does not have, and for one that its files or its family contradict.
 */
export function withStatement(description: ModelDescription, stated: Statement): ModelDescription {
  const { id, open } = description;
  const { task, normalsFrame, depthKind } = stated;
  if (task !== undefined) requireOne(`the task of ${id}`, description.tasks, task);
  const tasks = task === undefined ? description.tasks : [task];
  if (normalsFrame !== undefined) {
    requireOne(`the task of ${id}, of which a frame of normals is stated,`, tasks, "normals");
    requireOne(`the frame of the normals of ${id}`, open.includes("normalsFrame") ? ["RUB", "LUB"] : [description.normalsFrame], normalsFrame);
  }
  if (depthKind !== undefined) {
    requireOne(`the task of ${id}, of which a kind of depth is stated,`, tasks, "depth");
    // The maps of the families that leave it open go from 0 to 1: they are never metres.
    requireOne(`the kind of depth of ${id}`, open.includes("depthKind") ? ["affine-depth", "affine-disparity"] : [description.depthKind ?? "affine-depth"], depthKind);
  }
  const settled = { tasks, normalsFrame: normalsFrame ?? description.normalsFrame, depthKind: depthKind ?? description.depthKind };
  return { ...description, ...settled, ...(Object.keys(stated).length > 0 && { stated }), assumptions: [...description.assumptions, ...remarks(description, stated)] };
}

function requireOne<T extends string>(name: string, possible: readonly T[], stated: T): void {
  if (!possible.includes(stated)) throw unexpected("bad-argument", name, possible.join(" or "), stated, "Its files say so, or its family: leave the statement out, or correct plumbline.model.json where there is one.");
}

function remarks({ tasks, open, normalsFrame: assumedFrame }: ModelDescription, { task, normalsFrame, depthKind }: Statement): readonly string[] {
  const estimatesNormals = task === undefined ? tasks.includes("normals") : task === "normals";
  const frame = normalsFrame === undefined ? `The checkpoint does not state the frame of its normals: ${assumedFrame} is assumed from its index and name.` : `The frame of its normals was stated by you: ${normalsFrame} (${normalsFrameText[normalsFrame]}).`;
  return [
    ...(open.includes("task") ? [task === undefined ? "The checkpoint does not say whether it was trained for depth or for normals: it is run for what is asked." : `What it estimates was stated by you: ${task}.`] : []),
    ...(open.includes("normalsFrame") && estimatesNormals ? [frame] : []),
    ...(open.includes("depthKind") && depthKind !== undefined ? [`The kind of its depth was stated by you: ${depthKindText[depthKind]}.`] : []),
  ];
}
