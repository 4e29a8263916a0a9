import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { examineMachine, parseNvidiaSmi, type Ask } from "../../src/doctor/machine";

const silent: Ask = async () => undefined;

describe("what the doctor sees of a machine", () => {
  let root: string;
  beforeEach(async () => (root = await mkdtemp(join(tmpdir(), "plumbline-machine-"))));
  afterEach(() => rm(root, { recursive: true }));

  async function device(name: string, files: Record<string, string>): Promise<void> {
    const dir = join(root, "sys/bus/pci/devices", name);
    await mkdir(dir, { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), `${text}\n`);
  }

  it("is this machine's own processor and memory", async () => {
    const { platform, cpu, cores, memory, system } = await examineMachine(silent);
    assert.equal(platform, `${process.platform} ${process.arch}`);
    assert.ok(cpu.length > 0 && system.length > 0 && cores >= 1);
    assert.ok(memory.freeBytes > 0 && memory.freeBytes < memory.totalBytes, JSON.stringify(memory));
  });

  it("counts memory that the file cache would give up as free", async () => {
    await mkdir(join(root, "proc"), { recursive: true });
    await writeFile(join(root, "proc/meminfo"), "MemTotal:       16384000 kB\nMemFree:          100000 kB\nMemAvailable:    1048576 kB\n");
    const { memory } = await examineMachine(silent, root);
    assert.ok(memory.freeBytes <= 2 ** 30 && memory.freeBytes > 0, String(memory.freeBytes));
  });

  it("names GPUs that NVIDIA's tool lists, with their memory", async () => {
    assert.deepEqual(parseNvidiaSmi("NVIDIA H100 80GB HBM3, 81559, 80994, 550.54.15\nNVIDIA T4, 15360, [N/A], 550.54.15\n"), [
      { name: "NVIDIA H100 80GB HBM3", vendor: "NVIDIA", totalBytes: 81559 * 2 ** 20, freeBytes: 80994 * 2 ** 20, driver: "550.54.15" },
      { name: "NVIDIA T4", vendor: "NVIDIA", totalBytes: 15360 * 2 ** 20, freeBytes: undefined, driver: "550.54.15" },
    ]);
    for (const nothing of ["", "No devices were found\n", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"]) assert.deepEqual(parseNvidiaSmi(nothing), []);
  });

  it("names display controllers of the kernel's list, once each, with the name that pci.ids gives", async function () {
    if (process.platform !== "linux") assert.fail("this list is Linux's; the test runs there");
    await device("0000:00:02.0", { class: "0x030000", vendor: "0x8086", device: "0x9bc4" });
    await device("0000:01:00.0", { class: "0x030200", vendor: "0x10de", device: "0x2330" });
    await device("0000:03:00.0", { class: "0x030000", vendor: "0x1002", device: "0x744c", mem_info_vram_total: "25753026560" });
    await device("0000:04:00.0", { class: "0x020000", vendor: "0x8086", device: "0x1533" });
    await mkdir(join(root, "usr/share/misc"), { recursive: true });
    await writeFile(join(root, "usr/share/misc/pci.ids"), "# list\n1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\t73bf  Navi 21\n\t744c  Navi 31 [Radeon RX 7900 XTX]\n\t\t1002 0e0d  A board\n8086  Intel Corporation\n\t1533  I210 Gigabit Network Connection\n\t744c  Not this one\n");
    const { gpus } = await examineMachine(silent, root);
    assert.deepEqual(gpus, [
      { name: "Intel 8086:9bc4", vendor: "Intel" },
      { name: "NVIDIA 10de:2330", vendor: "NVIDIA" },
      { name: "Navi 31 [Radeon RX 7900 XTX]", vendor: "AMD", totalBytes: 25753026560 },
    ]);
    const asked = await examineMachine(async (program) => (program === "nvidia-smi" ? "NVIDIA H100, 81559, 80994, 550.54.15\n" : undefined), root);
    assert.deepEqual(asked.gpus.map(({ name }) => name), ["NVIDIA H100", "Intel 8086:9bc4", "Navi 31 [Radeon RX 7900 XTX]"]);
  });
});
