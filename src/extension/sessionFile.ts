import { access } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import { fileSha256 as sha256Of } from "../io/fileSha256";
import { isObject, parseObject } from "../io/jsonFile";
import type { PanelState } from "../protocol/panel";
import { requireState } from "./stateCheck";

/*
 * A `.plumbline.json` file holds what is needed to see the same again: not the results, but the images (by path, with
 * their hashes), the settings of every run and the view. What this version does not know is kept when it is written again.
 */

export const sessionSuffix = ".plumbline.json";
const format = "plumbline-session";
const version = 1;

/** An image of a session. */
export interface SessionImage {
  /** Absolute: where it was found, else where it should be. */
  readonly path: string;
  /** SHA-256 of the file when the session was saved, hexadecimal; absent when it could not be read then. */
  readonly sha256?: string;
}

/** A model by the name that it had when the session was saved. */
export interface SessionModel {
  readonly id: string;
  readonly name: string;
}

export interface Session {
  /** At least one. */
  readonly images: readonly SessionImage[];
  /** Files named in it (noise, ground truth) are absolute. */
  readonly state: Omit<PanelState, "images">;
  readonly models: readonly SessionModel[];
  /** What else the file says, by name. */
  readonly rest: Readonly<Record<string, unknown>>;
}

/** A file as it is saved: relative to the session's folder, with forward slashes, and where it was. */
interface SavedPath {
  readonly path: string;
  readonly absolute: string;
}

/**
 * Reads a session strictly. A path counts relative to `file`, and as it was saved where nothing is there.
 * Throws `protocol-mismatch` for a file of a newer version, `bad-argument` for one that is damaged or something else.
 */
export async function readSession(file: string, bytes: Uint8Array): Promise<Session> {
  const { format: foundFormat, version: foundVersion, images, files, models, state, ...rest } = parse(file, bytes);
  if (foundFormat !== format) throw damaged(file, "format", `"${format}"`, foundFormat);
  if (!Number.isInteger(foundVersion)) throw damaged(file, "version", "a whole number", foundVersion);
  if ((foundVersion as number) > version) throw newer(file, foundVersion);
  if (!Array.isArray(images) || images.length === 0 || !images.every(isSavedImage)) throw damaged(file, "images", "at least one image with a path", images);
  const names = models ?? [];
  if (!Array.isArray(names) || !names.every(isSavedModel)) throw damaged(file, "models", "a list of models with id and name", models);
  const others = files ?? [];
  if (!Array.isArray(others) || !others.every(isSavedPath)) throw damaged(file, "files", "a list of paths", files);
  const places = new Map<string, string>();
  for (const saved of others) places.set(saved.absolute, await find(file, saved));
  const refuse = (field: string, expected: string, received: unknown): Error => damaged(file, field ? `state.${field}` : "state", expected, received);
  const checked = requireState(mapPaths(state, (path) => places.get(path) ?? path), refuse, (found) => newer(file, found));
  if (checked.current >= images.length) throw damaged(file, "state.current", `a number below ${images.length}`, checked.current);
  const found = await Promise.all(images.map(async ({ path, absolute, sha256 }) => ({ path: await find(file, { path, absolute }), ...(sha256 !== undefined && { sha256 }) })));
  return { images: found, state: checked, models: names, rest };
}

/** The text of a session file at `file`. */
export function sessionText(file: string, { images, state, models, rest }: Session): string {
  const files = new Map<string, SavedPath>();
  mapPaths(state, (path) => {
    files.set(path, savedPath(file, path));
    return path;
  });
  const savedImages = images.map(({ path, sha256 }) => ({ ...savedPath(file, path), sha256 }));
  return `${JSON.stringify({ ...rest, format, version, images: savedImages, files: [...files.values()], models, state }, null, 2)}\n`;
}

/** SHA-256 of a file, hexadecimal; undefined when it cannot be read. */
export async function fileSha256(path: string): Promise<string | undefined> {
  return sha256Of(path).catch(() => undefined);
}

function savedPath(file: string, path: string): SavedPath {
  return { path: relative(dirname(file), path).split(sep).join("/"), absolute: path };
}

async function find(file: string, { path, absolute }: Partial<SavedPath>): Promise<string> {
  const here = resolve(dirname(file), path ?? "");
  const isThere = (candidate: string): Promise<boolean> => access(candidate).then(() => true, () => false);
  return absolute !== undefined && isAbsolute(absolute) && !(await isThere(here)) && (await isThere(absolute)) ? absolute : here;
}

/** The value with every path of a `{kind: "file", path}` in it replaced. */
function mapPaths<T>(value: T, replace: (path: string) => string): T {
  if (Array.isArray(value)) return value.map((item: unknown) => mapPaths(item, replace)) as T;
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, key === "path" && value.kind === "file" && typeof item === "string" ? replace(item) : mapPaths(item, replace)]);
  return Object.fromEntries(entries) as T;
}

function isSavedPath(value: unknown): value is SavedPath {
  return isObject(value) && typeof value.path === "string" && typeof value.absolute === "string";
}

function isSavedImage(value: unknown): value is { readonly path: string; readonly absolute?: string; readonly sha256?: string } {
  const isTextOrAbsent = (item: unknown): boolean => item === undefined || typeof item === "string";
  return isObject(value) && typeof value.path === "string" && isTextOrAbsent(value.absolute) && isTextOrAbsent(value.sha256);
}

function isSavedModel(value: unknown): value is SessionModel {
  return isObject(value) && typeof value.id === "string" && typeof value.name === "string";
}

function parse(file: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    return parseObject(file, bytes);
  } catch (cause) {
    throw new PlumblineError("bad-argument", cause instanceof Error ? cause.message : String(cause), remedy, { cause });
  }
}

const remedy = "The file is left as it is: correct it as text, or save the session again.";

function damaged(file: string, field: string, expected: string, received: unknown): PlumblineError {
  return unexpected("bad-argument", `"${field}" of ${file}`, expected, received, remedy);
}

function newer(file: string, found: unknown): PlumblineError {
  return new PlumblineError("protocol-mismatch", `${file} was saved by a newer version of Plumbline (version ${String(found)}; this one reads up to ${version}).`, "Update Plumbline to open it; the file is left as it is.");
}
