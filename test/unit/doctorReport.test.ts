import assert from "node:assert/strict";
import { PlumblineError } from "../../src/core/errors";
import type { Diagnosis, Finding, SelfTest } from "../../src/doctor/diagnosis";
import type { Gpu, Machine } from "../../src/doctor/machine";
import { describeProviders } from "../../src/doctor/providers";
import { formatMarkdown, formatText, problemsOf } from "../../src/doctor/report";
import { differenceOf, reasonOf, type DeviceTest } from "../../src/doctor/selfTests";

const nvidia: Gpu = { name: "NVIDIA T4", vendor: "NVIDIA" };
const machine = (gpus: readonly Gpu[] = []): Machine => ({ platform: "linux x64", system: "Debian", glibc: "2.36", cpu: "CPU", cores: 2, memory: { totalBytes: 8e9, freeBytes: 4e9 }, gpus });

const result = (device: SelfTest["device"], again: number, mean?: number): SelfTest => ({ device, model: "m", task: "depth", timingsMillis: { load: 1, first: 2, again }, ...(mean !== undefined && { difference: { mean, max: 10 * mean } }) });
const cpu: DeviceTest = { device: "cpu", results: [result("cpu", 1000)] };
const findings = (test: DeviceTest, gpus: readonly Gpu[] = [nvidia]): readonly Finding[] => describeProviders(["cpu", test.device], [cpu, test], machine(gpus), undefined).slice(2);

describe("the doctor's words on providers", () => {
  it("say how far a provider's maps are from the CPU's, and whether it is worth it", () => {
    assert.deepEqual(findings({ device: "webgpu", results: [result("webgpu", 250, 1e-6)] })[0], { mark: "ok", text: "WebGPU: works; differs from the CPU by 1.0e-6 on average, 1.0e-5 at most; 4.0 times as fast as the CPU" });
    const [slow] = findings({ device: "webgpu", results: [result("webgpu", 5000, 1e-6)] });
    assert.equal(slow.mark, "warn");
    assert.match(`${slow.text} ${slow.remedy}`, /slower than the CPU \(5\.0 times\).*device cpu/);
    assert.equal(findings({ device: "webgpu", results: [result("webgpu", 250, 5e-3)] })[0].mark, "warn");
    for (const wrong of [0.05, Infinity, NaN]) {
      const [finding] = findings({ device: "webgpu", results: [result("webgpu", 250, wrong)] });
      assert.equal(finding.mark, "fail", String(wrong));
      assert.match(finding.text, /wrong results/);
    }
  });

  it("take the worst model of several", () => {
    const [finding] = describeProviders(["cpu", "cuda"], [{ device: "cuda", results: [result("cuda", 10, 1e-6), result("cuda", 10, 0.5)] }], machine([nvidia]), undefined);
    assert.equal(finding.mark, "fail");
  });

  it("say what to install for what is missing", () => {
    const cases: readonly (readonly [failure: string, remedy: RegExp])[] = [
      ["libcudnn.so.9 is missing", /cuDNN 9/],
      ["libcublasLt.so.12 is missing", /CUDA 12/],
      ["CUDA driver version is insufficient", /nvidia-smi/],
      ["no answer within 60 s", /device cpu/],
    ];
    for (const [failure, remedy] of cases) {
      const [{ mark, text, remedy: said }] = findings({ device: "cuda", results: [], failure });
      assert.equal(mark, "warn");
      assert.ok(text.includes(failure));
      assert.match(said ?? "", remedy);
    }
    assert.match(findings({ device: "webgpu", results: [], failure: "no GPU that it can use" })[0].remedy ?? "", /Vulkan driver/);
  });

  it("do not warn of a GPU's provider where there is no GPU", () => {
    const [finding] = findings({ device: "webgpu", results: [], failure: "no GPU that it can use" }, []);
    assert.deepEqual(finding, { mark: "info", text: "WebGPU: no GPU that it can use" });
    assert.deepEqual(describeProviders(["cpu"], [cpu], machine(), undefined).at(-1), { mark: "info", text: "CUDA: not installed (no NVIDIA GPU found)" });
  });

  it("offer the CUDA provider where it would be of use", () => {
    const missing = describeProviders(["cpu"], [cpu], machine([nvidia]), undefined).at(-1);
    assert.equal(missing?.mark, "warn");
    assert.match(missing?.remedy ?? "", /plumbline doctor --install-cuda/);
    assert.ok(!describeProviders(["cuda", "cpu"], [cpu, { device: "cuda", results: [result("cuda", 1, 0)] }], machine([nvidia]), "/storage").some(({ text }) => text.includes("not installed")));
  });
});

describe("why a device failed", () => {
  const cudaError = new PlumblineError("engine-failed", "ONNX Runtime could not load a network on cuda: Failed to load shared library");
  it("is the library that ONNX Runtime's log names", () => {
    const log = "provider_bridge_ort.cc:1988 FAIL : Failed to load library /s/libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file: No such file or directory\n";
    assert.equal(reasonOf(cudaError, log), "libcublasLt.so.12 is missing");
    assert.equal(reasonOf(cudaError, "FAIL : Failed to load library /s/a.so with error: /s/a.so: file too short\n"), "/s/a.so: file too short");
  });
  it("is what the error says, without where in the source it is said", () => {
    assert.equal(reasonOf(new PlumblineError("engine-failed", "on webgpu: No supported adapters"), ""), "no GPU that it can use");
    assert.equal(reasonOf(new PlumblineError("engine-died", "ended (signal SIGSEGV)."), ""), "ended (signal SIGSEGV).");
    assert.match(reasonOf(cudaError, ""), /Failed to load shared library/);
  });
});

describe("the difference of two maps", () => {
  const map = (...data: number[]) => ({ width: data.length, height: 1, channels: 1 as const, data: Float32Array.from(data) });
  it("is absolute, and infinite for what is not a number", () => {
    assert.deepEqual(differenceOf(map(0.5, 1), map(0.25, 1.75)), { mean: 0.5, max: 0.75 });
    assert.deepEqual(differenceOf(map(NaN, 1), map(0, 1)), { mean: Infinity, max: Infinity });
  });
});

describe("a diagnosis in words", () => {
  const diagnosis: Diagnosis = {
    version: 1, machine: machine(), selfTests: [],
    sections: [
      { title: "First", findings: [{ mark: "ok", text: "good" }, { mark: "warn", text: "a_b*c", remedy: "Do <this>." }] },
      { title: "Second", findings: [{ mark: "info", text: "note" }, { mark: "fail", text: "bad", remedy: "Mend it." }] },
    ],
  };
  it("is short lines for a terminal", () => {
    assert.equal(formatText(diagnosis), "First\n  ✓ good\n  ! a_b*c\n    -> Do <this>.\n\nSecond\n  · note\n  ✗ bad\n    -> Mend it.\n");
  });
  it("is Markdown in which text stays text", () => {
    assert.equal(formatMarkdown(diagnosis), "# Plumbline: Doctor\n\n## First\n\n- ok: good\n- **warning**: a\\_b\\*c\n  - Do \\<this\\>.\n\n## Second\n\n- note\n- **failed**: bad\n  - Mend it.\n");
  });
  it("names problems, the most serious first", () => {
    assert.deepEqual(problemsOf(diagnosis).map(({ text }) => text), ["bad", "a_b*c"]);
  });
});
