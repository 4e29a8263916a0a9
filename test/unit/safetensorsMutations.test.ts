import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlumblineError } from "../../src/core/errors";
import { convertComponent } from "../../src/graph/convert";
import { openSafetensors } from "../../src/io/safetensors";

// A load is silently wrong when it succeeds although it means something else than the files say:
// - header or length damaged: it must fail, or every tensor must have the dtype, shape and bytes of the original;
// - a byte of the data changed: the graph must be the original's, and the tensors but the one around that byte too;
// - config.json damaged: it must fail, or give the original's graph. Only a field of `free` may be changed to another
//   valid value and give another graph: nothing in the weights depends on it, so such a config is another model's.

const seed = 20240917;
const components = [
  { folder: "clip-text/sd1-quick-gelu", weights: "model.safetensors", free: ["num_attention_heads", "layer_norm_eps", "hidden_act"], mutants: 1700 },
  { folder: "unet-lowvar", weights: "diffusion_pytorch_model.safetensors", free: ["attention_head_dim", "norm_eps", "norm_num_groups", "flip_sin_to_cos", "freq_shift"], mutants: 600 },
];

/** Whole numbers below `end`, from a 32-bit generator (xorshift). */
function randomWhole(start: number): (end: number) => number {
  let state = start;
  return (end) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % end;
  };
}

interface Loaded {
  readonly model: Buffer;
  /** "dtype [dims] bytes" of each tensor. */
  readonly tensors: ReadonlyMap<string, string>;
}

async function load(dir: string, weights: string, bytes: Buffer): Promise<Loaded> {
  const file = await openSafetensors(join(dir, weights));
  const tensors = [...file.tensors].map(([name, { dtype, dims, offset, byteLength }]) => [name, `${dtype} ${dims.join()} ${bytes.toString("latin1", offset, offset + byteLength)}`] as const);
  return { model: Buffer.from((await convertComponent(dir)).model), tensors: new Map(tensors) };
}

function changedTensors(a: Loaded, b: Loaded): string[] {
  return [...new Set([...a.tensors.keys(), ...b.tensors.keys()])].filter((name) => a.tensors.get(name) !== b.tensors.get(name));
}

/** One damage of a run of bytes: a bit flipped, a byte replaced, bytes lost, doubled or exchanged. */
function damage(bytes: Buffer, first: number, end: number, below: (end: number) => number): Buffer {
  const at = first + below(end - first);
  const length = 1 + below(Math.min(24, end - at));
  const copy = Buffer.from(bytes);
  switch (below(5)) {
    case 0: copy[at] ^= 1 << below(8); return copy;
    case 1: copy[at] = below(256); return copy;
    case 2: return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3: return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    default: copy.copyWithin(at, first + below(end - first), end); return copy;
  }
}

/** A header with one entry changed, with its length made to fit: damage that no checksum of lengths shows. */
function damageHeader(bytes: Buffer, below: (end: number) => number): Buffer {
  const headerEnd = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString("utf8", 8, headerEnd)) as Record<string, Record<string, unknown>>;
  const names = Object.keys(header).filter((name) => name !== "__metadata__");
  const pick = names[below(names.length)];
  const entry = header[pick];
  const [begin, end] = entry.data_offsets as number[];
  const shape = entry.shape as number[];
  const changes: (() => void)[] = [
    () => delete header[pick],
    () => { header[`${pick}x`] = entry; delete header[pick]; },
    () => (entry.dtype = ["F16", "F64", "I32", "BOOL", "F4", "", null, 32][below(8)]),
    () => (entry.shape = [[], [...shape, 2], shape.slice(1), shape.map((dim) => -dim), shape.map((dim) => dim + 0.5), "16", [2 ** 53]][below(7)]),
    () => (entry.data_offsets = [[begin + 4, end + 4], [begin, end + 4], [begin, end - 4], [end, begin], [begin], [-begin - 1, end], [0, end - begin], [begin + 0.5, end], null][below(9)]),
    () => delete entry[["dtype", "shape", "data_offsets"][below(3)]],
    () => (header[`${pick}.copy`] = entry),
    () => (header[pick] = [null, [], "x", 1][below(4)] as never),
  ];
  changes[below(changes.length)]();
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, bytes.subarray(headerEnd)]);
}

