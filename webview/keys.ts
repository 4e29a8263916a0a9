import type { Tile } from "./rows/tiles";

export interface KeyActions {
  tiles(): readonly Tile[];
  /** False when there was nothing to leave. */
  leave(): boolean;
  /** False when there is one image. */
  stepImage(by: number): boolean;
  /** The next or previous tile in place of the maximised one. */
  flip(by: number): void;
  pin(tile: Tile): void;
  letter(name: "a" | "b", tile: Tile): void;
  mark(): void;
}

/** Keys of the whole page; those of a control or of a focused tile come first. */
export function listenToKeys(actions: KeyActions): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (handle(event, actions)) event.preventDefault();
  });
}

function handle(event: KeyboardEvent, actions: KeyActions): boolean {
  if (event.key === "Escape") return actions.leave();
  if (event.key === "PageUp" || event.key === "PageDown") return actions.stepImage(event.key === "PageUp" ? -1 : 1);
  if (isTyping(event)) return false;
  if (event.key === "[" || event.key === "]") actions.flip(event.key === "[" ? -1 : 1);
  else if (event.key === "m") actions.mark();
  else if (event.key === "p" || event.key === "a" || event.key === "b") {
    const tile = tileMeant(actions.tiles());
    if (!tile) return false;
    if (event.key === "p") actions.pin(tile);
    else actions.letter(event.key, tile);
  } else return false;
  return true;
}

/** Letters are text in a field, and choose an option in a list. */
function isTyping(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  if (target instanceof HTMLInputElement) return target.type !== "range";
  return event.composedPath().some((element) => element instanceof Element && ["VSCODE-DROPDOWN", "VSCODE-TEXT-FIELD", "SELECT", "TEXTAREA"].includes(element.tagName));
}

/** The tile under the pointer, else the one with the focus; one that the keyboard brought the focus to comes first. */
function tileMeant(tiles: readonly Tile[]): Tile | undefined {
  const matching = (selector: string): Tile | undefined => tiles.find(({ element }) => element.matches(selector));
  return matching(":focus-visible") ?? matching(":hover") ?? matching(":focus-within");
}
