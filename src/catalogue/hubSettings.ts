import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import { expand, huggingFaceHome, type Environment } from "./environment";

/** What of a response is used; that of Node's fetch and that of undici both have it. */
export interface HubResponse {
  readonly ok: boolean;
  readonly status: number;
  /** After redirects. */
  readonly url: string;
  readonly headers: { get(name: string): string | null };
  readonly body: (AsyncIterable<Uint8Array> & { cancel(): Promise<void> }) | null;
  text(): Promise<string>;
}

export type HubFetch = (url: string, init: { readonly headers: Record<string, string>; readonly signal: AbortSignal }) => Promise<HubResponse>;

/** How the Hugging Face hub is reached. */
export interface HubSettings {
  /** Origin of the hub or of a mirror, without a slash at its end. */
  readonly endpoint: string;
  /** Sent to the endpoint only, never to where it redirects. */
  readonly token?: string;
  /** Nothing may be asked of the network. */
  readonly offline: boolean;
  readonly fetch: HubFetch;
}

const publicEndpoint = "https://huggingface.co";

/**
 * What the environment says, in the names that Hugging Face's own programs use: HF_ENDPOINT, HF_TOKEN (else the file that their log-in
 * writes), HF_HUB_OFFLINE; and HTTPS_PROXY, HTTP_PROXY, NO_PROXY. Throws `bad-argument` for an endpoint that is no address.
 */
export async function readHubSettings(environment: Environment = process.env): Promise<HubSettings> {
  const endpoint = (environment["HF_ENDPOINT"] || publicEndpoint).replace(/\/+$/, "");
  if (!/^https?:$/.test(URL.canParse(endpoint) ? new URL(endpoint).protocol : "")) {
    throw new PlumblineError("bad-argument", `Expected an address that begins with https:// for HF_ENDPOINT but received "${endpoint}".`, "Correct the variable, or unset it to use huggingface.co.");
  }
  return { endpoint, token: await readToken(environment), offline: isOn(environment["HF_HUB_OFFLINE"]), fetch: await chooseFetch(environment) };
}

async function readToken(environment: Environment): Promise<string | undefined> {
  const stated = environment["HF_TOKEN"] || environment["HUGGING_FACE_HUB_TOKEN"];
  if (stated) return stated.trim();
  if (isOn(environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"])) return undefined;
  const path = environment["HF_TOKEN_PATH"] ? expand(environment["HF_TOKEN_PATH"], environment) : join(huggingFaceHome(environment), "token");
  const stored = await readFile(path, "utf8").catch(() => "");
  return stored.trim() || undefined;
}

/**
 * Node's own fetch, which VS Code replaces by one that knows the editor's proxy settings; it ignores the proxies of the environment,
 * so where one is named undici's takes its place.
 */
async function chooseFetch(environment: Environment): Promise<HubFetch> {
  const value = (name: string): string | undefined => environment[name.toLowerCase()] || environment[name] || undefined;
  const proxies = new Map([["http:", value("HTTP_PROXY")], ["https:", value("HTTPS_PROXY") ?? value("HTTP_PROXY")]]);
  if (![...proxies.values()].some((proxy) => proxy !== undefined)) return async (url, init) => fetch(url, init) as Promise<HubResponse>;
  const { Agent, Pool, ProxyAgent, fetch: proxiedFetch } = await import("undici");
  const excepted = (value("NO_PROXY") ?? "").split(/[\s,]+/).filter((entry) => entry !== "");
  const dispatcher = new Agent({
    factory: (origin, options: object) => {
      const proxy = proxies.get(new URL(origin).protocol);
      return proxy === undefined || excepted.some((entry) => isExcepted(new URL(origin), entry)) ? new Pool(origin, options) : new ProxyAgent(proxy);
    },
  });
  return async (url, init) => proxiedFetch(url, { ...init, dispatcher });
}

/** True where an entry of NO_PROXY (`*`, a host, a domain with or without a leading dot or `*.`, any of them with a port) names a server. */
export function isExcepted({ hostname, port, protocol }: URL, entry: string): boolean {
  if (entry === "*") return true;
  const [, domain, statedPort] = /^(?:\*?\.)?(.+?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
  if (domain === undefined || (statedPort !== undefined && statedPort !== (port || (protocol === "https:" ? "443" : "80")))) return false;
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

function isOn(value: string | undefined): boolean {
  return /^(1|true|yes|on)$/i.test(value ?? "");
}
