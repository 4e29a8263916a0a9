import { createWriteStream } from "node:fs";
import { copyFile, mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { PlumblineError, unexpected } from "../core/errors";
import { writeFileAtomically } from "../io/atomicFile";
import { claim } from "../io/lock";
import { openZip } from "../io/zipFile";
import { cudaFolder, cudaLibraries, installedCudaFolder, onnxRuntimeVersion, runtimeLibrary } from "./cudaFolder";
import { downloadFile, incomplete, writing } from "./downloadFile";
import { Hub, type HubFile } from "./hubClient";
import { connectionFailure, failed, failureOf, PassingFailure } from "./hubErrors";
import type { Environment } from "./environment";
import { readHubSettings, type HubSettings } from "./hubSettings";
import { persist, requireUncancelled, usualPatience, type OnRetry, type Patience } from "./retry";
import { freeBytes } from "./storage";

// ONNX Runtime's CUDA provider is too large for its Node package, whose own install script (script/install-metadata.js)
// takes it from a NuGet package of the same version. So does this, with the hash that the feed states.
// NuGet's API: https://learn.microsoft.com/nuget/api/overview

const packageName = "Microsoft.ML.OnnxRuntime.Gpu.Linux";
const publicFeed = "https://api.nuget.org/v3/index.json";
const pathInPackage = "runtimes/linux-x64/native";

export type CudaProgress =
  | { readonly phase: "asking" }
  | { readonly phase: "downloading" | "verifying"; readonly bytes: number; readonly totalBytes: number }
  | { readonly phase: "unpacking"; readonly file: string }
  | { readonly phase: "waiting"; readonly reason: string; readonly waitMillis: number };

export interface CudaInstallOptions {
  /** ONNX Runtime's library of the Node package; a copy of it goes beside the provider. */
  readonly runtimePath: string;
  /** PLUMBLINE_NUGET_FEED names another feed (a mirror), by the address of its index; proxies as for models. */
  readonly environment?: Environment;
  readonly onProgress?: (progress: CudaProgress) => void;
  /** Ends the download; what came is kept, and the next one goes on with it. */
  readonly signal?: AbortSignal;
  readonly patience?: Patience;
}

/** A package as its feed describes it. */
interface FeedPackage {
  readonly url: string;
  readonly file: HubFile;
}

/**
 * Brings the CUDA provider: downloads the package, checks its SHA-512 and unpacks it; the folder gets its name, by one rename, when
 * all is there. Resolves to the folder, at once where it is there already.
 * Rejects with `unsupported` on other systems, `not-found`, `download-failed`, `write-failed` or `cancelled`, with nothing half-installed.
 */
export async function installCuda(options: CudaInstallOptions): Promise<string> {
  const { environment = process.env, signal } = options;
  const folder = cudaFolder(environment);
  if (folder === undefined) {
    throw new PlumblineError("unsupported", `Expected Linux on x64 for the CUDA provider but received ${process.platform} on ${process.arch}.`, "ONNX Runtime for Node has it there only. Windows uses DirectML, macOS CoreML; both are included.");
  }
  if (installedCudaFolder(environment)) return folder;
  const release = await claim(`${folder}.lock`);
  try {
    if (!installedCudaFolder(environment)) await install(folder, await readHubSettings(environment), options);
    return folder;
  } catch (error) {
    requireUncancelled(signal);
    throw error;
  } finally {
    await release();
  }
}

async function install(folder: string, settings: HubSettings, options: CudaInstallOptions): Promise<void> {
  const { runtimePath, environment = process.env, onProgress, signal, patience = usualPatience } = options;
  const partial = `${folder}.partial`;
  const packagePath = join(partial, "package.nupkg");
  const onRetry: OnRetry = (reason, waitMillis) => onProgress?.({ phase: "waiting", reason, waitMillis });
  onProgress?.({ phase: "asking" });
  const feed = environment["PLUMBLINE_NUGET_FEED"] || publicFeed;
  const { url, file } = await findPackage(feed, (address) => persist(() => readJson(settings, address, signal, patience), patience, signal, onRetry));
  await writing(partial, () => mkdir(partial, { recursive: true }));
  const there = await stat(incomplete(packagePath)).then(({ size }) => size, () => 0);
  await requireRoom(partial, file.bytes - there);
  // A feed keeps a package at one address, and takes no token of another service.
  const hub = new Hub({ endpoint: new URL(url).origin, offline: false, fetch: (_asked, init) => settings.fetch(url, init) }, patience.stallMillis);
  let bytes = 0;
  const tell = (phase: "downloading" | "verifying"): void => onProgress?.({ phase, bytes, totalBytes: file.bytes });
  await downloadFile({
    hub, repository: packageName, commit: onnxRuntimeVersion, file, path: packagePath, patience, signal, onRetry,
    onBytes: (count) => {
      bytes = count;
      tell("downloading");
    },
    onVerify: () => tell("verifying"),
  });
  await unpack(packagePath, partial, onProgress, signal);
  await writing(partial, () => copyFile(runtimePath, join(partial, runtimeLibrary)));
  await writeFileAtomically(join(partial, "plumbline.install.json"), JSON.stringify({ package: packageName, version: onnxRuntimeVersion, url, bytes: file.bytes, sha512: file.hash.hex }, undefined, 1));
  await writing(packagePath, () => rm(packagePath));
  requireUncancelled(signal);
  await writing(folder, async () => {
    await rm(folder, { recursive: true, force: true }); // one that lacks a file
    await rename(partial, folder);
  });
}

const index = z.object({ resources: z.array(z.object({ "@id": z.string(), "@type": z.string() })) });
const registration = z.object({ catalogEntry: z.string(), packageContent: z.string() });
const catalogEntry = z.object({ packageHash: z.string().regex(/^[A-Za-z0-9+/]{86}==$/), packageHashAlgorithm: z.literal("SHA512"), packageSize: z.number().int().positive() });

/** Asks a feed where the package is, how large it is, and for its hash. */
async function findPackage(feed: string, read: (url: string) => Promise<unknown>): Promise<FeedPackage> {
  const { resources } = parse(index, await read(feed), feed);
  // Later forms of the same service hold newer packages too.
  const service = resources.filter((resource) => resource["@type"].startsWith("RegistrationsBaseUrl")).sort((a, b) => b["@type"].localeCompare(a["@type"], "en", { numeric: true }))[0];
  if (!service) throw failed(`Expected a service "RegistrationsBaseUrl" in ${feed} but it lists none.`, "Correct PLUMBLINE_NUGET_FEED: it names the index.json of a NuGet feed of version 3.");
  const leafUrl = `${service["@id"].replace(/\/?$/, "/")}${packageName.toLowerCase()}/${onnxRuntimeVersion}.json`;
  const leaf = parse(registration, await read(leafUrl), leafUrl);
  const { packageHash, packageSize } = parse(catalogEntry, await read(leaf.catalogEntry), leaf.catalogEntry);
  return { url: leaf.packageContent, file: { path: `${packageName}.${onnxRuntimeVersion}.nupkg`, bytes: packageSize, hash: { kind: "sha512", hex: Buffer.from(packageHash, "base64").toString("hex") } } };
}

async function readJson({ fetch }: HubSettings, url: string, signal: AbortSignal | undefined, { stallMillis }: Patience): Promise<unknown> {
  const silence = AbortSignal.timeout(stallMillis);
  let text: string;
  try {
    const response = await fetch(url, { headers: { "user-agent": "plumbline" }, signal: signal ? AbortSignal.any([silence, signal]) : silence });
    if (response.status === 404) throw new PlumblineError("not-found", `Expected ${packageName} ${onnxRuntimeVersion} at ${url} but it is not there (404).`, "Where PLUMBLINE_NUGET_FEED names a mirror, add the package to it.");
    if (!response.ok) throw failureOf(response, { endpoint: new URL(url).origin, repository: packageName, revision: onnxRuntimeVersion, hasToken: false });
    text = await response.text();
  } catch (error) {
    throw error instanceof PassingFailure || error instanceof PlumblineError ? error : connectionFailure(url, error);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PlumblineError("download-failed", `Expected JSON from ${url} but received something else.`, "A log-in page of the network may be in the way.", { cause });
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown, url: string): T {
  const result = schema.safeParse(value);
  if (!result.success) throw failed(`Expected what a NuGet feed of version 3 answers from ${url} but received something else (${result.error.issues[0].path.join(".") || "no object"}).`, "Correct PLUMBLINE_NUGET_FEED, or unset it.");
  return result.data;
}

async function unpack(packagePath: string, folder: string, onProgress: CudaInstallOptions["onProgress"], signal: AbortSignal | undefined): Promise<void> {
  const zip = await openZip(packagePath);
  try {
    const entries = cudaLibraries.map((name) => {
      const entry = zip.entries.get(`${pathInPackage}/${name}`);
      if (!entry) throw unexpected("download-failed", packageName, `a file ${pathInPackage}/${name}`, "none");
      return { name, entry };
    });
    await requireRoom(folder, entries.reduce((sum, { entry }) => sum + entry.byteLength, 0));
    for (const { name, entry } of entries) {
      requireUncancelled(signal);
      onProgress?.({ phase: "unpacking", file: name });
      const path = join(folder, name);
      await writing(path, async () => pipeline(await entry.stream(), createWriteStream(path), { signal }));
    }
  } finally {
    await zip.close();
  }
}

async function requireRoom(folder: string, bytes: number): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || free > bytes + reserveBytes) return;
  throw new PlumblineError("write-failed", `Expected ${megabytes(bytes + reserveBytes)} of free space at ${folder} but there are ${megabytes(free)}.`, "Make room and start again, or set PLUMBLINE_HOME to a folder on another disk.");
}

/** For the copy of ONNX Runtime, and for what others write meanwhile. */
const reserveBytes = 200e6;

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
