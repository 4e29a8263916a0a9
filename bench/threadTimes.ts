import { readdirSync, readFileSync } from "node:fs";

/** Nanoseconds of processor time by "process: thread". */
export type ThreadTimes = ReadonlyMap<string, number>;

/** Processor time so far of every thread of this process's descendants; Linux only. Threads that ended are left out. */
export function threadTimes(root = process.pid): ThreadTimes {
  const sums = new Map<string, number>();
  for (const pid of descendantsOf(root)) {
    const command = read(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ") ?? "";
    const name = processName(command, pid);
    for (const thread of list(`/proc/${pid}/task`)) {
      const time = Number(read(`/proc/${pid}/task/${thread}/schedstat`)?.split(" ")[0]);
      const threadName = read(`/proc/${pid}/task/${thread}/comm`)?.trim() ?? "";
      const key = `${name}: ${threadName.replace(/(Pool|Worker|CompositorTileW|ThreadPoolForeg|marl).*/, "$1")}`;
      if (Number.isFinite(time)) sums.set(key, (sums.get(key) ?? 0) + time);
    }
  }
  return sums;
}

/** What each thread worked between two looks, in milliseconds, the busiest first. */
export function workBetween(before: ThreadTimes, after: ThreadTimes): readonly (readonly [thread: string, millis: number])[] {
  const work = [...after].map(([key, time]) => [key, (time - (before.get(key) ?? 0)) / 1e6] as const);
  return work.filter(([, millis]) => millis >= 1).sort((a, b) => b[1] - a[1]);
}

/** Resident megabytes of those descendants whose command line holds `part`. */
export function residentMegabytes(part: string, root = process.pid): number {
  const mine = descendantsOf(root).filter((pid) => read(`/proc/${pid}/cmdline`)?.includes(part));
  return mine.reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`) ?? "")?.[1] ?? 0) / 1024, 0);
}

function processName(command: string, pid: number): string {
  const type = /--type=(\S+)/.exec(command)?.[1];
  if (type === "renderer") return `renderer ${pid}`;
  if (type === "gpu-process") return "graphics";
  if (type === "extensionHost" || /--type=extensionHost/.test(command)) return "extension host";
  if (type) return type;
  if (command.includes("inference.js")) return "inference";
  return command.includes("chrom") ? "browser" : "other";
}

function descendantsOf(root: number): readonly number[] {
  const parents = list("/proc").filter((name) => /^\d+$/.test(name)).map((name) => {
    const stat = read(`/proc/${name}/stat`) ?? "";
    // The name of the program, in brackets, may hold anything.
    return [Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])] as const;
  });
  const found = [root];
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child);
  return found.slice(1);
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // ended meanwhile
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // ended meanwhile
  }
}
