import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { availableParallelism, cpus, freemem, release, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** A graphics processor, as far as the system tells. */
export interface Gpu {
  readonly name: string;
  readonly vendor: "NVIDIA" | "AMD" | "Intel" | "Apple" | "other";
  readonly totalBytes?: number;
  readonly freeBytes?: number;
  readonly driver?: string;
}

export interface Machine {
  /** "linux x64" */
  readonly platform: string;
  /** The system's own name and version. */
  readonly system: string;
  /** Absent where the C library is another (musl, macOS, Windows). */
  readonly glibc?: string;
  readonly cpu: string;
  /** Logical processors that this process may use. */
  readonly cores: number;
  readonly memory: {
    readonly totalBytes: number;
    /** What can be had without swapping: no more than a container or a batch job allows. */
    readonly freeBytes: number;
  };
  readonly gpus: readonly Gpu[];
}

/** Programs that are asked, by name: their output, or undefined where there is none of that name or it fails. */
export type Ask = (program: string, args: readonly string[]) => Promise<string | undefined>;

const run = promisify(execFile);
const ask: Ask = (program, args) => run(program, [...args], { timeout: 10_000, windowsHide: true }).then(({ stdout }) => stdout, () => undefined);

/** Looks at the machine; what cannot be found out is left out. `root` stands for "/" in a test. */
export async function examineMachine(askProgram: Ask = ask, root = "/"): Promise<Machine> {
  const processors = cpus();
  return {
    platform: `${process.platform} ${process.arch}`,
    system: await systemName(root),
    glibc: glibcVersion(),
    cpu: processors[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    memory: await memoryOf(root),
    gpus: await findGpus(askProgram, root),
  };
}

async function systemName(root: string): Promise<string> {
  const text = await readFile(join(root, "etc/os-release"), "utf8").catch(() => "");
  const name = /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1];
  return name ?? `${process.platform} ${release()}`;
}

/** The version that the running process uses. */
function glibcVersion(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const { header } = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}

/** Linux counts the file cache as used, yet gives it up when asked: MemAvailable. A cgroup's limit binds before the machine's. */
async function memoryOf(root: string): Promise<Machine["memory"]> {
  const limit = process.constrainedMemory();
  const isLimited = limit > 0 && limit < totalmem();
  const totalBytes = isLimited ? limit : totalmem();
  const text = await readFile(join(root, "proc/meminfo"), "utf8").catch(() => "");
  const available = Number(/^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1]) * 1024 || freemem();
  return { totalBytes, freeBytes: isLimited ? Math.min(available, process.availableMemory()) : available };
}

async function findGpus(askProgram: Ask, root: string): Promise<readonly Gpu[]> {
  const nvidia = parseNvidiaSmi((await askProgram("nvidia-smi", ["--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader,nounits"])) ?? "");
  if (process.platform === "darwin") return parseSystemProfiler((await askProgram("system_profiler", ["SPDisplaysDataType", "-json"])) ?? "");
  if (process.platform === "win32") {
    const names = (await askProgram("powershell", ["-NoProfile", "-Command", "(Get-CimInstance Win32_VideoController).Name"])) ?? "";
    return [...nvidia, ...names.split(/\r?\n/).filter((name) => name.trim() && !(nvidia.length > 0 && /nvidia/i.test(name))).map((name): Gpu => ({ name: name.trim(), vendor: vendorOf(name) }))];
  }
  const devices = await pciGpus(root);
  return [...nvidia, ...devices.filter(({ vendor }) => vendor !== "NVIDIA" || nvidia.length === 0)];
}

/** Lines of name, total MiB, free MiB, driver version. */
export function parseNvidiaSmi(output: string): readonly Gpu[] {
  return output.split("\n").flatMap((line): Gpu[] => {
    const [name, total, free, driver] = line.split(",").map((part) => part.trim());
    if (!driver) return [];
    const bytes = (mebibytes: string): number | undefined => Number(mebibytes) * 2 ** 20 || undefined;
    return [{ name, vendor: "NVIDIA", totalBytes: bytes(total), freeBytes: bytes(free), driver }];
  });
}

function parseSystemProfiler(output: string): readonly Gpu[] {
  try {
    const { SPDisplaysDataType: displays } = JSON.parse(output) as { readonly SPDisplaysDataType?: readonly { readonly sppci_model?: string }[] };
    return (displays ?? []).map(({ sppci_model: name = "GPU" }) => ({ name, vendor: vendorOf(name) }));
  } catch {
    return [];
  }
}

const vendors: Readonly<Record<string, Gpu["vendor"]>> = { "10de": "NVIDIA", "1002": "AMD", "8086": "Intel" };

/** Display controllers (PCI class 03) as the Linux kernel lists them; names from pci.ids where it is installed. */
async function pciGpus(root: string): Promise<readonly Gpu[]> {
  const devices = join(root, "sys/bus/pci/devices");
  const names = await readdir(devices).catch(() => []);
  const found = await Promise.all(names.sort().map((name) => pciGpu(join(devices, name), root)));
  return found.filter((gpu) => gpu !== undefined);
}

async function pciGpu(dir: string, root: string): Promise<Gpu | undefined> {
  const read = async (name: string): Promise<string> => (await readFile(join(dir, name), "utf8").catch(() => "")).trim().replace(/^0x/, "");
  if (!(await read("class")).startsWith("03")) return undefined;
  const [vendorId, deviceId] = [await read("vendor"), await read("device")];
  const vendor = vendors[vendorId] ?? "other";
  const memory = Number(await read("mem_info_vram_total"));
  const name = (await deviceName(vendorId, deviceId, root)) ?? `${vendor === "other" ? "display controller" : vendor} ${vendorId}:${deviceId}`;
  return { name, vendor, ...(memory > 0 && { totalBytes: memory }) };
}

/** pci.ids: a line "vendor  name", then indented lines "device  name" of that vendor. */
async function deviceName(vendorId: string, deviceId: string, root: string): Promise<string | undefined> {
  for (const path of ["usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids"]) {
    const text = await readFile(join(root, path), "utf8").catch(() => undefined);
    const start = text?.search(new RegExp(`^${vendorId}  `, "m")) ?? -1;
    if (text === undefined || start < 0) continue;
    const block = /^.*\n(?:[\t#].*\n|\n)*/.exec(text.slice(start))?.[0] ?? "";
    const name = new RegExp(`^\\t${deviceId}  (.+)$`, "m").exec(block)?.[1];
    if (name !== undefined) return name;
  }
  return undefined;
}

function vendorOf(name: string): Gpu["vendor"] {
  if (/nvidia|geforce|quadro/i.test(name)) return "NVIDIA";
  if (/amd|radeon/i.test(name)) return "AMD";
  if (/intel/i.test(name)) return "Intel";
  return /apple/i.test(name) ? "Apple" : "other";
}