/** A config with one field lost, misspelt, of another type or with another number; or its text damaged. */
function damageConfig(text: string, below: (end: number) => number): Buffer {
  if (below(3) === 0) return damage(Buffer.from(text), 0, Buffer.byteLength(text), below);
  const config = JSON.parse(text) as Record<string, unknown>;
  const field = Object.keys(config)[below(Object.keys(config).length)];
  const value = config[field];
  switch (below(4)) {
    case 0: delete config[field]; break;
    case 1: delete config[field]; config[`${field}s`] = value; break;
    case 2: config[field] = [null, "7", [], {}, true, -1, 0, 1.5, 1e9, [1, 2, 3]][below(10)]; break;
    default: config[field] = typeof value === "number" ? value * 2 : Array.isArray(value) ? [...(value as unknown[])].reverse() : !value;
  }
  return Buffer.from(JSON.stringify(config));
}

function changedFields(original: string, mutated: Buffer): string[] {
  const [a, b] = [original, mutated.toString()].map((text) => JSON.parse(text) as Record<string, unknown>);
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((field) => JSON.stringify(a[field]) !== JSON.stringify(b[field]));
}

describe(`damaged checkpoints (seed ${seed})`, () => {
  for (const { folder, weights, free, mutants } of components) {
    it(`${mutants} mutants of ${folder}: each fails with a clear error or means the same`, async function () {
      this.timeout(60_000);
      const source = join(__dirname, "..", "reference", folder);
      const bytes = readFileSync(join(source, weights));
      const config = readFileSync(join(source, "config.json"), "utf8");
      const dir = await mkdtemp(join(tmpdir(), "plumbline-mutants-"));
      const below = randomWhole(seed);
      let refused = 0;
      try {
        await cp(join(source, "config.json"), join(dir, "config.json"));
        await writeFile(join(dir, weights), bytes);
        const original = await load(dir, weights, bytes);
        const headerEnd = 8 + Number(bytes.readBigUInt64LE());
        for (let i = 0; i < mutants; i++) {
          const kind = (["bytes of the header", "entries of the header", "size", "data", "config"] as const)[i % 5];
          const mutated = {
            "bytes of the header": () => damage(bytes, 0, headerEnd, below),
            "entries of the header": () => damageHeader(bytes, below),
            size: () => (below(2) ? bytes.subarray(0, below(bytes.length)) : Buffer.concat([bytes, bytes.subarray(0, 1 + below(64))])),
            data: () => { const copy = Buffer.from(bytes); copy[headerEnd + below(bytes.length - headerEnd)] ^= 1 + below(255); return copy; },
            config: () => damageConfig(config, below),
          }[kind]();
          const target = kind === "config" ? "config.json" : weights;
          await writeFile(join(dir, target), mutated);
          const outcome = await load(dir, weights, kind === "config" ? bytes : mutated).catch((error: unknown) => error);
          const label = `mutant ${i} (${kind})`;
          if (outcome instanceof Error) {
            refused++;
            assert.ok(outcome instanceof PlumblineError, `${label}: ${outcome.stack}`);
            assert.ok(outcome.message.includes(dir) && /Expected .* but received /s.test(outcome.message), `${label}: ${outcome.message}`);
            assert.notEqual(kind, "data", `${label}: ${outcome.message}`);
          } else {
            const loaded = outcome as Loaded;
            const changed = changedTensors(original, loaded);
            assert.equal(changed.length, kind === "data" ? 1 : 0, `${label}: other tensors: ${changed.join(", ")}`);
            if (kind === "config") {
              const fields = changedFields(config, mutated);
              assert.ok(loaded.model.equals(original.model) || fields.every((field) => free.includes(field)), `${label}: another graph, from ${fields.join(", ")}`);
            } else if (mutated.length === bytes.length) {
              // A header of another length moves the offsets that the graph holds; the tensors, compared above, count there.
              assert.ok(loaded.model.equals(original.model), `${label}: another graph`);
            }
          }
          await writeFile(join(dir, target), kind === "config" ? config : bytes);
        }
        // Most damage shows: a test whose mutants nearly all load would not test much.
        assert.ok(refused > mutants * 0.5, `${refused} of ${mutants} refused`);
      } finally {
        await rm(dir, { recursive: true });
      }
    });
  }
});
