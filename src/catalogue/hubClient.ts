import { z } from "zod";
import { PlumblineError } from "../core/errors";
import { connectionFailure, failed, failureOf, offline, PassingFailure, stall, type Asked } from "./hubErrors";
import type { HubResponse, HubSettings } from "./hubSettings";

/** What a file's bytes must hash to: large files are known by their SHA-256, small ones by the SHA-1 of their git object. */
export type FileHash = { readonly kind: "sha256" | "sha512" | "git-sha1"; readonly hex: string };

/** A file of a repository at one commit. */
export interface HubFile {
  /** Inside the repository, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly hash: FileHash;
}

/** A repository at one commit. */
export interface Listing {
  readonly repository: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
  /** As its card states it; absent where it states none. */
  readonly licence?: string;
  /** Its terms have to be accepted on its page before files can be read. */
  readonly gated: boolean;
}

/** The bytes of a file from `start` on. */
export interface HubBytes {
  readonly start: number;
  /** Tells the server in a later request which version the first bytes were of. */
  readonly etag?: string;
  readonly chunks: AsyncIterable<Uint8Array>;
}

const answer = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  gated: z.union([z.boolean(), z.string()]).nullish(),
  cardData: z.object({ license: z.unknown(), license_name: z.unknown() }).partial().nullish(),
  siblings: z.array(z.object({
    rfilename: z.string(),
    size: z.number().int().nonnegative().optional(),
    blobId: z.string().regex(/^[0-9a-f]{40}$/).optional(),
    lfs: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().int().nonnegative() }).nullish(),
  })),
});

/** Reads from the hub's HTTP API; a connection over which nothing comes for `stallMillis` has failed. */
export class Hub {
  constructor(readonly settings: HubSettings, private readonly stallMillis: number) {}

  /** What a repository holds at a branch, tag or commit. Throws `PassingFailure`, or a PlumblineError where trying again is of no use. */
  async list(repository: string, revision: string, signal?: AbortSignal): Promise<Listing> {
    const asked = this.asked(repository, revision);
    const url = `${asked.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
    const connection = this.connect(url, signal);
    try {
      const text = await (await this.request(url, {}, asked, connection)).text();
      return listingOf(text, repository, asked.endpoint);
    } catch (error) {
      throw connection.failure(error);
    } finally {
      connection.close();
    }
  }

  /** Opens a file at a commit, from a byte on; `etag` is what the first bytes came with. Throws as `list` does, while bytes are read too. */
  async open(repository: string, commit: string, path: string, from: { readonly start: number; readonly etag?: string }, signal?: AbortSignal): Promise<HubBytes> {
    const asked = { ...this.asked(repository, commit), path };
    const url = `${asked.endpoint}/${repository}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
    const range = from.start > 0 ? { range: `bytes=${from.start}-`, ...(from.etag !== undefined && { "if-range": from.etag }) } : {};
    const connection = this.connect(url, signal);
    try {
      const response = await this.request(url, range, asked, connection);
      const etag = response.headers.get("etag") ?? "";
      return {
        start: startOf(response, from.start),
        ...(/^"/.test(etag) && { etag }), // a weak one cannot be told in If-Range
        chunks: connection.watch(response),
      };
    } catch (error) {
      connection.close();
      throw connection.failure(error);
    }
  }

  private asked(repository: string, revision: string): Asked {
    const { endpoint, token, offline: isOffline } = this.settings;
    if (isOffline) throw offline(repository);
    return { endpoint, repository, revision, hasToken: token !== undefined };
  }

  private async request(url: string, headers: Record<string, string>, asked: Asked, { signal }: Connection): Promise<HubResponse> {
    const { token, fetch } = this.settings;
    // Compressed bytes could not be counted or continued.
    const response = await fetch(url, { headers: { ...headers, "accept-encoding": "identity", "user-agent": "plumbline", ...(token !== undefined && { authorization: `Bearer ${token}` }) }, signal });
    if (response.ok) return response;
    await response.body?.cancel();
    throw failureOf(response, asked);
  }

  private connect(url: string, signal: AbortSignal | undefined): Connection {
    return new Connection(url, this.stallMillis, signal);
  }
}

/** One request, given up when nothing comes for too long or when the caller cancels. */
class Connection {
  private readonly silence = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  readonly signal: AbortSignal;

  constructor(private readonly url: string, private readonly stallMillis: number, cancelled: AbortSignal | undefined) {
    this.listen();
    this.signal = cancelled ? AbortSignal.any([this.silence.signal, cancelled]) : this.silence.signal;
  }

  async *watch({ body }: HubResponse): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body ?? []) {
        // What the reader does with it, writing to a slow disk, is no silence of the server.
        this.close();
        yield chunk;
        this.listen();
      }
    } catch (error) {
      throw this.failure(error);
    } finally {
      this.close();
    }
  }

  failure(error: unknown): unknown {
    if (this.silence.signal.aborted) return stall(this.url, this.stallMillis);
    if (error instanceof PassingFailure || error instanceof PlumblineError) return error;
    return connectionFailure(this.url, error);
  }

  /** Stops waiting for the server. */
  close(): void {
    clearTimeout(this.timer);
  }

  private listen(): void {
    this.timer = setTimeout(() => this.silence.abort(), this.stallMillis);
  }
}

/** Where the answer to a request for bytes from `asked` on begins: a server may send everything instead. */
function startOf({ status, headers }: HubResponse, asked: number): number {
  if (status !== 206) return 0;
  const start = Number(/^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1]);
  if (start !== asked) throw new PassingFailure(failed(`Expected bytes from ${asked} on but received ${headers.get("content-range") ?? "no range"}.`, "Try again; a mirror or proxy answers requests for a part of a file wrongly."), undefined, true);
  return start;
}

function listingOf(text: string, repository: string, endpoint: string): Listing {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = text;
  }
  const result = answer.safeParse(value);
  if (!result.success) {
    throw failed(`Expected the hub's list of files of ${repository} from ${endpoint} but received something else.`, "A log-in page of the network may be in the way; HF_ENDPOINT must name a server that speaks the hub's API.");
  }
  const { sha, gated, cardData, siblings } = result.data;
  const words = [cardData?.license_name, cardData?.license].flat().filter((word): word is string => typeof word === "string" && word !== "other");
  return {
    repository,
    commit: sha,
    files: siblings.flatMap(({ rfilename: path, size, blobId, lfs }) => (isSafe(path) ? fileOf(path, lfs ? { bytes: lfs.size, sha256: lfs.sha256 } : undefined, size, blobId) : [])),
    ...(words.length > 0 && { licence: words[0] }),
    gated: gated !== undefined && gated !== null && gated !== false,
  };
}

/** Nothing for a file without size and hash: it could not be checked, so it is not offered. */
function fileOf(path: string, large: { bytes: number; sha256: string } | undefined, size: number | undefined, blobId: string | undefined): HubFile[] {
  if (large) return [{ path, bytes: large.bytes, hash: { kind: "sha256", hex: large.sha256 } }];
  return size !== undefined && blobId !== undefined ? [{ path, bytes: size, hash: { kind: "git-sha1", hex: blobId } }] : [];
}

/** A name that stays inside the folder on every system. */
function isSafe(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..") && !/[\\:\0]/.test(path);
}
