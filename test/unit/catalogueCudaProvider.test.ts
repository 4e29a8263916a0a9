import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { zipSync } from "fflate";
import { cudaFolder, cudaLibraries, installedCudaFolder, libraryEnvironment, onnxRuntimeVersion, runtimeLibrary } from "../../src/catalogue/cudaFolder";
import { installCuda, type CudaInstallOptions, type CudaProgress } from "../../src/catalogue/cudaProvider";
import { PlumblineError, type ErrorCode } from "../../src/core/errors";

/** A package with the layout of the real one, of bytes that do not compress to nothing. */
const contents = Object.fromEntries(cudaLibraries.map((name, i) => [`runtimes/linux-x64/native/${name}`, Buffer.from(Array.from({ length: 40_000 }, (_, j) => (j * j * (i + 3)) % 251))]));
const nupkg = Buffer.from(zipSync({ ...contents, "runtimes/linux-x64/native/libonnxruntime_providers_tensorrt.so": Buffer.from("unwanted"), "LICENSE.txt": Buffer.from("MIT") }));
const sha512 = (bytes: Buffer): string => createHash("sha512").update(bytes).digest("base64");
const id = "microsoft.ml.onnxruntime.gpu.linux";
const patience = { attempts: 3, firstWaitMillis: 1, longestWaitMillis: 50, stallMillis: 500 };

