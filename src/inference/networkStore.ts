import { stat } from "node:fs/promises";
import { totalmem } from "node:os";
import type { NetworkSource } from "../catalogue/modelFolder";
import type { Device } from "../core/settings";
import type { ConvertOptions } from "../graph/convert";
import type { Network } from "../pipeline/networks";
import { openNetwork } from "./networkSource";

/** One network to load. */
export interface NetworkRequest {
  readonly source: NetworkSource;
  readonly options: ConvertOptions;
  readonly device: Device;
}

/** A network and the files that it was made from, absolute. */
export interface LoadedNetwork {
  readonly network: Network;
  readonly files: readonly string[];
}

interface Held extends LoadedNetwork {
  readonly weightBytes: number;
  /** Sizes and times of modification of the files when they were read. */
  readonly version: string;
}

/** Half of the machine's memory, counting fp16 weights as the fp32 numbers that they become. */
const defaultBudget = totalmem() / 2;

/**
 * Networks stay loaded between requests. Those used longest ago are freed when the weights of all would exceed the
 * budget in bytes; the networks of the current request, from `beginRequest` on, are never freed.
 */
export class NetworkStore {
  private readonly held = new Map<string, Held>();
  private readonly inUse = new Set<string>();

  constructor(private readonly budget = defaultBudget) {}

  beginRequest(): void {
    this.inUse.clear();
  }

  /** The network, loaded if it is not held or if its files have changed since. Throws what `openNetwork` and `create` throw. */
  async load(request: NetworkRequest): Promise<LoadedNetwork> {
    const key = keyOf(request);
    this.inUse.add(key);
    const found = (await this.current(key)) ?? (await this.create(request));
    // A Map keeps the order of insertion: the first key is the one used longest ago.
    this.held.delete(key);
    this.held.set(key, found);
    return found;
  }

  /** Frees every network. */
  async clear(): Promise<void> {
    const networks = [...this.held.values()];
    this.held.clear();
    for (const { network } of networks) await network.release();
  }

  private async current(key: string): Promise<Held | undefined> {
    const found = this.held.get(key);
    if (!found || found.version === (await versionOf(found.files))) return found;
    this.held.delete(key);
    await found.network.release();
    return undefined;
  }

  private async create({ source, options, device }: NetworkRequest): Promise<Held> {
    const opened = await openNetwork(source, { ...options, device });
    const { files } = opened;
    const weightBytes = await weightBytesOf(files);
    await this.makeRoom(weightBytes);
    const version = await versionOf(files);
    return { network: await opened.create(device), files, weightBytes, version };
  }

  private async makeRoom(weightBytes: number): Promise<void> {
    let total = weightBytes;
    for (const { weightBytes: bytes } of this.held.values()) total += bytes;
    for (const [key, { network, weightBytes: bytes }] of this.held) {
      if (total <= this.budget) return;
      if (this.inUse.has(key)) continue;
      this.held.delete(key);
      total -= bytes;
      await network.release();
    }
  }
}

function keyOf({ source, options, device }: NetworkRequest): string {
  const { encoderHiddenStates, ...others } = options;
  return JSON.stringify([source, device, others, encoderHiddenStates && Array.from(encoderHiddenStates.data)]);
}

/** A file that has gone counts as changed: reading it again says so. */
async function versionOf(files: readonly string[]): Promise<string> {
  const versions = await Promise.all(files.map((file) => stat(file).then(({ size, mtimeMs }) => `${size} ${mtimeMs}`, () => "missing")));
  return versions.join();
}

async function weightBytesOf(files: readonly string[]): Promise<number> {
  let total = 0;
  for (const file of files) {
    if (!file.endsWith(".json")) total += (await stat(file)).size * (file.includes("fp16") ? 2 : 1);
  }
  return total;
}
