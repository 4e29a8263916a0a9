import { installedCudaFolder } from "../catalogue/cudaFolder";
import { PlumblineError, throwIfCancelled } from "../core/errors";
import type { Device } from "../core/settings";
import { startEngine, type EngineClient } from "../inference/client";
import { version } from "../../package.json";
import type { Diagnosis, Finding, ModelMemory, Section } from "./diagnosis";
import { examineMachine, type Gpu, type Machine } from "./machine";
import { describeProviders } from "./providers";
import { testDevices, type DeviceTest, type SelfTestOptions } from "./selfTests";
import { gigabytes } from "./units";

export interface DoctorOptions extends SelfTestOptions {
  /** Whose need of memory is estimated, for an image of that size. */
  readonly memoryOf?: { readonly model: string; readonly dir: string; readonly imageSize: { readonly width: number; readonly height: number }; readonly processingResolution?: number };
}

/** The oldest C library that ONNX Runtime's binaries run with. */
const oldestGlibc = "2.28";

/**
 * Looks at the machine, ONNX Runtime and its providers, tries every provider on the shipped models and estimates a model's need of
 * memory. What is wrong is in the diagnosis; rejects with `cancelled` only. Self-tests run in processes of their own.
 */
export async function diagnose(options: DoctorOptions): Promise<Diagnosis> {
  const { signal, onProgress } = options;
  onProgress?.("looking at the machine");
  const machine = await examineMachine();
  const engine = startEngine({ childPath: options.childPath });
  try {
    throwIfCancelled(signal);
    const info = await engine.info().catch(problemOf);
    const memory = options.memoryOf && !(info instanceof PlumblineError) ? await estimate(engine, options.memoryOf).catch(problemOf) : undefined;
    await engine.dispose();
    throwIfCancelled(signal);
    const devices = info instanceof PlumblineError ? [] : info.devices;
    const tests = await testDevices(devices, options);
    const cudaFolder = installedCudaFolder();
    return {
      version: 1,
      machine,
      ...(!(info instanceof PlumblineError) && { engine: { versions: info.versions, devices: info.devices } }),
      ...(cudaFolder !== undefined && { cudaFolder }),
      selfTests: tests.flatMap((test) => test.results),
      ...(memory && !(memory instanceof PlumblineError) && { memory }),
      sections: [
        { title: `Plumbline ${version} on ${machine.system}`, findings: describeMachine(machine) },
        info instanceof PlumblineError
          ? { title: "ONNX Runtime", findings: [{ mark: "fail", text: info.message, remedy: info.remedy || "Install Plumbline again for this system." }] }
          : { title: `ONNX Runtime ${info.versions["onnxruntime"]}`, findings: describeProviders(devices, tests, machine, cudaFolder) },
        ...memorySection(memory, machine, tests),
      ],
    };
  } finally {
    await engine.dispose();
  }
}

async function estimate(engine: EngineClient, { model, dir, imageSize, processingResolution }: NonNullable<DoctorOptions["memoryOf"]>): Promise<ModelMemory> {
  return { model, imageSize, estimate: await engine.memory({ modelDir: dir, ...imageSize, processingResolution }) };
}

function describeMachine({ platform, glibc, cpu, cores, memory, gpus }: Machine): readonly Finding[] {
  const system: Finding = glibc !== undefined && isOlder(glibc, oldestGlibc)
    ? { mark: "fail", text: `${platform}, glibc ${glibc}`, remedy: `ONNX Runtime needs glibc ${oldestGlibc} or newer: use a newer system, or a container of one.` }
    : { mark: "ok", text: `${platform}${glibc === undefined ? "" : `, glibc ${glibc}`}, Node ${process.versions.node}` };
  const processors: Finding = { mark: "ok", text: `CPU: ${cpu}, ${cores} logical processor${cores === 1 ? "" : "s"}` };
  const main: Finding = { mark: "ok", text: `memory: ${gigabytes(memory.freeBytes)} of ${gigabytes(memory.totalBytes)} free` };
  const found: readonly Finding[] = gpus.length === 0 ? [{ mark: "info", text: "GPU: none found" }] : gpus.map((gpu) => ({ mark: "ok", text: `GPU: ${describeGpu(gpu)}` }));
  const musl: readonly Finding[] = platform.startsWith("linux") && glibc === undefined ? [{ mark: "fail", text: "the C library is not glibc", remedy: "ONNX Runtime has no build for musl: use a system or container with glibc (Debian, Ubuntu, Fedora)." }] : [];
  return [system, ...musl, processors, main, ...found];
}

function describeGpu({ name, totalBytes, freeBytes, driver }: Gpu): string {
  const memory = totalBytes === undefined ? "" : freeBytes === undefined ? `, ${gigabytes(totalBytes)}` : `, ${gigabytes(freeBytes)} of ${gigabytes(totalBytes)} free`;
  return `${name}${memory}${driver === undefined ? "" : `, driver ${driver}`}`;
}

function memorySection(memory: ModelMemory | PlumblineError | undefined, machine: Machine, tests: readonly DeviceTest[]): readonly Section[] {
  if (memory === undefined) return [];
  if (memory instanceof PlumblineError) return [{ title: "Memory", findings: [{ mark: "fail", text: memory.message, remedy: memory.remedy }] }];
  const { model, imageSize, estimate: { baseBytes, weightBytes, workBytes, totalBytes, processingSize } } = memory;
  const title = `Memory for ${model}, an image of ${imageSize.width} x ${imageSize.height} at ${processingSize.width} x ${processingSize.height}`;
  const work = workBytes > 0 ? `${gigabytes(workBytes)} to work with` : "what it works with is not known";
  const findings: Finding[] = [
    { mark: "info", text: `about ${gigabytes(totalBytes)} (an estimate): ${gigabytes(weightBytes)} weights, ${work}, ${gigabytes(baseBytes)} for the program` },
    compare("memory", totalBytes, machine.memory.freeBytes),
  ];
  const runsOn = (device: Device): boolean => tests.some((test) => test.device === device && test.failure === undefined);
  const [gpu] = machine.gpus.filter(({ freeBytes, vendor }) => freeBytes !== undefined && vendor === "NVIDIA");
  if (gpu?.freeBytes !== undefined && (runsOn("cuda") || runsOn("webgpu"))) findings.push(compare(`memory of ${gpu.name}`, weightBytes + workBytes, gpu.freeBytes));
  return [{ title, findings }];
}

function compare(what: string, needed: number, free: number): Finding {
  const text = `${what}: ${gigabytes(free)} free`;
  if (needed < 0.8 * free) return { mark: "ok", text };
  const remedy = "Choose a lower processing resolution or a smaller model, or close other programs.";
  return needed < free ? { mark: "warn", text: `${text}, hardly more than is needed`, remedy } : { mark: "fail", text: `${text}, less than is needed`, remedy };
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, "en", { numeric: true }) < 0;
}

function problemOf(error: unknown): PlumblineError {
  if (error instanceof PlumblineError) return error;
  throw error;
}
