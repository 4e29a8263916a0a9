import { createHash } from "node:crypto";
import type { Network } from "../pipeline/networks";

type Outputs = Awaited<ReturnType<Network["run"]>>;

/** Of all outputs that are kept of one network. A joint latent of GeoWizard at 768 pixels takes 0.2 MB a step. */
const keptBytes = 128e6;

/** A network goes when its store frees it, and what it put out goes with it. */
const memories = new WeakMap<Network, OutputMemory>();

/**
 * The network, which is not run again on inputs that it has seen lately. GeoWizard denoises depth and normals together: the
 * run of the second task asks its network for exactly what the run of the first one did.
 */
export function withMemory(network: Network): Network {
  const memory = memories.get(network) ?? new OutputMemory();
  memories.set(network, memory);
  return {
    run: async (inputs) => {
      const key = keyOf(inputs);
      const known = memory.get(key);
      if (known) return known;
      const outputs = await network.run(inputs);
      memory.set(key, outputs);
      return outputs;
    },
    release: () => network.release(),
  };
}

/** The outputs used last, by a hash of what they were computed from. */
class OutputMemory {
  private readonly held = new Map<string, Outputs>();
  private bytes = 0;

  get(key: string): Outputs | undefined {
    const outputs = this.held.get(key);
    if (!outputs) return undefined;
    // A Map keeps the order of insertion: the first key is the one used longest ago.
    this.held.delete(key);
    this.held.set(key, outputs);
    return outputs;
  }

  set(key: string, outputs: Outputs): void {
    this.held.set(key, outputs);
    this.bytes += bytesOf(outputs);
    for (const [old, kept] of this.held) {
      if (this.bytes <= keptBytes) return;
      this.held.delete(old);
      this.bytes -= bytesOf(kept);
    }
  }
}

function bytesOf(outputs: Outputs): number {
  return Object.values(outputs).reduce((sum, { data }) => sum + data.byteLength, 0);
}

function keyOf(inputs: Parameters<Network["run"]>[0]): string {
  const hash = createHash("sha256");
  for (const [name, { dims, data }] of Object.entries(inputs)) {
    hash.update(`${name} ${dims.join()} `);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
