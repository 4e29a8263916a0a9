import type { ShownRef } from "../../src/protocol/panel";
import { isSameRef } from "../maps";

/** What is chosen for the comparison so far. */
export interface Letters {
  readonly a?: ShownRef;
  readonly b?: ShownRef;
}

/** The letters of a tile: it is A, or B, or neither. */
export function lettersOf(ref: ShownRef | undefined, letters: Letters): readonly string[] {
  return (["a", "b"] as const).filter((name) => isSameRef(letters[name], ref)).map((name) => name.toUpperCase());
}

/** The letters after one was put on a map: taken from it where it is, and of two different tasks only the new one stays. */
export function withLetter(letters: Letters, name: "a" | "b", ref: ShownRef): Letters {
  if (isSameRef(letters[name], ref)) return { ...letters, [name]: undefined };
  const other = letters[name === "a" ? "b" : "a"];
  const kept = other?.task === ref.task && !isSameRef(other, ref) ? letters : {};
  return { ...kept, [name]: ref };
}
