import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "../../src/core/tensor";

export const repository = join(__dirname, "..", "..");
const program = join(repository, "dist", "cli.js");

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line; `onStart` may disturb it, `environment` adds to this process's. */
export async function plumbline(args: readonly string[], onStart?: (child: ChildProcess) => void, environment: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  assert.ok(existsSync(program), "dist/cli.js is missing: npm run build");
  const child = spawn(process.execPath, [program, ...args], { cwd: repository, env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  const read = (stream: "stdout" | "stderr"): (() => string) => {
    let text = "";
    child[stream].setEncoding("utf8").on("data", (part: string) => (text += part));
    return () => text;
  };
  const [stdout, stderr] = [read("stdout"), read("stderr")];
  onStart?.(child);
  const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  return { code, stdout: stdout(), stderr: stderr() };
}

/** Asserts equal shapes, and root mean square and largest difference within bounds (the former relative to the expected values). */
export function assertClose(actual: Tensor, expected: Tensor, bounds: { readonly rmsRel?: number; readonly maxAbs?: number }, name: string): void {
  assert.deepEqual(actual.dims, expected.dims, name);
  let [squares, norm, largest] = [0, 0, 0];
  expected.data.forEach((value, i) => {
    const difference = Math.abs(actual.data[i] - value);
    assert.ok(Number.isFinite(difference), `${name}: value ${i} is ${actual.data[i]}`);
    squares += difference ** 2;
    norm += value ** 2;
    largest = Math.max(largest, difference);
  });
  const relative = norm > 0 ? Math.sqrt(squares / norm) : Math.sqrt(squares);
  assert.ok(relative <= (bounds.rmsRel ?? Infinity), `${name}: rms difference ${relative}`);
  assert.ok(largest <= (bounds.maxAbs ?? Infinity), `${name}: largest difference ${largest}`);
}
