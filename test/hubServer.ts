import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/*
 * A server that speaks the part of the hub's HTTP API that is used: the list of files of a revision, small files from the hub itself, large
 * ones by a redirect to another server. Anything can be made to go wrong, request by request.
 */

export interface Repository {
  readonly commit: string;
  readonly licence?: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Needs a token, and that its terms were accepted. */
  readonly gated?: boolean;
  readonly branches?: readonly string[];
}

/** What goes wrong with one request. `after` counts bytes of the body. A connection that breaks at once, not late, takes bytes with it that were not read yet. */
export type Fault =
  | { readonly kind: "stall" | "truncate"; readonly after: number }
  | { readonly kind: "drop"; readonly after: number; readonly lateMillis?: number }
  | { readonly kind: "corrupt" | "whole" | "surplus" | "login-page" | "wrong-range" }
  | { readonly kind: "slow"; readonly chunk: number; readonly everyMillis: number }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> };

export interface HubRequest {
  readonly kind: "list" | "resolve" | "cdn";
  readonly repository: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly status: number;
}

export interface HubServer {
  /** For HF_ENDPOINT. */
  readonly endpoint: string;
  readonly cdn: string;
  readonly repositories: Record<string, Repository>;
  /** Every request, in the order in which they came. */
  readonly requests: HubRequest[];
  fault: (request: Pick<HubRequest, "kind" | "path">) => Fault | undefined;
  close(): Promise<void>;
}

/** Files from this size on are served from the other server, with their SHA-256. */
const largeBytes = 1000;

export const hubToken = "hf_goodToken";

export async function startHub(repositories: Record<string, Repository>): Promise<HubServer> {
  const [hub, cdn] = [createServer(), createServer()];
  await Promise.all([hub, cdn].map((server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))));
  const state: HubServer = {
    endpoint: addressOf(hub), cdn: addressOf(cdn), repositories, requests: [],
    fault: () => undefined,
    close: async () => {
      await Promise.all([hub, cdn].map((server) => new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      })));
    },
  };
  hub.on("request", (request, response) => answerHub(state, request, response));
  cdn.on("request", (request, response) => answerCdn(state, request, response));
  return state;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function gitSha1(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

function answerHub(hub: HubServer, request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent((request.url ?? "").replace(/\?.*/, ""));
  const [, listed, revision] = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path) ?? [];
  const [, resolved, , file] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? [];
  const kind = listed === undefined ? "resolve" : "list";
  const name = listed ?? resolved ?? "";
  const done = (status: number): void => void hub.requests.push({ kind, repository: name, path: file ?? "", headers: request.headers, status });
  const refuse = (status: number, code: string): void => {
    done(status);
    response.writeHead(status, { "x-error-code": code, "content-type": "application/json" }).end(JSON.stringify({ error: code }));
  };
  const fault = hub.fault({ kind, path: file ?? "" });
  if (fault?.kind === "status") {
    done(fault.status);
    return void response.writeHead(fault.status, fault.headers).end("{}");
  }
  const token = request.headers.authorization?.replace("Bearer ", "");
  if (token !== undefined && token !== hubToken) return refuse(401, "Unauthorized");
  const repository = hub.repositories[name];
  // The real hub, too, does not tell an anonymous caller whether a repository is private or does not exist.
  if (!repository) return refuse(token === undefined ? 401 : 404, "RepoNotFound");
  if (listed !== undefined) {
    if (![repository.commit, "main", ...(repository.branches ?? [])].includes(revision)) return refuse(404, "RevisionNotFound");
    const list = Buffer.from(fault?.kind === "login-page" ? "<html>Log in</html>" : JSON.stringify(listingOf(name, repository)));
    done(200);
    return send(response, 200, list, {}, fault);
  }
  if (repository.gated && token === undefined) return refuse(401, "GatedRepo");
  const bytes = repository.files[file ?? ""];
  if (bytes === undefined) return refuse(404, "EntryNotFound");
  const commit = { "x-repo-commit": repository.commit };
  if (bytes.length < largeBytes) {
    const status = sendFile(request, response, bytes, `"${gitSha1(bytes)}"`, commit, fault);
    return done(status);
  }
  done(302);
  response.writeHead(302, { ...commit, "x-linked-size": bytes.length, "x-linked-etag": `"${sha256(bytes)}"`, location: `${hub.cdn}/${name}/${encodeURI(file ?? "")}?signature=${hub.requests.length}` }).end();
}

