import type { Semantics, Task } from "../core/semantics";
import type { Device, NoiseChoice, RunSettings } from "../core/settings";
import { formatVersion, sha256Of } from "./runFiles";

/** Everything that the numbers of a run depend on: contents, never paths. All hashes are SHA-256, hexadecimal. */
export interface RunIdentity {
  readonly imageSha256: string;
  /** By path relative to the model folder. */
  readonly modelFiles: Readonly<Record<string, string>>;
  readonly semantics: Semantics;
  readonly endToEnd: boolean;
  readonly task: Task;
  readonly settings: RunSettings;
  /** Of the noise file, where the settings name one. */
  readonly noiseSha256?: string;
  readonly device: Device;
  /** Versions of what computes, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** The name of a run in the cache: a hash of its identity, 64 hexadecimal digits. Equal identities have equal keys. */
export function runKeyOf({ settings: { domain, decoder, ...settings }, noiseSha256, ...identity }: RunIdentity): string {
  const noise: NoiseChoice | { readonly sha256?: string } = settings.noise.kind === "file" ? { sha256: noiseSha256 } : { kind: settings.noise.kind };
  // What is absent by default counts as absent where it is stated, so that older runs keep their names.
  const stated = { ...(domain !== undefined && domain !== "indoor" && { domain }), ...(decoder === "tiny" && { decoder }) };
  return sha256Of(canonicalJson({ formatVersion, ...identity, settings: { ...settings, ...stated, noise } }));
}

/** JSON with the keys of every object in order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}
