// The only file that knows the control library; everything else sees plain elements and callbacks.
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeProgressRing,
  vsCodeTextField,
} from "@vscode/webview-ui-toolkit";
import { attributes, el, icon, setText, type Icon } from "./dom";

provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeCheckbox(), vsCodeDropdown(), vsCodeOption(), vsCodeProgressRing(), vsCodeTextField());

type WithValue = HTMLElement & { value: string };
type WithChecked = HTMLElement & { checked: boolean };

/** A control and the way to bring it up to date without raising its event. */
export interface Control<T> {
  readonly element: HTMLElement;
  set(value: T): void;
}

export interface Button {
  readonly element: HTMLElement;
  set(label: string, iconName?: Icon): void;
  enable(enabled: boolean): void;
}

/** A push button with text; `appearance` as in VS Code. */
export function button(label: string, onClick: () => void, options: { appearance?: "primary" | "secondary"; icon?: Icon } = {}): Button {
  const element = attributes(document.createElement("vscode-button"), { appearance: options.appearance ?? "secondary" });
  // The toolkit gives slotted spans the width of an icon.
  const text = el("div", "", label);
  element.append(text);
  let shown: Icon | undefined;
  const set = (newLabel: string, iconName?: Icon): void => {
    setText(text, newLabel);
    if (iconName === shown) return; // a picture replaced under a pressed pointer swallows the click
    shown = iconName;
    element.querySelector("svg")?.remove();
    if (iconName) element.prepend(attributes(icon(iconName), { slot: "start" }));
  };
  set(label, options.icon);
  element.addEventListener("click", onClick);
  return { element, set, enable: (enabled) => element.toggleAttribute("disabled", !enabled) };
}

/** A button that is only an icon; its label is for assistive technology and the tooltip. */
export function iconButton(label: string, name: Icon, onClick: () => void): Button {
  const element = attributes(document.createElement("vscode-button"), { appearance: "icon" });
  let shown: Icon | undefined;
  const set = (newLabel: string, iconName: Icon = name): void => {
    attributes(element, { "aria-label": newLabel, title: newLabel });
    if (iconName === shown) return; // a picture replaced under a pressed pointer swallows the click
    shown = iconName;
    element.replaceChildren(icon(iconName));
  };
  set(label);
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick();
  });
  return { element, set, enable: (enabled) => element.toggleAttribute("disabled", !enabled) };
}

/** A choice of one; options are value and text. */
export function dropdown(label: string, options: readonly (readonly [string, string])[], value: string, onChange: (value: string) => void): Control<string> {
  const element = attributes(document.createElement("vscode-dropdown"), { "aria-label": label, title: label }) as WithValue;
  for (const [optionValue, text] of options) {
    const option = attributes(document.createElement("vscode-option"), { value: optionValue });
    option.toggleAttribute("selected", optionValue === value);
    option.append(text);
    element.append(option);
  }
  element.addEventListener("change", () => onChange(element.value));
  const set = (newValue: string): void => {
    if (element.value !== newValue) element.value = newValue;
  };
  return { element, set };
}

export function checkbox(label: string, checked: boolean, onChange: (checked: boolean) => void): Control<boolean> {
  const element = document.createElement("vscode-checkbox") as WithChecked;
  element.append(label);
  element.toggleAttribute("checked", checked);
  // The library raises `change` for its own updates too.
  let known = checked;
  element.addEventListener("change", () => {
    if (element.checked === known) return;
    known = element.checked;
    onChange(known);
  });
  const set = (value: boolean): void => {
    known = value;
    element.checked = value;
  };
  return { element, set };
}

/** The library names a field by its content, which it shows above it; the style sheet hides that. */
function fieldElement(label: string, value: string): WithValue {
  const element = attributes(document.createElement("vscode-text-field"), { title: label, value }) as WithValue;
  element.append(label);
  return element;
}

export interface NumberLimits {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/** A field for a number; what is outside the limits or no number is put back to the last good value on leaving. */
export function numberField(label: string, value: number, limits: NumberLimits, onChange: (value: number) => void): Control<number> {
  const element = fieldElement(label, String(value));
  let good = value;
  element.addEventListener("change", () => {
    const read = Number(element.value.trim().replace(",", "."));
    const rounded = limits.integer ? Math.round(read) : read;
    if (element.value.trim() !== "" && rounded >= limits.min && rounded <= limits.max) {
      if (rounded !== good) onChange((good = rounded));
    }
    element.value = String(good);
  });
  const set = (newValue: number): void => {
    if (newValue === good) return;
    good = newValue;
    element.value = String(newValue);
  };
  return { element, set };
}

/** A field for a number that may be left empty; what is outside the limits or no number is put back. */
export function optionalNumberField(label: string, value: number | undefined, placeholder: string, limits: NumberLimits, onChange: (value: number | undefined) => void): Control<number | undefined> {
  const textOf = (shown: number | undefined): string => (shown === undefined ? "" : String(shown));
  const element = attributes(fieldElement(label, textOf(value)), { placeholder });
  let good = value;
  element.addEventListener("change", () => {
    const text = element.value.trim();
    const read = text === "" ? undefined : Number(text.replace(",", "."));
    const fits = read === undefined || (read >= limits.min && read <= limits.max && (!limits.integer || Number.isInteger(read)));
    if (fits && read !== good) onChange((good = read));
    element.value = textOf(good);
  });
  const set = (newValue: number | undefined): void => {
    if (newValue === good) return;
    good = newValue;
    element.value = textOf(newValue);
  };
  return { element, set };
}

export function textField(label: string, value: string, onChange: (value: string) => void): Control<string> {
  const element = fieldElement(label, value);
  element.addEventListener("change", () => onChange(element.value));
  const set = (newValue: string): void => {
    if (element.value !== newValue) element.value = newValue;
  };
  return { element, set };
}

/** A turning ring for work whose end is not known. */
export function progressRing(): HTMLElement {
  return document.createElement("vscode-progress-ring");
}
