import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { downloadModel, type DownloadOptions, type DownloadProgress, type Offer } from "../../src/catalogue/download";
import { chooseFiles, recogniseLayout } from "../../src/catalogue/fileChoice";
import type { HubFile } from "../../src/catalogue/hubClient";
import { isExcepted, readHubSettings } from "../../src/catalogue/hubSettings";
import { modelPaths, storageFolder } from "../../src/catalogue/storage";
import { PlumblineError } from "../../src/core/errors";
import { gitSha1, hubToken, sha256, startHub, type Fault, type HubServer } from "../hubServer";

const weights = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
const commit = "0123456789abcdef0123456789abcdef01234567";
const name = "owner/tiny-depth";
const files = { "model_index.json": Buffer.from('{"_class_name": "MarigoldPipeline"}'), "unet/config.json": Buffer.from("{}"), "unet/diffusion_pytorch_model.fp16.safetensors": weights, "vae/empty.txt": Buffer.alloc(0) };
const quick = { attempts: 4, firstWaitMillis: 2, longestWaitMillis: 1500, stallMillis: 150 };

describe("downloading a model", () => {
  let storage: string;
  let hub: HubServer;
  beforeEach(async () => {
    storage = await mkdtemp(join(tmpdir(), "plumbline-hub-"));
    hub = await startHub({ [name]: { commit, files, licence: "apache-2.0" } });
  });
  afterEach(async () => {
    await hub.close();
    await rm(storage, { recursive: true, force: true });
  });

  const settings = (environment: Record<string, string> = {}) => readHubSettings({ HOME: storage, HF_ENDPOINT: hub.endpoint, ...environment });
  const pull = async (options: Partial<DownloadOptions> = {}, environment?: Record<string, string>): Promise<string> =>
    downloadModel(name, { settings: await settings(environment), storage, revision: "main", choose: (listing) => listing.files, accept: async () => true, patience: quick, ...options });
  /** The next faults of requests for weights, then none. */
  const faultWeights = (...faults: (Fault | undefined)[]): void => {
    hub.fault = ({ kind }) => (kind === "cdn" ? faults.shift() : undefined);
  };
  const cdnRequests = () => hub.requests.filter(({ kind }) => kind === "cdn");
  async function assertInstalled(dir: string): Promise<void> {
    assert.equal(dir, join(storage, "owner--tiny-depth"));
    for (const [path, bytes] of Object.entries(files)) assert.deepEqual(await readFile(join(dir, path)), bytes, path);
    assert.deepEqual(await readdir(storage), ["owner--tiny-depth"], "nothing else is left");
  }

  it("installs every file with its hash, by the hub's API, and reads nothing the second time", async () => {
    const progress: DownloadProgress[] = [];
    await assertInstalled(await pull({ onProgress: (event) => progress.push(event) }));
    const record = JSON.parse(await readFile(join(storage, "owner--tiny-depth", "plumbline.install.json"), "utf8")) as { commit: string; licence: string; files: { path: string; hash: { hex: string } }[] };
    assert.deepEqual([record.commit, record.licence], [commit, "apache-2.0"]);
    assert.deepEqual(Object.fromEntries(record.files.map(({ path, hash }) => [path, hash.hex])), {
      "model_index.json": gitSha1(files["model_index.json"]), "unet/config.json": gitSha1(files["unet/config.json"]),
      "unet/diffusion_pytorch_model.fp16.safetensors": sha256(weights), "vae/empty.txt": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    });
    const counts = progress.flatMap((event) => (event.phase === "downloading" ? [[event.bytes, event.totalBytes]] : []));
    assert.deepEqual(counts.at(-1), [20_037, 20_037]);
    assert.equal(progress[0].phase, "listing");
    const before = hub.requests.length;
    await assertInstalled(await pull());
    assert.equal(hub.requests.length, before);
  });

  it("continues with Range and If-Range where a connection dropped", async () => {
    faultWeights({ kind: "drop", after: 9000, lateMillis: 100 });
    await assertInstalled(await pull());
    const [first, second] = cdnRequests();
    assert.equal(first.headers.range, undefined);
    const start = Number(/bytes=(\d+)-/.exec(second.headers.range ?? "")?.[1]);
    assert.ok(start > 0 && start <= 9000, `continued at ${start}`);
    assert.match(String(second.headers["if-range"]), /^"[0-9a-f]{32}"$/);
    assert.equal(second.status, 206);
  });

  it("gives up on a connection that stalls, and on one that ends too soon, and goes on with another", async () => {
    faultWeights({ kind: "stall", after: 500 }, { kind: "truncate", after: 700 });
    const waits: string[] = [];
    await assertInstalled(await pull({ onProgress: (event) => event.phase === "waiting" && waits.push(event.reason) }));
    assert.match(waits[0], /nothing from .* for 0\.15 s/);
    assert.match(waits[1], /Expected 20000 bytes .* ended after/);
  });

  it("starts a file over where the server sends all of it, the wrong part, or more than there is", async () => {
    faultWeights({ kind: "drop", after: 4000, lateMillis: 100 }, { kind: "whole" });
    await assertInstalled(await pull());
    for (const fault of [{ kind: "wrong-range" }, { kind: "surplus" }, { kind: "status", status: 416 }] as const) {
      await rm(storage, { recursive: true });
      faultWeights({ kind: "drop", after: 4000, lateMillis: 100 }, fault);
      await assertInstalled(await pull());
    }
  });

  it("reads a file with wrong bytes once more, and refuses it when they are wrong again", async () => {
    faultWeights({ kind: "corrupt" });
    await assertInstalled(await pull());
    await rm(storage, { recursive: true });
    faultWeights({ kind: "corrupt" }, { kind: "corrupt" });
    await assert.rejects(pull(), (error: PlumblineError) => error.code === "download-failed" && error.message.includes(sha256(weights)));
    assert.deepEqual(await readdir(storage), ["owner--tiny-depth.partial"]);
    await assertInstalled(await pull());
  });

  it("waits as long as the server asks, in seconds or until a date, and not longer than is reasonable", async () => {
    faultWeights({ kind: "status", status: 429, headers: { "retry-after": "0.2" } });
    let since = performance.now();
    await assertInstalled(await pull());
    assert.ok(performance.now() - since >= 195);
    await rm(storage, { recursive: true });
    faultWeights({ kind: "status", status: 503, headers: { "retry-after": new Date(Date.now() + 1300).toUTCString() } });
    since = performance.now();
    await assertInstalled(await pull());
    assert.ok(performance.now() - since >= 200, "the date has whole seconds only");
    await rm(storage, { recursive: true });
    faultWeights({ kind: "status", status: 429, headers: { "retry-after": "3600" } });
    await assert.rejects(pull(), { code: "download-failed", message: /429.*too many requests.*asks to wait 3600 s/, remedy: /HF_TOKEN/ });
  });

  it("gives up after a few failures in a row, but not while it gets further", async () => {
    hub.fault = ({ kind }) => (kind === "cdn" ? { kind: "status", status: 500 } : undefined);
    await assert.rejects(pull(), { code: "download-failed", message: /500.*\(4 times in a row\)/ });
    assert.equal(cdnRequests().length, 4);
    hub.fault = ({ kind }) => (kind === "cdn" ? { kind: "drop", after: 2500, lateMillis: 100 } : undefined);
    const dir = await pull();
    await assertInstalled(dir);
    assert.ok(cdnRequests().length >= 4 + 8, "each connection brought at most 2500 of 20000 bytes");
  });

  it("is cancelled by its signal, keeps what came, and goes on with it", async () => {
    hub.fault = ({ kind }) => (kind === "cdn" ? { kind: "slow", chunk: 1000, everyMillis: 5 } : undefined);
    const abort = new AbortController();
    const onProgress = (event: DownloadProgress): void => void (event.phase === "downloading" && event.bytes > 5000 && abort.abort());
    await assert.rejects(pull({ signal: abort.signal, onProgress }), { code: "cancelled" });
    assert.deepEqual(await readdir(storage), ["owner--tiny-depth.partial"]);
    hub.fault = () => undefined;
    await assertInstalled(await pull());
    assert.match(cdnRequests()[1].headers.range ?? "", /^bytes=[5-9]\d{3}-$/);
  });

  it("asks before it begins, with licence and size, and writes nothing when refused", async () => {
    const offers: Offer[] = [];
    const accept = async (offer: Offer): Promise<boolean> => offers.push(offer) > 1;
    await assert.rejects(pull({ accept }), { code: "cancelled" });
    assert.deepEqual(await readdir(storage), []);
    assert.deepEqual([offers[0].licence, offers[0].bytes, offers[0].commit], ["apache-2.0", 20_037, commit]);
    await assertInstalled(await pull({ accept }));
  });

  it("refuses to begin without room on the disk, and explains a disk that fills up meanwhile", async () => {
    await assert.rejects(pull({ disk: { freeBytes: async () => 1e6 } }), { code: "write-failed", message: /of room .* but received 1\.00 MB/ });
    assert.deepEqual(await readdir(storage), []);
    let writes = 0;
    const append: NonNullable<DownloadOptions["disk"]>["append"] = async (handle, chunk) => {
      if (++writes === 3) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      await handle.writeFile(chunk);
    };
    await assert.rejects(pull({ disk: { append } }), { code: "write-failed", message: /the disk is full/, remedy: /Make room/ });
    assert.deepEqual(await readdir(storage), ["owner--tiny-depth.partial"]);
    await assertInstalled(await pull());
  });

  it("refuses a second download of the same model, and takes over from a process that died", async () => {
    hub.fault = ({ kind }) => (kind === "cdn" ? { kind: "slow", chunk: 2000, everyMillis: 10 } : undefined);
    let first: Promise<string> = Promise.resolve("");
    await new Promise<void>((begun) => {
      first = pull({ onProgress: ({ phase }) => phase === "downloading" && begun() });
    });
    await assert.rejects(pull(), { code: "bad-argument", message: /being downloaded or removed already/ });
    await assertInstalled(await first);
    await rm(storage, { recursive: true });
    await mkdir(storage);
    await writeFile(modelPaths(storage, name).lock, JSON.stringify({ pid: 2 ** 22 - 1, host: hostname(), token: "gone", started: "1" }));
    hub.fault = () => undefined;
    await assertInstalled(await pull());
  });

  it("drops what is there of another version, and keeps the files that are the same", async () => {
    faultWeights({ kind: "drop", after: 4000, lateMillis: 100 });
    await assert.rejects(pull({ patience: { ...quick, attempts: 1 } }));
    const newer = { ...files, "unet/config.json": Buffer.from('{"changed": true}'), "unet/diffusion_pytorch_model.fp16.safetensors": Buffer.from(weights).reverse() };
    hub.repositories[name] = { commit: commit.replace("0", "f"), files: newer };
    const dir = await pull();
    for (const [path, bytes] of Object.entries(newer)) assert.deepEqual(await readFile(join(dir, path)), bytes, path);
    assert.equal(hub.requests.filter(({ kind, path }) => kind === "resolve" && path === "model_index.json").length, 1);
  });

  describe("explains", () => {
    const refused = (fault: Fault) => ({ kind }: { kind: string }) => (kind === "list" ? fault : undefined);

    it("a gated repository, with and without a token, and sends the token to the hub only", async () => {
      hub.repositories[name] = { commit, files, gated: true };
      await assert.rejects(pull(), { code: "not-permitted", message: /gated/, remedy: /Accept them at .*owner\/tiny-depth and set HF_TOKEN/ });
      await mkdir(join(storage, ".cache", "huggingface"), { recursive: true });
      await writeFile(join(storage, ".cache", "huggingface", "token"), `${hubToken}\n`);
      await pull();
      assert.ok(hub.requests.filter(({ kind }) => kind !== "cdn").slice(-3).every(({ headers }) => headers.authorization === `Bearer ${hubToken}`));
      assert.ok(cdnRequests().every(({ headers }) => headers.authorization === undefined));
    });

    it("a token that is refused, a repository or revision that is not there", async () => {
      await assert.rejects(pull({}, { HF_TOKEN: "hf_wrong" }), { code: "not-permitted", message: /token was refused/ });
      hub.fault = refused({ kind: "status", status: 403, headers: { "x-error-code": "GatedRepo" } });
      await assert.rejects(pull({}, { HF_TOKEN: hubToken }), { code: "not-permitted", remedy: /account of the token/ });
      hub.fault = () => undefined;
      await assert.rejects(pull({ revision: "v9" }), { code: "not-found", message: /revision but received "v9"/ });
      delete hub.repositories[name];
      await assert.rejects(pull(), { code: "not-permitted", message: /does not exist, or is private/ });
      await assert.rejects(pull({}, { HF_TOKEN: hubToken }), { code: "not-found", message: /"owner\/tiny-depth" \(404\)/ });
    });

    it("offline mode, an unreachable server, and a log-in page in the way", async () => {
      await assert.rejects(pull({}, { HF_HUB_OFFLINE: "1" }), { code: "download-failed", message: /HF_HUB_OFFLINE/ });
      assert.equal(hub.requests.length, 0);
      await assert.rejects(pull({}, { HF_ENDPOINT: "http://127.0.0.1:9" }), { code: "download-failed", message: /Could not read from 127\.0\.0\.1:9/, remedy: /HTTPS_PROXY/ });
      hub.fault = refused({ kind: "login-page" });
      await assert.rejects(pull(), { code: "download-failed", message: /list of files/, remedy: /log-in page/ });
      await assert.rejects(settings({ HF_ENDPOINT: "huggingface.co" }), { code: "bad-argument", message: /HF_ENDPOINT/ });
    });
  });

  it("goes through the proxy that the environment names, unless NO_PROXY excepts the server", async () => {
    const tunnels: string[] = [];
    const proxy: Server = createServer();
    proxy.on("connect", (request, client) => {
      tunnels.push(request.url ?? "");
      const [host, port] = (request.url ?? "").split(":");
      const server = connect(Number(port), host, () => client.write("HTTP/1.1 200 Connection Established\r\n\r\n"));
      server.pipe(client).pipe(server);
      for (const socket of [server, client]) socket.on("error", () => undefined);
    });
    await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    try {
      await assertInstalled(await pull({}, { http_proxy: address, NO_PROXY: "elsewhere.org" }));
      assert.deepEqual([...new Set(tunnels)].sort(), [hub.endpoint, hub.cdn].map((url) => new URL(url).host).sort());
      await rm(storage, { recursive: true });
      tunnels.length = 0;
      await assertInstalled(await pull({}, { HTTP_PROXY: address, NO_PROXY: `localhost, ${new URL(hub.endpoint).host}` }));
      assert.deepEqual([...new Set(tunnels)], [new URL(hub.cdn).host]);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it("reads NO_PROXY as other programs do", () => {
    const hubUrl = new URL("https://cdn.huggingface.co/x");
    for (const entry of ["*", "huggingface.co", ".huggingface.co", "*.huggingface.co", "CDN.huggingface.co:443"]) assert.ok(isExcepted(hubUrl, entry), entry);
    for (const entry of ["face.co", "cdn.huggingface.co:80", "huggingface.com", ""]) assert.ok(!isExcepted(hubUrl, entry), entry);
  });

  it("keeps models where PLUMBLINE_HOME, XDG_DATA_HOME or the home folder say", () => {
    assert.equal(storageFolder({ PLUMBLINE_HOME: "/p", XDG_DATA_HOME: "/x" }), "/p/models");
    assert.equal(storageFolder({ XDG_DATA_HOME: "/x" }), "/x/plumbline/models");
    assert.equal(storageFolder({ HOME: "/home/a" }), "/home/a/.local/share/plumbline/models");
    for (const wrong of ["tiny", "../x", "a/b/c", "a--b/c", "owner/x.partial"]) assert.throws(() => modelPaths("/s", wrong), { code: "bad-argument" }, wrong);
  });
});

describe("choosing the files of a repository", () => {
  const list = (...paths: string[]): HubFile[] => paths.map((path) => ({ path, bytes: 1, hash: { kind: "sha256", hex: "0" } }));
  const layout = [
    { role: "UNet", optional: false, oneOf: [["unet/model.fp16.safetensors"], ["unet/model.safetensors.index.json", "unet/model-*-of-*.safetensors"], ["unet/model.bin"]] },
    { role: "feature extractor", optional: true, oneOf: [["feature/config.json"]] },
  ];

  it("takes the first alternative that is there in full, and every shard of it", () => {
    const chosen = (...paths: string[]): string[] => chooseFiles(list(...paths), layout, "o/n").map(({ path }) => path);
    assert.deepEqual(chosen("unet/model.bin", "unet/model.fp16.safetensors", "README.md"), ["unet/model.fp16.safetensors"]);
    assert.deepEqual(chosen("unet/model.safetensors.index.json", "unet/model-1-of-2.safetensors", "unet/model-2-of-2.safetensors", "feature/config.json", "unet/model.bin"), ["unet/model.safetensors.index.json", "unet/model-1-of-2.safetensors", "unet/model-2-of-2.safetensors", "feature/config.json"]);
    assert.deepEqual(chosen("unet/model-1-of-1.safetensors", "unet/model.bin"), ["unet/model.bin"]);
    assert.deepEqual(chosen("unet/modelXbin", "unet/model.bin"), ["unet/model.bin"]);
  });

  it("names the part that is missing and what there is instead", () => {
    assert.throws(() => chooseFiles(list("unet/other.ckpt"), layout, "o/n"), { code: "unsupported", message: /unet\/model\.bin for the UNet in o\/n but found unet\/other\.ckpt/ });
    assert.equal(recogniseLayout(list("unet/model.bin"), { other: [{ role: "x", optional: false, oneOf: [["x"]] }], mine: layout }), "mine");
    assert.equal(recogniseLayout(list("readme"), { mine: layout }), undefined);
  });
});
