import { iconButton } from "../controls";
import { attributes, el, setText } from "../dom";
import type { ImageItem, Thumbnail } from "../../src/protocol/panel";

export type ImageStatus = "none" | "running" | "finished" | "failed" | "cancelled";

interface Entry {
  readonly element: HTMLButtonElement;
  readonly picture: HTMLImageElement;
  readonly name: HTMLElement;
}

/** The images to step through, as tabs; hidden for a single image. */
export class Strip {
  readonly element = el("nav", "strip");
  readonly #list = el("div", "strip-list");
  readonly #previous;
  readonly #next;
  #entries: readonly Entry[] = [];
  #current = 0;

  constructor(private readonly show: (image: number) => void) {
    this.#previous = iconButton("Previous image (Page Up)", "previous", () => this.step(-1));
    this.#next = iconButton("Next image (Page Down)", "next", () => this.step(1));
    attributes(this.element, { "aria-label": "Images" });
    attributes(this.#list, { role: "tablist", "aria-label": "Images" });
    this.element.append(this.#previous.element, this.#list, this.#next.element);
    this.#list.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      this.step(by);
      this.#entries[this.#current]?.element.focus();
    });
  }

  /** Shows the image before or after, if there is one. */
  step(by: number): void {
    const to = this.#current + by;
    if (to >= 0 && to < this.#entries.length) this.show(to);
  }

  update(images: readonly ImageItem[], current: number, thumbnails: ReadonlyMap<number, Thumbnail>, status: (image: number) => ImageStatus): void {
    this.element.hidden = images.length < 2;
    if (this.#entries.length !== images.length) this.#build(images.length);
    const moved = current !== this.#current;
    this.#current = current;
    this.#previous.enable(current > 0);
    this.#next.enable(current < images.length - 1);
    this.#entries.forEach(({ element, picture, name }, i) => {
      const selected = i === current;
      setText(name, images[i].name);
      attributes(element, { "aria-selected": String(selected), tabindex: selected ? "0" : "-1", title: images[i].name, "data-status": status(i) });
      const source = thumbnails.get(i)?.source;
      picture.hidden = source === undefined;
      if (source !== undefined && picture.getAttribute("src") !== source) picture.src = source;
    });
    if (moved) this.#entries[current]?.element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #build(count: number): void {
    this.#entries = Array.from({ length: count }, (_, i) => {
      const picture = attributes(el("img"), { alt: "" });
      const name = el("span", "strip-name");
      const element = attributes(el("button", "strip-item", el("span", "strip-frame", picture), name, el("span", "strip-dot")), { role: "tab", type: "button" });
      element.addEventListener("click", () => this.show(i));
      return { element, picture, name };
    });
    this.#list.replaceChildren(...this.#entries.map(({ element }) => element));
  }
}