function answerCdn(hub: HubServer, request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent((request.url ?? "").replace(/\?.*/, ""));
  const [, name, file] = /^\/([^/]+\/[^/]+)\/(.+)$/.exec(path) ?? [];
  const bytes = hub.repositories[name ?? ""]?.files[file ?? ""];
  const done = (status: number): void => void hub.requests.push({ kind: "cdn", repository: name ?? "", path: file ?? "", headers: request.headers, status });
  const fault = hub.fault({ kind: "cdn", path: file ?? "" });
  if (fault?.kind === "status" || bytes === undefined) {
    const status = fault?.kind === "status" ? fault.status : 404;
    done(status);
    return void response.writeHead(status, fault?.kind === "status" ? fault.headers : {}).end();
  }
  done(sendFile(request, response, bytes, `"${createHash("md5").update(bytes).digest("hex")}"`, {}, fault));
}

/** A file or the rest of it, as Range and If-Range ask. Returns the status. */
function sendFile(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, etag: string, headers: Record<string, string>, fault: Fault | undefined): number {
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1];
  const same = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
  const start = asked === undefined || !same || fault?.kind === "whole" ? 0 : Number(asked);
  if (start >= bytes.length && start > 0) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    return 416;
  }
  const status = start > 0 ? 206 : 200;
  const first = fault?.kind === "wrong-range" ? Math.max(0, start - 1) : start;
  const range: Record<string, string> = status === 206 ? { "content-range": `bytes ${first}-${bytes.length - 1}/${bytes.length}` } : {};
  send(response, status, bytes.subarray(first), { etag, "accept-ranges": "bytes", ...headers, ...range }, fault);
  return status;
}

/** Sends a body in small pieces, with what is to go wrong. */
function send(response: ServerResponse, status: number, whole: Uint8Array, headers: Record<string, string>, fault: Fault | undefined): void {
  let body = Buffer.from(whole);
  if (fault?.kind === "corrupt" && body.length > 0) body[Math.floor(body.length / 2)] ^= 0x10;
  if (fault?.kind === "surplus") body = Buffer.concat([body, Buffer.from("more")]);
  // A truncated body ends as if it were complete: there is no length that would give it away.
  const length = fault?.kind === "truncate" ? {} : { "content-length": body.length };
  response.writeHead(status, { ...headers, ...length });
  if (fault?.kind === "slow") return drip(response, body, fault);
  const cut = fault && "after" in fault ? Math.min(fault.after, body.length) : body.length;
  response.flushHeaders();
  const finish = (): void => {
    if (fault?.kind === "drop") response.destroy();
    else if (fault?.kind !== "stall") response.end();
  };
  if (cut > 0) response.write(body.subarray(0, cut), () => setTimeout(finish, (fault?.kind === "drop" && fault.lateMillis) || 0));
  else finish();
}

function drip(response: ServerResponse, body: Buffer, { chunk, everyMillis }: { readonly chunk: number; readonly everyMillis: number }): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at >= body.length || response.destroyed) {
      clearInterval(timer);
      response.end();
      return;
    }
    response.write(body.subarray(at, (at += chunk)));
  }, everyMillis);
}

function listingOf(name: string, { commit, licence, files, gated }: Repository): object {
  return {
    id: name, sha: commit, gated: gated ? "manual" : false, private: false,
    cardData: licence === undefined ? {} : { license: licence },
    siblings: Object.entries(files).map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      // Of a large file git holds a pointer only.
      blobId: gitSha1(bytes.length >= largeBytes ? Buffer.from(`oid sha256:${sha256(bytes)}`) : bytes),
      ...(bytes.length >= largeBytes && { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 130 } }),
    })),
  };
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
