type Child = Node | string;

/** A new element with a class, text or children; attributes are set by the caller where there are any. */
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, className = "", ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Sets attributes where they differ; `undefined` removes. Returns the element. */
export function attributes<T extends Element>(element: T, values: Readonly<Record<string, string | undefined>>): T {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) element.removeAttribute(name);
    else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  return element;
}

/** Writes text only when it differs, so that live regions and selections are left alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Brings the children of `parent` to exactly these, in this order, moving as little as possible. */
export function setChildren(parent: Element, children: readonly Element[]): void {
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove();
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

/** Calls `close` for an open popover on Escape within it, and on a press outside it and outside what opened it. */
export function closeOnLeave(popover: HTMLElement, close: () => void, opener?: () => Element | null | undefined): void {
  popover.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  document.addEventListener("pointerdown", (event) => {
    const path = event.composedPath();
    const own = opener?.();
    if (!popover.hidden && !path.includes(popover) && !(own && path.includes(own))) close();
  });
}

const shapes = {
  maximise: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  restore: "M6 2.5V6H2.5M13.5 6H10V2.5M10 13.5V10h3.5M2.5 10H6v3.5",
  settings: "M2 4.5h7M13 4.5h1M2 11.5h1M7 11.5h7M11 2.7v3.6M5 9.7v3.6",
  reset: "M3 8a5 5 0 1 0 1.6-3.7M3 2.5v3h3",
  export: "M8 10V2.5M5 5.3l3-3 3 3M2.5 9.5v4h11v-4",
  add: "M8 3v10M3 8h10",
  remove: "M4 4l8 8M12 4l-8 8",
  run: "M4.5 2.8v10.4l8.5-5.2z",
  stop: "M4 4h8v8H4z",
  pause: "M4.5 3h2.5v10H4.5zM9 3h2.5v10H9z",
  link: "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.2-2.2a2.6 2.6 0 0 0-3.7-3.7l-.9.9M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.3 9a2.6 2.6 0 0 0 3.7 3.7l.9-.9",
  duplicate: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  more: "M4 6l4 4 4-4",
  less: "M4 10l4-4 4 4",
  save: "M2.5 2.5h9l2 2v9h-11zM5 2.5v4h5.5v-4M4.5 13.5v-4h7v4",
  cube: "M8 1.8l5.6 3.1v6.2L8 14.2l-5.6-3.1V4.9zM2.4 4.9L8 8l5.6-3.1M8 8v6.2",
  plot: "M2.5 2.5v11h11M4.5 10.5l3-4 2.5 2 3.5-5",
  compare: "M2.5 3h11v10h-11zM8 1.5v13M4.5 6.5h1.5M10 9.5h1.5",
  presets: "M2.5 3.5h11M2.5 8h11M2.5 12.5h7",
  line: "M3.6 12.4l8.8-8.8M2.2 12.4a1.4 1.4 0 1 0 2.8 0a1.4 1.4 0 1 0-2.8 0M11 3.6a1.4 1.4 0 1 0 2.8 0a1.4 1.4 0 1 0-2.8 0",
  swap: "M2.5 5.5h11M10.5 2.5l3 3-3 3M13.5 10.5h-11M5.5 7.5l-3 3 3 3",
  previous: "M10 3L5 8l5 5",
  next: "M6 3l5 5-5 5",
  warning: "M8 2.2L14.5 13.5h-13zM8 6.5v3.4M8 11.4v.6",
} as const;

export type Icon = keyof typeof shapes;

/** A 16-pixel line drawing in the text's colour; hidden from assistive technology. */
export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  attributes(svg, { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true", focusable: "false" });
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.append(attributes(path, { d: shapes[name] }));
  return svg;
}
