import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gitSha1, hubToken, sha256, startHub, type Fault, type HubServer } from "../hubServer";
import { plumbline, type Outcome } from "./cliProcess";

const reference = "test/reference/marigold";
const repository = "prs-eth/marigold-depth-v1-0";
const commit = "5555555555aaaaaaaaaa5555555555aaaaaaaaaa";
const unet = "unet/diffusion_pytorch_model.safetensors";
const needed = [
  "model_index.json", "scheduler/scheduler_config.json", "unet/config.json", unet, "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
  "text_encoder/config.json", "text_encoder/model.safetensors", "tokenizer/vocab.json", "tokenizer/tokenizer_config.json",
];

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly dir?: string;
  readonly problem?: string;
  readonly semantics: readonly object[];
}

describe("plumbline models", () => {
  let home: string;
  let hub: HubServer;
  let files: Record<string, Buffer>;
  before(async () => {
    files = Object.fromEntries(await Promise.all([...needed, "tokenizer/merges.txt"].map(async (path) => [path, await readFile(join(reference, path))] as const)));
  });
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "plumbline-models-"));
    hub = await startHub({ [repository]: { commit, files, licence: "apache-2.0" }, "someone/gated-depth": { commit, files, gated: true, licence: "cc-by-nc-4.0" } });
  });
  afterEach(async () => {
    await hub.close();
    await rm(home, { recursive: true, force: true });
  });

  const models = (args: readonly string[], environment: Record<string, string> = {}, onStart?: Parameters<typeof plumbline>[1]): Promise<Outcome> =>
    plumbline(["models", ...args], onStart, { PLUMBLINE_HOME: home, HF_HOME: join(home, "hf"), HF_ENDPOINT: hub.endpoint, HF_TOKEN: "", HF_HUB_OFFLINE: "", NO_PROXY: "127.0.0.1", ...environment });
  async function listed(id: string): Promise<Listed> {
    const { code, stdout } = await models(["list", "--json"]);
    assert.equal(code, 0);
    const found = (JSON.parse(stdout) as Listed[]).find((model) => model.id === id);
    assert.ok(found, id);
    return found;
  }
  const installed = (): string => join(home, "models", "prs-eth--marigold-depth-v1-0");
  const weightsSlowly = (everyMillis: number) => ({ path }: { path: string }): Fault | undefined => (path === unet ? { kind: "slow", chunk: 50_000, everyMillis } : undefined);
  const bytesBelow = async (path: string): Promise<number> => stat(path).then(({ size }) => size, () => 0);

  it("lists in aligned columns, and shows what is known of a model, for people and for programs", async () => {
    const { stdout } = await models(["list"]);
    const lines = stdout.trimEnd().split("\n");
    const column = lines[0].indexOf("STATE");
    assert.ok(lines.length > 25);
    for (const line of lines.slice(1)) assert.match(line.slice(column), /^(shipped|available) /, line);
    const large = await models(["show", "depth-anything-v2-large"]);
    assert.match(large.stdout, /Licence +CC-BY-NC-4\.0 \(non-commercial\), https:/);
    const shown = JSON.parse((await models(["show", "marigold-e2e-ft-depth", "--json"])).stdout) as { semantics: object[]; defaults: object; figures: { values: Record<string, number[]> }[] };
    assert.deepEqual([shown.semantics, shown.defaults], [[{ task: "depth", depthKind: "affine-depth" }], { steps: 1, spacing: "trailing", noise: "zeros" }]);
    assert.deepEqual(shown.figures[0].values["NYUv2"], [5.2, 96.6]);
    const unknown = await models(["show", "marigold-of-nowhere"]);
    assert.deepEqual([unknown.code, /"marigold-of-nowhere"/.test(unknown.stderr)], [1, true]);
    assert.equal(hub.requests.length, 0, "nothing is asked of the network");
  });

  it("shows the licence before it downloads, fetches only what is needed, verifies, and removes", async () => {
    const unasked = await models(["pull", "marigold-depth-v1-0"]);
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /10 files, 2\.26 MB\.\nLicence: Apache-2\.0, https:.*\n.*--yes/s);
    assert.ok(hub.requests.every(({ kind }) => kind === "list"));

    const pulled = await models(["pull", "marigold-depth-v1-0", "--yes"]);
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.match(pulled.stderr, /is installed \(depth\)/);
    assert.deepEqual(hub.requests.flatMap(({ kind, path }) => (kind === "resolve" ? [path] : [])).sort(), [...needed].sort());
    for (const path of needed) assert.ok(files[path].equals(await readFile(join(installed(), path))), path);
    assert.deepEqual([(await listed(repository)).state, (await listed(repository)).dir], ["installed", installed()]);

    const before = hub.requests.length;
    assert.match((await models(["pull", repository, "--yes"])).stderr, /is here already/);
    assert.equal(hub.requests.length, before);
    const verified = await models(["verify", repository]);
    assert.deepEqual([verified.code, verified.stdout.match(/ right$/gm)?.length], [0, 10]);

    await appendFile(join(installed(), "vae/config.json"), " ");
    await rm(join(installed(), "tokenizer/vocab.json"));
    const damaged = await models(["verify", repository]);
    assert.equal(damaged.code, 1);
    assert.match(damaged.stdout, /vae\/config\.json +wrong/);
    assert.match(damaged.stdout, /tokenizer\/vocab\.json +missing/);
    assert.match((await listed(repository)).problem ?? "", /vocab\.json/);

    assert.equal((await models(["remove", repository])).code, 0);
    assert.deepEqual(await readdir(join(home, "models")), []);
    assert.equal((await listed(repository)).state, "available");
  });

  it("is resumed after kill -9 in the middle of a download, and offers nothing meanwhile", async () => {
    hub.fault = weightsSlowly(40);
    const partial = `${installed()}.partial`;
    const killed = await models(["pull", repository, "--yes"], {}, (child) => {
      void (async () => {
        while ((await bytesBelow(join(partial, `${unet}.incomplete`))) < 200_000) await sleep(10);
        child.kill("SIGKILL");
      })();
    });
    assert.equal(killed.code, null);
    const kept = await bytesBelow(join(partial, `${unet}.incomplete`));
    assert.ok(kept >= 200_000 && kept < files[unet].length);
    assert.deepEqual([(await listed(repository)).state, (await listed(repository)).problem], ["incomplete", "Its download has not finished."]);
    const used = await plumbline(["estimate", "media/samples", "--model", repository], undefined, { PLUMBLINE_HOME: home, HF_HOME: join(home, "hf") });
    assert.match(used.stderr, /models pull prs-eth\/marigold-depth-v1-0/);

    hub.fault = () => undefined;
    hub.requests.length = 0;
    const resumed = await models(["pull", repository, "--yes"]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stderr, /of it still to come/);
    assert.equal(hub.requests.find(({ kind, path }) => kind === "cdn" && path === unet)?.headers.range, `bytes=${kept}-`);
    assert.equal(hub.requests.filter(({ kind, path }) => kind === "resolve" && path === "model_index.json").length, 0, "what was there is not read again");
    assert.equal((await models(["verify", repository])).code, 0);
    assert.deepEqual(await readdir(join(home, "models")), ["prs-eth--marigold-depth-v1-0"]);
  });

  it("stops at Ctrl+C with exit code 130 and goes on later; what came can be removed too", async () => {
    hub.fault = weightsSlowly(40);
    const partial = `${installed()}.partial`;
    const stopped = await models(["pull", repository, "--yes"], {}, (child) => {
      void (async () => {
        while ((await bytesBelow(join(partial, `${unet}.incomplete`))) < 100_000) await sleep(10);
        child.kill("SIGINT");
      })();
    });
    assert.equal(stopped.code, 130, stopped.stderr);
    assert.deepEqual(await readdir(join(home, "models")), ["prs-eth--marigold-depth-v1-0.partial"]);
    assert.equal((await models(["remove", repository])).code, 0);
    assert.deepEqual(await readdir(join(home, "models")), []);
  });

  it("explains what it cannot have", async () => {
    const cases: readonly [readonly string[], Record<string, string>, RegExp][] = [
      [["pull", "someone/gated-depth", "--yes"], {}, /gated.*\nAccept them at .*someone\/gated-depth and set HF_TOKEN/],
      [["pull", "someone/missing", "--yes"], {}, /does not exist, or is private/],
      [["pull", "someone/missing", "--yes"], { HF_TOKEN: hubToken }, /"someone\/missing" \(404\)/],
      [["pull", repository, "--yes"], { HF_HUB_OFFLINE: "1" }, /HF_HUB_OFFLINE/],
      [["pull", repository, "--yes", "--revision", "v9"], {}, /revision but received "v9"/],
      [["pull", "nothing-like-it", "--yes"], {}, /OWNER\/NAME/],
      [["remove", "plumbline-depth"], {}, /part of Plumbline/],
      [["remove", repository], {}, /downloaded or added/],
      [["verify", repository], {}, /models pull/],
    ];
    for (const [args, environment, expected] of cases) {
      const { code, stderr } = await models(args, environment);
      assert.ok(code === 1 || code === 2, args.join(" "));
      assert.match(stderr, expected);
    }
    const pulled = await models(["pull", "someone/gated-depth", "--yes"], { HF_TOKEN: hubToken });
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.match(pulled.stderr, /Licence: cc-by-nc-4\.0 \(non-commercial\)[^]*It is gated/);
  });

  describe("with a Hugging Face cache", () => {
    const snapshot = (): string => join(home, "hf", "hub", "models--prs-eth--marigold-depth-v1-0", "snapshots", commit);
    const blobs = (): string => join(snapshot(), "..", "..", "blobs");
    beforeEach(async () => {
      await mkdir(blobs(), { recursive: true });
      await mkdir(join(snapshot(), "..", "..", "refs"));
      await writeFile(join(snapshot(), "..", "..", "refs", "main"), commit);
      for (const path of needed) {
        const name = files[path].length >= 1000 ? sha256(files[path]) : gitSha1(files[path]);
        await writeFile(join(blobs(), name), files[path]);
        await mkdir(dirname(join(snapshot(), path)), { recursive: true });
        await symlink(join(blobs(), name), join(snapshot(), path));
      }
      await mkdir(join(home, "hf", "hub", "models--some--language-model", "snapshots", commit), { recursive: true });
    });

    it("uses it in place, verifies it by the names of its blobs, and leaves it to its owner", async () => {
      const { state, dir } = await listed(repository);
      assert.deepEqual([state, dir], ["cached", snapshot()]);
      assert.match((await models(["pull", repository, "--yes"])).stderr, /is here already/);
      assert.equal(hub.requests.length, 0);
      assert.equal((await models(["verify", repository])).code, 0);
      assert.match((await models(["remove", repository])).stderr, /belongs to other programs/);
      await appendFile(join(blobs(), gitSha1(files["vae/config.json"])), " ");
      assert.match((await models(["verify", repository])).stdout, /vae\/config\.json +wrong/);
    });

    it("never offers a snapshot of which a part is missing, and downloads it then", async () => {
      await rm(join(blobs(), sha256(files[unet])));
      await writeFile(join(blobs(), `${sha256(files[unet])}.incomplete`), files[unet].subarray(0, 1000));
      const { state, problem } = await listed(repository);
      assert.equal(state, "incomplete");
      assert.match(problem ?? "", /cache holds a part of it only: unet\/diffusion_pytorch_model\.safetensors/);
      assert.equal((await models(["pull", repository, "--yes"])).code, 0);
      assert.equal((await listed(repository)).state, "installed");
    });
  });

  it("keeps what its user states of an added folder, shows it, and runs with it", async () => {
    const wrong = await models(["add", "models/plumbline-normals", "--normals-frame", "LUB"]);
    assert.deepEqual([wrong.code, /Expected RUB for the frame/.test(wrong.stderr)], [2, true], wrong.stderr);
    assert.match((await models(["add", reference, "--normals-frame", "XYZ"])).stderr, /Allowed choices are RUB, LUB/);
    const run = async (): Promise<{ readonly semantics: object; readonly notes: readonly string[] }> => {
      const out = join(home, "out");
      const { code, stderr } = await plumbline(["estimate", "media/samples/coffee.jpg", "--model", reference, "--task", "normals", "--steps", "1", "--resolution", "64", "--device", "cpu", "--out", out], undefined, { PLUMBLINE_HOME: home });
      assert.equal(code, 0, stderr);
      const { runs } = JSON.parse(await readFile(join(out, "run.json"), "utf8")) as { runs: { semantics: object; notes: string[] }[] };
      return runs[0];
    };
    assert.deepEqual((await run()).semantics, { task: "normals", frame: "LUB" }, "what is assumed");
    const added = await models(["add", reference, "--task", "normals", "--normals-frame", "RUB"]);
    assert.match(added.stderr, /normals RUB\)\.\n.*stated by you: normals\.\n.*stated by you: RUB/);
    assert.match((await models(["show", resolve(reference)])).stdout, /Predicts +normals RUB\n[^]*stated by you: RUB \(x right/);
    const { semantics, notes } = await run();
    assert.deepEqual(semantics, { task: "normals", frame: "RUB" });
    assert.ok(notes.some((note) => /stated by you: RUB/.test(note)), notes.join(" "));
  });

  it("adds a folder in place, knows it by its path, and forgets it", async () => {
    const folder = resolve(reference);
    const added = await models(["add", reference, "--task", "depth"]);
    assert.equal(added.code, 0, added.stderr);
    const model = await listed(folder);
    assert.deepEqual([model.state, model.semantics], ["folder", [{ task: "depth", depthKind: "affine-depth" }]]);
    assert.match((await models(["verify", folder])).stderr, /nothing states what the hashes should be/);
    assert.equal((await models(["remove", reference])).code, 0);
    assert.ok((await readdir(reference)).includes("model_index.json"));
    assert.match((await models(["add", "media"])).stderr, /model_index\.json/);
    const damaged = join(home, "damaged");
    await mkdir(damaged);
    await writeFile(join(home, "models", "folders.json"), JSON.stringify({ version: 1, folders: [{ path: damaged }] }));
    assert.equal((await listed(damaged)).state, "incomplete");
  });
});
