import { decoders, deviceChoices, domains } from "../core/settings";
import { isObject } from "../io/jsonFile";
import { panelStateVersion, type PanelSettings, type PanelState, type RowSettings, type ViewState } from "../protocol/panel";

/** Makes the error for a field that is not what it should be. */
type Refuse = (field: string, expected: string, received: unknown) => Error;
type Check = (value: unknown) => boolean;
/** What each field has to be; with the names of an interface it leaves none out. */
type Fields<Name extends string = string> = Readonly<Record<Name, readonly [check: Check, expected: string]>>;

const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isText: Check = (value) => typeof value === "string";
const isFraction: Check = (value) => isNumber(value) && (value as number) >= 0 && (value as number) <= 1;
const isWhole = (minimum: number, maximum: number): Check => (value) => Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
const isOneOf = (choices: readonly string[]): Check => (value) => choices.some((choice) => choice === value);
const isListOf = (check: Check, length?: number): Check => (value) => Array.isArray(value) && (length === undefined || value.length === length) && value.every(check);
const isEach = (check: Check): Check => (value) => isObject(value) && Object.values(value).every(check);
const has = (fields: Fields): Check => (value) => isObject(value) && Object.entries(fields).every(([name, [check]]) => check(value[name]));
const optional = (check: Check): Check => (value) => value === undefined || check(value);

const isTask = isOneOf(["depth", "normals"]);
const isSeed = isWhole(0, 0xffffffff);
const isResolution = isWhole(0, 8192);
const isIndex = isWhole(0, 1e6);
const isPoint: Check = has({ u: [isFraction, ""], v: [isFraction, ""] });

const isRef: Check = (value) => {
  if (!isObject(value) || !isTask(value.task)) return false;
  if (value.kind === "file") return isText(value.path);
  return isText(value.rowId) && (value.kind === "result" || (value.kind === "step" && isIndex(value.step)) || (value.kind === "member" && isIndex(value.member)));
};

const isStage: Check = (value) => {
  if (!isObject(value)) return false;
  if (value.kind === "ab") return isRef(value.a) && isRef(value.b) && isOneOf(["wipe", "flicker", "signed", "absolute", "relative", "angle"])(value.mode) && isFraction(value.split);
  return value.kind === "space" && isRef(value.of) && isOneOf(["points", "mesh"])(value.shape) && isOneOf(["rgb", "normals", "std"])(value.colour) && [value.fovDegrees, value.scale, value.shift].every(isNumber);
};

const stateFields: Fields<Exclude<keyof PanelState, "images">> = {
  version: [isWhole(1, panelStateVersion), `a version up to ${panelStateVersion}`],
  current: [isIndex, "the index of an image"],
  settings: [isObject, "an object"],
  view: [isObject, "an object"],
};

const settingsFields: Fields<keyof PanelSettings> = {
  seed: [isSeed, "a whole number from 0 to 4294967295"],
  processingResolution: [isResolution, "a whole number of pixels"],
  rows: [isListOf(isObject), "a list of rows"],
};

const rowFields: Fields<keyof RowSettings> = {
  rowId: [(value) => isText(value) && value !== "", "a name"],
  label: [isText, "a text"],
  models: [isEach(optional(isText)), "the ids of models by task"],
  steps: [isWhole(1, 1000), "a whole number from 1 to 1000"],
  spacing: [isOneOf(["trailing", "leading", "linspace"]), "trailing, leading or linspace"],
  ensembleSize: [isWhole(1, 100), "a whole number from 1 to 100"],
  noise: [(value) => isObject(value) && (isOneOf(["gaussian", "pyramid", "zeros"])(value.kind) || (value.kind === "file" && isText(value.path))), "a kind of noise, or a file"],
  seed: [optional(isSeed), "a whole number from 0 to 4294967295"],
  processingResolution: [optional(isResolution), "a whole number of pixels"],
  device: [optional(isOneOf(deviceChoices)), deviceChoices.join(", ")],
  domain: [optional(isOneOf(domains)), domains.join(", ")],
  decoder: [optional(isOneOf(decoders)), decoders.join(", ")],
};

const viewFields: Fields<keyof ViewState> = {
  colormap: [isText, "the name of a colormap"],
  rangePercentiles: [isListOf(isNumber, 2), "two percentiles"],
  showStd: [(value) => typeof value === "boolean", "true or false"],
  maximised: [optional(isText), "the name of a tile"],
  variationOf: [optional(isTask), "depth or normals"],
  exposure: [optional(isNumber), "a number of stops"],
  viewpoint: [optional(has({ u: [isNumber, ""], v: [isNumber, ""], zoom: [(value) => isNumber(value) && (value as number) > 0, ""] })), "a point and a zoom"],
  normalsFrame: [optional(isText), "a frame of normals"],
  shownSteps: [optional(isEach(isIndex)), "steps by row"],
  linkSteps: [optional((value) => typeof value === "boolean"), "true or false"],
  pinned: [optional(isRef), "a result, a step, a member or a file"],
  truth: [optional((value) => isRef(value) && isObject(value) && value.kind === "file"), "a file"],
  variation: [optional(has({ spread: [isOneOf(["std", "mad", "range"]), ""], over: [isOneOf(["steps", "members", "seeds"]), ""], threshold: [optional(isNumber), ""] })), "a kind of spread and over what it is"],
  stage: [optional(isStage), "a comparison of two, or a view in space"],
  dock: [optional(isOneOf(["noise", "change", "probes", "profile"])), "noise, change, probes or profile"],
  probes: [optional(isListOf(isPoint)), "a list of points"],
  line: [optional(isListOf(isPoint, 2)), "two points"],
};

/**
 * The state of a panel, apart from its images, as it was read from a file: every field that this version knows is of
 * its kind; others are passed on. Throws what `refuse` makes of the first that is not, or `newer` for a later version.
 */
export function requireState(value: unknown, refuse: Refuse, newer: (version: number) => Error): Omit<PanelState, "images"> {
  if (!isObject(value)) throw refuse("", "an object", value);
  if (isWhole(panelStateVersion + 1, Infinity)(value.version)) throw newer(value.version as number);
  requireFields("", stateFields, value, refuse);
  const { settings, view } = value as { settings: Record<string, unknown>; view: Record<string, unknown> };
  requireFields("settings.", settingsFields, settings, refuse);
  requireFields("view.", viewFields, view, refuse);
  const rows = settings.rows as readonly Record<string, unknown>[];
  for (const [i, row] of rows.entries()) requireFields(`settings.rows[${i}].`, rowFields, row, refuse);
  const ids = rows.map(({ rowId }) => rowId);
  if (new Set(ids).size < ids.length) throw refuse("settings.rows", "rows with ids of their own", ids);
  return value as unknown as Omit<PanelState, "images">;
}

function requireFields(at: string, fields: Fields, value: Readonly<Record<string, unknown>>, refuse: Refuse): void {
  for (const [name, [check, expected]] of Object.entries(fields)) if (!check(value[name])) throw refuse(`${at}${name}`, expected, value[name]);
}