describe("installing the CUDA provider", () => {
  let home: string;
  let server: Server;
  let origin: string;
  let environment: Record<string, string>;
  /** What the feed says of the package, and how it answers a request for it. */
  let entry: Record<string, unknown>;
  let send: (request: IncomingMessage, response: ServerResponse) => void;
  let asked: string[];

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "plumbline-cuda-"));
    await writeFile(join(home, "runtime.so"), "ONNX Runtime itself");
    asked = [];
    entry = { packageHash: sha512(nupkg), packageHashAlgorithm: "SHA512", packageSize: nupkg.length };
    send = (_request, response) => response.end(nupkg);
    server = createServer((request, response) => {
      const url = request.url ?? "";
      asked.push(`${url}${request.headers.range === undefined ? "" : ` ${request.headers.range}`}`);
      assert.equal(request.headers.authorization, undefined);
      const json: Record<string, unknown> = {
        "/v3/index.json": { version: "3.0.0", resources: [{ "@id": `${origin}/old/`, "@type": "RegistrationsBaseUrl" }, { "@id": `${origin}/registration/`, "@type": "RegistrationsBaseUrl/3.6.0" }, { "@id": `${origin}/flat/`, "@type": "PackageBaseAddress/3.0.0" }] },
        [`/registration/${id}/${onnxRuntimeVersion}.json`]: { catalogEntry: `${origin}/catalog/entry.json`, packageContent: `${origin}/flat/package.nupkg` },
        "/catalog/entry.json": entry,
      };
      if (url === "/flat/package.nupkg") send(request, response);
      else if (json[url] !== undefined) response.setHeader("content-type", "application/json").end(JSON.stringify(json[url]));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    environment = { PLUMBLINE_HOME: home, PLUMBLINE_NUGET_FEED: `${origin}/v3/index.json`, HF_TOKEN: "secret" };
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(home, { recursive: true });
  });

  const install = (options: Partial<CudaInstallOptions> = {}): Promise<string> => installCuda({ runtimePath: join(home, "runtime.so"), environment, patience, ...options });

  async function assertRefused(code: ErrorCode, said: RegExp, options: Partial<CudaInstallOptions> = {}): Promise<void> {
    await assert.rejects(install(options), (error) => {
      assert.ok(error instanceof PlumblineError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, said);
      return true;
    });
    assert.equal(installedCudaFolder(environment), undefined);
    assert.ok(!existsSync(cudaFolder(environment) ?? ""), "nothing is half-installed");
  }

  it("puts the package's libraries beside a copy of ONNX Runtime, checked, at once", async () => {
    const seen: CudaProgress[] = [];
    const folder = await install({ onProgress: (progress) => seen.push(progress) });
    assert.equal(folder, cudaFolder(environment));
    assert.ok(folder.startsWith(home));
    assert.deepEqual((await readdir(folder)).sort(), [runtimeLibrary, ...cudaLibraries, "plumbline.install.json"].sort());
    for (const name of cudaLibraries) assert.deepEqual(await readFile(join(folder, name)), contents[`runtimes/linux-x64/native/${name}`]);
    assert.equal(await readFile(join(folder, runtimeLibrary), "utf8"), "ONNX Runtime itself");
    assert.deepEqual([...new Set(seen.map(({ phase }) => phase))], ["asking", "downloading", "verifying", "unpacking"]);
    assert.deepEqual(seen.filter(({ phase }) => phase === "downloading").at(-1), { phase: "downloading", bytes: nupkg.length, totalBytes: nupkg.length });
    assert.deepEqual(await readdir(dirname(folder)), [basename(folder)]);
    asked = [];
    assert.equal(await install(), folder);
    assert.deepEqual(asked, [], "what is there is not asked for again");
  });

  it("is found by a process that is started with it", async () => {
    assert.deepEqual(libraryEnvironment(environment), environment);
    const folder = await install();
    assert.equal(libraryEnvironment(environment)["LD_LIBRARY_PATH"], folder);
    assert.equal(libraryEnvironment({ ...environment, LD_LIBRARY_PATH: "/opt/cuda" })["LD_LIBRARY_PATH"], `${folder}:/opt/cuda`);
    await rm(join(folder, cudaLibraries[1]));
    assert.equal(installedCudaFolder(environment), undefined);
    assert.equal(await install(), folder, "a folder that lacks a file is made anew");
  });

  it("goes on where the connection broke", async () => {
    const half = nupkg.length >> 1;
    send = (request, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (start === 0) {
        response.writeHead(200, { "content-length": nupkg.length, etag: '"one"' });
        response.write(nupkg.subarray(0, half), () => setTimeout(() => response.destroy(), 20));
      } else response.writeHead(206, { "content-range": `bytes ${start}-${nupkg.length - 1}/${nupkg.length}` }).end(nupkg.subarray(start));
    };
    await install();
    assert.deepEqual(asked.filter((url) => url.startsWith("/flat")), ["/flat/package.nupkg", `/flat/package.nupkg bytes=${half}-`]);
  });

  it("refuses bytes that are not those of the hash", async () => {
    const wrong = Buffer.from(nupkg);
    wrong[100] ^= 1;
    send = (_request, response) => response.end(wrong);
    await assertRefused("download-failed", /SHA-512 .* other bytes/);
  });

  it("refuses a package without the libraries, and one that is no zip file", async () => {
    for (const [bytes, said] of [[Buffer.from(zipSync({ "LICENSE.txt": Buffer.from("MIT") })), /a file runtimes/], [Buffer.from("<html>log in</html>"), /zip file/]] as const) {
      entry = { packageHash: sha512(bytes), packageHashAlgorithm: "SHA512", packageSize: bytes.length };
      send = (_request, response) => response.end(bytes);
      await assertRefused(said.source.includes("zip") ? "bad-model" : "download-failed", said);
      await rm(`${cudaFolder(environment)}.partial`, { recursive: true });
    }
  });

  it("names what is wrong with the feed", async () => {
    entry = { packageSize: 3 };
    await assertRefused("download-failed", /NuGet feed of version 3 answers.*packageHash/);
    environment["PLUMBLINE_NUGET_FEED"] = `${origin}/missing/index.json`;
    await assertRefused("not-found", /404/);
    send = (_request, response) => response.writeHead(500).end();
    environment["PLUMBLINE_NUGET_FEED"] = `${origin}/v3/index.json`;
    entry = { packageHash: sha512(nupkg), packageHashAlgorithm: "SHA512", packageSize: nupkg.length };
    await assertRefused("download-failed", /answered 500/);
  });

  it("wants room on the disk before anything is downloaded", async () => {
    entry = { ...entry, packageSize: 2 ** 50 };
    await assertRefused("write-failed", /free space/);
    assert.ok(!asked.some((url) => url.startsWith("/flat")));
  });

  it("ends when it is cancelled, and goes on the next time", async () => {
    const abort = new AbortController();
    send = (_request, response) => {
      response.writeHead(200, { "content-length": nupkg.length });
      response.write(nupkg.subarray(0, 1000));
    };
    await assertRefused("cancelled", /cancelled/, { signal: abort.signal, onProgress: ({ phase }) => phase === "downloading" && abort.abort() });
    send = (_request, response) => response.end(nupkg);
    await install();
  });

  it("is not offered for systems that it does not exist for", () => {
    for (const system of ["linux-arm64", "darwin-arm64", "win32-x64"]) assert.equal(cudaFolder(environment, system), undefined);
  });
});
