import type { Device } from "../core/settings";
import type { Finding, SelfTest } from "./diagnosis";
import type { Machine } from "./machine";
import { noAnswer, noGpu, type DeviceTest } from "./selfTests";
import { seconds } from "./units";

/**
 * How far a device's maps may be from the CPU's: depth is 0..1, components of normals -1..1. float32 in another order
 * gives 1e-6 to 1e-4, TensorFloat-32 (CUDA's convolutions) about 1e-3; a wrong result gives 1e-2 and more.
 */
const meanTolerance = { ok: 2e-3, warn: 1e-2 };

const titles: Readonly<Record<Device, string>> = { cpu: "CPU", cuda: "CUDA", webgpu: "WebGPU", dml: "DirectML", coreml: "CoreML" };

/** Every provider that is there or could be: what the self-test found, why it cannot be used, and what to do. */
export function describeProviders(devices: readonly Device[], tests: readonly DeviceTest[], machine: Machine, cudaFolder: string | undefined): readonly Finding[] {
  const cpu = tests.find(({ device }) => device === "cpu")?.results ?? [];
  const there = tests.flatMap((test) => describeDevice(test, cpu, machine, cudaFolder));
  return devices.includes("cuda") ? there : [...there, ...missingCuda(machine)];
}

function missingCuda({ platform, gpus }: Machine): readonly Finding[] {
  if (platform !== "linux x64") return [];
  if (!gpus.some(({ vendor }) => vendor === "NVIDIA")) return [{ mark: "info", text: "CUDA: not installed (no NVIDIA GPU found)" }];
  return [{ mark: "warn", text: "CUDA: not installed", remedy: "Fetch it with: plumbline doctor --install-cuda (some hundred MB; needs CUDA 12 and cuDNN 9 on the system)" }];
}

function describeDevice({ device, results, failure }: DeviceTest, cpu: readonly SelfTest[], machine: Machine, cudaFolder: string | undefined): readonly Finding[] {
  const name = titles[device];
  if (failure !== undefined) return [failedDevice(device, failure, machine)];
  if (results.length === 0) return [{ mark: "info", text: `${name}: there, not tried` }];
  const origin = device === "cuda" && cudaFolder !== undefined ? ` (${cudaFolder})` : "";
  return [summary(device, results, cpu, origin), ...results.map((result): Finding => ({ mark: "info", text: `  ${result.model}: ${timesOf(result)}` }))];
}

function summary(device: Device, results: readonly SelfTest[], cpu: readonly SelfTest[], origin: string): Finding {
  const name = `${titles[device]}${origin}`;
  if (device === "cpu") return { mark: "ok", text: `${name}: works` };
  const differences = results.flatMap(({ difference }) => difference ?? []);
  const mean = Math.max(...differences.map((difference) => difference.mean));
  const max = Math.max(...differences.map((difference) => difference.max));
  const far = `differs from the CPU by ${mean.toExponential(1)} on average, ${max.toExponential(1)} at most`;
  if (!(mean < meanTolerance.warn)) return { mark: "fail", text: `${name}: wrong results (${far})`, remedy: "Choose the device cpu, and update the GPU's driver." };
  const speed = total(cpu.slice(0, results.length)) / total(results);
  const pace = speed >= 1 ? `${speed.toFixed(1)} times as fast as the CPU` : `slower than the CPU (${(1 / speed).toFixed(1)} times)`;
  if (mean > meanTolerance.ok) return { mark: "warn", text: `${name}: ${far}; ${pace}`, remedy: "Compare a result with the device cpu before you rely on it; a newer driver may help." };
  const slow = speed < 1 ? { remedy: "Choose the device cpu: it is faster here." } : {};
  return { mark: speed < 1 ? "warn" : "ok", text: `${name}: works; ${far}; ${pace}`, ...slow };
}

function failedDevice(device: Device, failure: string, { gpus, platform }: Machine): Finding {
  const text = `${titles[device]}: ${failure}`;
  if (device === "cpu") return { mark: "fail", text, remedy: "Install Plumbline again; if it stays, report the message." };
  if (failure === noGpu && gpus.length === 0) return { mark: "info", text };
  return { mark: "warn", text, remedy: remedyOf(device, failure, platform) };
}

function remedyOf(device: Device, failure: string, platform: string): string {
  if (failure.startsWith(noAnswer)) return "Choose the device cpu. A driver that computes on the processor, in a GPU's place, is as slow as this.";
  if (device === "cuda") {
    if (/cudnn/i.test(failure)) return "Install cuDNN 9 for CUDA 12 (NVIDIA's packages, or pip install nvidia-cudnn-cu12) and name its folder in LD_LIBRARY_PATH.";
    if (/lib(cublas|cudart|cufft|curand|nvrtc)/i.test(failure)) return "Install the libraries of CUDA 12 (cuda-toolkit-12, or the nvidia-*-cu12 packages of pip) and name their folder in LD_LIBRARY_PATH.";
    return "Check nvidia-smi: the driver must be of CUDA 12 or newer. In a container pass the GPU through (--gpus all).";
  }
  if (device === "webgpu" && platform.startsWith("linux")) return "Install the GPU's Vulkan driver (NVIDIA's own; Debian and Ubuntu: mesa-vulkan-drivers for AMD and Intel) and libvulkan1. In a container pass the GPU through.";
  return "Update the GPU's driver. The device auto takes another meanwhile.";
}

function timesOf({ timingsMillis, difference }: SelfTest): string {
  if (!timingsMillis) return "not tried";
  const far = difference ? `, differs by ${difference.mean.toExponential(1)} (largest ${difference.max.toExponential(1)})` : "";
  return `${seconds(timingsMillis.again)} a small image, the first ${seconds(timingsMillis.first)}, loaded in ${seconds(timingsMillis.load)}${far}`;
}

function total(results: readonly SelfTest[]): number {
  return results.reduce((sum, { timingsMillis }) => sum + (timingsMillis?.again ?? 0), 0);
}
