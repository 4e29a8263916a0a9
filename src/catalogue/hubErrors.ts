import { PlumblineError } from "../core/errors";
import type { HubResponse } from "./hubSettings";

/** What may be gone the next time. `explained` is what a person is told when it is not. */
export class PassingFailure extends Error {
  constructor(
    readonly explained: PlumblineError,
    /** The server's own wish, in milliseconds. */
    readonly waitMillis?: number,
    /** What is there of the file cannot be continued. */
    readonly startsOver = false,
  ) {
    super(explained.message, { cause: explained });
  }
}

/** What was asked for, in the words of a message, and where. */
export interface Asked {
  readonly endpoint: string;
  readonly repository: string;
  readonly revision: string;
  /** Of a file; absent for the listing. */
  readonly path?: string;
  readonly hasToken: boolean;
}

/** The failure that a response with a status other than 2xx stands for: to be tried again, or not. */
export function failureOf(response: HubResponse, asked: Asked, now = Date.now()): PassingFailure | PlumblineError {
  const { status } = response;
  const says = `${hostOf(response.url || asked.endpoint)} answered ${status} for ${asked.path ?? "the list of files"} of ${asked.repository}`;
  if (status === 416) return new PassingFailure(failed(`${says}: it cannot send the rest of the file.`, "Try again; remove what is there of the model if it keeps failing."), undefined, true);
  if (status === 429) return new PassingFailure(failed(`${says}: too many requests.`, `Wait some minutes and try again${asked.hasToken ? "" : "; with a token in HF_TOKEN the hub allows more"}.`), waitOf(response, now));
  if (status >= 500 || status === 408 || status === 425) return new PassingFailure(failed(`${says}: the server has a problem of its own.`, "Try again later: the download goes on where it stopped."), waitOf(response, now));
  // Beyond the endpoint a signed address was refused; it runs out after a while, and the endpoint gives a new one.
  if (isElsewhere(response, asked)) return new PassingFailure(failed(`${says}: the address that the hub gave was refused.`, "Try again; if it keeps failing, a proxy or firewall may block that server."));
  if (status === 401 || status === 403) return refusal(response, asked);
  if (status === 404) return missing(response, asked);
  return failed(`${says}.`, "Check HF_ENDPOINT and the name of the repository.");
}

/** The failure of a connection that could not be made or broke. */
export function connectionFailure(url: string, cause: unknown): PassingFailure | PlumblineError {
  const reason = reasonOf(cause);
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS/.test(reason.code)) {
    return new PlumblineError("download-failed", `Could not trust ${hostOf(url)}: ${reason.message}`, "Where a company's proxy opens encrypted connections, name its certificate in NODE_EXTRA_CA_CERTS.", { cause });
  }
  return new PassingFailure(new PlumblineError("download-failed", `Could not read from ${hostOf(url)}: ${reason.message}`, "Check the connection; set HTTPS_PROXY behind a proxy, HF_ENDPOINT for a mirror. The download goes on where it stopped.", { cause }));
}

/** The failure of a connection over which nothing came for `millis`. */
export function stall(url: string, millis: number): PassingFailure {
  return new PassingFailure(failed(`Received nothing from ${hostOf(url)} for ${millis / 1000} s.`, "Check the connection and try again: the download goes on where it stopped."));
}

export function offline(repository: string): PlumblineError {
  return failed(`Expected ${repository} to be here already but it is not, and HF_HUB_OFFLINE forbids to ask the network for it.`, "Unset HF_HUB_OFFLINE, or add a folder that holds the model.");
}

export function failed(message: string, remedy: string): PlumblineError {
  return new PlumblineError("download-failed", message, remedy);
}

function refusal(response: HubResponse, { endpoint, repository, hasToken }: Asked): PlumblineError {
  const page = `${endpoint}/${repository}`;
  const code = response.headers.get("x-error-code");
  if (code === "GatedRepo" || (response.status === 403 && hasToken)) {
    const how = hasToken ? "with the account of the token" : "and set HF_TOKEN to a token of your account (or log in with: hf auth login)";
    return new PlumblineError("not-permitted", `${repository} is gated: its authors want its terms accepted first (${response.status}).`, `Accept them at ${page} ${how}, then try again.`);
  }
  if (hasToken) return new PlumblineError("not-permitted", `The token was refused for ${repository} (${response.status}).`, "It may have run out, may not read this repository, or the name may be wrong: see https://huggingface.co/settings/tokens and HF_TOKEN.");
  return new PlumblineError("not-permitted", `${repository} does not exist, or is private or gated (${response.status}).`, `Check the spelling at ${page}; if it is right, set HF_TOKEN to a token of an account that may read it.`);
}

function missing(response: HubResponse, { endpoint, repository, revision, path }: Asked): PlumblineError {
  const code = response.headers.get("x-error-code");
  if (path !== undefined && code !== "RepoNotFound") return new PlumblineError("not-found", `Expected ${path} in ${repository} at ${revision} but it is not there (404).`, `Look at ${endpoint}/${repository}/tree/${revision}.`);
  if (code === "RevisionNotFound") return new PlumblineError("not-found", `Expected a branch, tag or commit of ${repository} for the revision but received "${revision}" (404).`, "Leave out the revision for the newest.");
  return new PlumblineError("not-found", `Expected a repository of ${hostOf(endpoint)} for the model but received "${repository}" (404).`, `Check the spelling of ${endpoint}/${repository}.`);
}

/** Retry-After in milliseconds: seconds, or a date. */
function waitOf(response: HubResponse, now: number): number | undefined {
  const text = response.headers.get("retry-after")?.trim();
  if (!text) return undefined;
  const millis = /^\d+(\.\d+)?$/.test(text) ? 1000 * Number(text) : Date.parse(text) - now;
  return Number.isFinite(millis) ? Math.max(0, millis) : undefined;
}

function isElsewhere({ url }: HubResponse, { endpoint }: Asked): boolean {
  return URL.canParse(url) && new URL(url).origin !== new URL(endpoint).origin;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** fetch hides the reason in `cause`, sometimes twice. */
function reasonOf(error: unknown): { readonly code: string; readonly message: string } {
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause;
  const code = innermost instanceof Error && "code" in innermost ? String(innermost.code) : "";
  const message = innermost instanceof Error ? innermost.message || innermost.name : String(innermost);
  return { code, message: `${message || code || "the connection broke"}.`.replace(/\.\.$/, ".") };
}
