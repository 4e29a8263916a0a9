import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { downloadModel, type DownloadOptions } from "../../src/catalogue/download";
import { readHubSettings, type HubSettings } from "../../src/catalogue/hubSettings";
import { PlumblineError } from "../../src/core/errors";
import { uniform } from "../../src/core/random";
import { startHub, type Fault, type HubRequest, type HubServer } from "../hubServer";

const schedules = 200;
const commit = "89abcdef0123456789abcdef0123456789abcdef";
const files = {
  "model_index.json": Buffer.from("{}"),
  "unet/config.json": Buffer.from('{"a": 1}'),
  "unet/weights.safetensors": Buffer.from(uniform(3000, { seed: 1, member: 0 }).map((x) => Math.floor(256 * x))),
  "vae/weights.safetensors": Buffer.from(uniform(1200, { seed: 2, member: 0 }).map((x) => Math.floor(256 * x))),
};
const patience = { attempts: 4, firstWaitMillis: 1, longestWaitMillis: 50, stallMillis: 60 };

/** A repeatable source of choices. */
function dice(seed: number): { readonly below: (n: number) => number; readonly chance: (p: number) => boolean } {
  const numbers = uniform(4096, { seed, member: 0 });
  let next = 0;
  const draw = (): number => numbers[next++ % numbers.length];
  return { below: (n) => Math.floor(n * draw()), chance: (p) => draw() < p };
}

/** What goes wrong in one schedule: each request fails with the schedule's own probability, in any of the ways. */
function scheduleOf(seed: number): { fault: HubServer["fault"]; disk: DownloadOptions["disk"] } {
  const { below, chance } = dice(seed);
  const rate = [0.15, 0.4, 0.7, 1][below(4)];
  const kinds: (() => Fault)[] = [
    () => ({ kind: "drop", after: below(2500) }),
    () => ({ kind: "stall", after: below(2500) }),
    () => ({ kind: "truncate", after: below(2500) }),
    () => ({ kind: "corrupt" }),
    () => ({ kind: "whole" }),
    () => ({ kind: "surplus" }),
    () => ({ kind: "wrong-range" }),
    () => ({ kind: "login-page" }),
    () => ({ kind: "status", status: [401, 403, 404, 404, 416, 500, 502, 503][below(8)] }),
    () => ({ kind: "status", status: 429, headers: { "retry-after": ["0", "0.01", "3600", "soon"][below(4)] } }),
  ];
  // Half of the schedules know only one way to fail, so that each is met often enough to be survived or not.
  const only = chance(0.5) ? kinds[below(kinds.length)] : undefined;
  const fullAfter = chance(0.15) ? below(5000) : Infinity;
  const noRoom = chance(0.05);
  let written = 0;
  return {
    fault: () => (chance(rate) ? (only ?? kinds[below(kinds.length)])() : undefined),
    disk: {
      freeBytes: async () => (noRoom ? 1000 : undefined),
      append: async (handle, chunk) => {
        written += chunk.length;
        if (written > fullAfter) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
        await handle.writeFile(chunk);
      },
    },
  };
}

describe("downloading under 200 schedules of faults", () => {
  let hub: HubServer;
  let root: string;
  let settings: HubSettings;
  before(async () => {
    hub = await startHub({ "owner/model": { commit, files, licence: "apache-2.0" } });
    root = await mkdtemp(join(tmpdir(), "plumbline-faults-"));
    settings = await readHubSettings({ HOME: root, HF_ENDPOINT: hub.endpoint });
  });
  after(async () => {
    await hub.close();
    await rm(root, { recursive: true, force: true });
  });

  const pull = (storage: string, disk?: DownloadOptions["disk"]): Promise<string> =>
    downloadModel("owner/model", { settings, storage, revision: "main", choose: (listing) => listing.files, accept: async () => true, patience, disk });

  async function assertVerified(dir: string): Promise<void> {
    assert.deepEqual((await readdir(dir, { recursive: true })).filter((path) => !/^(unet|vae)$|install\.json$/.test(path)).sort(), Object.keys(files).sort());
    for (const [path, bytes] of Object.entries(files)) assert.ok(bytes.equals(await readFile(join(dir, path))), path);
  }

  it("ends in a verified model or a clear error with nothing half-installed, and then goes on to a model", async () => {
    const codes = new Map<string, number>();
    for (let seed = 0; seed < schedules; seed++) {
      const storage = join(root, String(seed));
      const { fault, disk } = scheduleOf(seed);
      hub.fault = fault;
      const outcome = await pull(storage, disk).catch((error: unknown) => error);
      try {
        if (outcome instanceof PlumblineError) {
          assert.match(outcome.code, /^(download-failed|not-permitted|not-found|write-failed)$/);
          assert.ok(outcome.message.length > 20 && outcome.remedy.length > 10, outcome.message);
          assert.ok((await readdir(storage)).every((name) => name === "owner--model.partial"), "only what no list offers");
        } else {
          assert.ok(typeof outcome === "string", `not an error of ours: ${String(outcome)}`);
          await assertVerified(outcome);
          assert.deepEqual(await readdir(storage), ["owner--model"]);
        }
      } catch (error) {
        throw new Error(`schedule ${seed}: ${String(error)}`, { cause: error });
      }
      const code = outcome instanceof PlumblineError ? outcome.code : "installed";
      codes.set(code, (codes.get(code) ?? 0) + 1);
      hub.fault = () => undefined;
      await assertVerified(await pull(storage));
      await rm(storage, { recursive: true });
    }
    for (const code of ["installed", "download-failed", "not-permitted", "not-found", "write-failed"]) assert.ok((codes.get(code) ?? 0) >= 5, `${code}: ${codes.get(code) ?? 0} of ${schedules}`);
  }).timeout(120_000);

  it("never reads again what it has, however often connections drop", async () => {
    const storage = join(root, "thrift");
    hub.requests.length = 0;
    hub.fault = ({ kind }: Pick<HubRequest, "kind">) => (kind === "cdn" ? { kind: "drop", after: 400, lateMillis: 60 } : undefined);
    await assertVerified(await pull(storage));
    const starts = hub.requests.filter(({ kind, path }) => kind === "cdn" && path.startsWith("unet")).map(({ headers }) => Number(/\d+/.exec(headers.range ?? "0")?.[0]));
    assert.deepEqual(starts, [...starts].sort((a, b) => a - b));
    assert.deepEqual([...new Set(starts)], [0, 400, 800, 1200, 1600, 2000, 2400, 2800]);
    assert.equal((await stat(join(storage, "owner--model", "unet", "weights.safetensors"))).size, 3000);
  });
});
