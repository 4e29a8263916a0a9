import * as vscode from "vscode";
import { unexpected } from "../core/errors";
import { deviceChoices, type DeviceChoice } from "../core/settings";

/** What the user may set; package.json declares the same (a test holds the two together). */
export interface Settings {
  readonly device: DeviceChoice;
  /** Folders of further models in diffusers layout, absolute. */
  readonly models: readonly string[];
  /** Steps of the multi-step row; 0 leaves the choice to the device. */
  readonly defaultSteps: number;
  /** Longest side in pixels, 0 for the image's own; null for what the model was trained for. */
  readonly processingResolution: number | null;
  readonly seed: number;
  readonly colormap: string;
  /** How much of the disk finished runs may take, in gigabytes (10^9 bytes). */
  readonly "cache.sizeGB": number;
}

/** One line of the settings table: how package.json declares it, and what makes a value valid. */
export interface SettingRow<T> {
  readonly default: T;
  readonly scope: "machine" | "window";
  readonly expected: string;
  readonly isValid: (value: unknown) => value is T;
}

const isInteger = (minimum: number, maximum: number) => (value: unknown): value is number => Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
const isOneOf = <T extends string>(choices: readonly T[]) => (value: unknown): value is T => choices.some((choice) => choice === value);
const isText = (value: unknown): value is string => typeof value === "string";
const isTextList = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText);
const isResolution = isInteger(0, 4096);
const isNumber = (minimum: number, maximum: number) => (value: unknown): value is number => typeof value === "number" && value >= minimum && value <= maximum;

/** Every setting of Plumbline, under the section `plumbline`. */
export const settingsTable: { readonly [Name in keyof Settings]: SettingRow<Settings[Name]> } = {
  device: { default: "auto", scope: "machine", expected: deviceChoices.join(", "), isValid: isOneOf(deviceChoices) },
  models: { default: [], scope: "machine", expected: "a list of folders", isValid: isTextList },
  defaultSteps: { default: 0, scope: "window", expected: "a whole number from 0 to 1000", isValid: isInteger(0, 1000) },
  processingResolution: { default: null, scope: "window", expected: "a whole number from 0 to 4096, or null", isValid: (value) => value === null || isResolution(value) },
  seed: { default: 2024, scope: "window", expected: "a whole number from 0 to 4294967295", isValid: isInteger(0, 0xffffffff) },
  colormap: { default: "Spectral", scope: "window", expected: "the name of a colormap", isValid: isText },
  "cache.sizeGB": { default: 4, scope: "machine", expected: "a number from 0.5 to 1024", isValid: isNumber(0.5, 1024) },
};

/** The settings as they are now. Throws `bad-argument`, naming the setting, for a value that is out of range. */
export function readSettings(): Settings {
  const section = vscode.workspace.getConfiguration("plumbline");
  const read = <Name extends keyof Settings>(name: Name): Settings[Name] => {
    const row = settingsTable[name];
    const value = section.get<unknown>(name, row.default);
    if (!row.isValid(value)) throw unexpected("bad-argument", `the setting plumbline.${name}`, row.expected, value, "Correct it in the settings.");
    return value;
  };
  return {
    device: read("device"),
    models: read("models"),
    defaultSteps: read("defaultSteps"),
    processingResolution: read("processingResolution"),
    seed: read("seed"),
    colormap: read("colormap"),
    "cache.sizeGB": read("cache.sizeGB"),
  };
}
