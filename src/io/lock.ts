import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { PlumblineError } from "../core/errors";
import { isObject } from "./jsonFile";

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
  /** When the process started, as the system counts it; a number that was given to another process since then differs. */
  readonly started: string;
}

/** A living holder touches its file; on another machine, where its process cannot be looked at, silence means that it is gone. */
const touchMillis = 20_000;
const silentMillis = 5 * 60_000;
/** A claim is written in much less. */
const writingMillis = 10_000;

/**
 * Claims a folder for one process: a file with who holds it. A claim whose process has died is taken over; on another machine, after five
 * minutes without a sign of life. Returns how to give it back. Throws `bad-argument` saying who holds it, `write-failed`.
 */
export async function claim(path: string): Promise<() => Promise<void>> {
  const own: Holder = { pid: process.pid, host: hostname(), token: randomUUID(), started: await startOf(process.pid) };
  while (!(await create(path, own))) await removeDead(path);
  await removeUnfinished(path);
  const timer = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), touchMillis).unref();
  return async () => {
    clearInterval(timer);
    if ((await holderOf(path))?.token === own.token) await rm(path, { force: true });
  };
}

/** Whole or not at all: a link is made to a file that is written already. False where there is a claim. */
async function create(path: string, own: Holder): Promise<boolean> {
  const temporary = `${path}.${own.token}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, JSON.stringify(own));
    await link(temporary, path);
    return true;
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    throw new PlumblineError("write-failed", `Could not write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, "Choose a folder that can be written to and has room.", { cause });
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** Returns when there is no claim of a dead process any more. */
async function removeDead(path: string): Promise<void> {
  const [holder, touched] = await Promise.all([holderOf(path), stat(path).then(({ mtimeMs }) => mtimeMs, () => undefined)]);
  if (touched === undefined) return;
  if (holder && (await isAlive(holder, touched))) throw held(path, holder);
  // Only one of several that find it dead may remove it, and not the claim of one that was faster.
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await holderOf(aside);
  if (moved?.token !== holder?.token) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** What processes leave behind that die while they claim. */
async function removeUnfinished(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`)) continue;
    const file = join(dirname(path), name);
    const [holder, touched] = await Promise.all([holderOf(file), stat(file).then(({ mtimeMs }) => mtimeMs, () => undefined)]);
    if (touched === undefined) continue;
    const isWanted = holder ? await isAlive(holder, touched) : Date.now() - touched < writingMillis;
    if (!isWanted) await rm(file, { force: true });
  }
}

async function isAlive(holder: Holder, touchedMillis: number): Promise<boolean> {
  if (holder.host !== hostname()) return Date.now() - touchedMillis < silentMillis;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
  }
  return (await startOf(holder.pid)) === holder.started;
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return isObject(value) && typeof value.pid === "number" && typeof value.host === "string" && typeof value.token === "string" && typeof value.started === "string" ? { pid: value.pid, host: value.host, token: value.token, started: value.started } : undefined;
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat; the name of the program, field 2, may hold spaces. Empty where there is no /proc. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function held(path: string, { pid, host }: Holder): PlumblineError {
  return new PlumblineError("bad-argument", `Expected a folder that no other process works in for ${dirname(path)} but received one that process ${pid} on ${host} holds.`, `Wait for it, stop it, or choose another folder; if it is gone, delete ${path}.`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
