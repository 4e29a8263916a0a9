import { z } from "zod";

const record = z.object({
  version: z.literal(1),
  repository: z.string(),
  revision: z.string(),
  commit: z.string(),
  licence: z.string().optional(),
  files: z.array(z.object({
    path: z.string(),
    bytes: z.number().int().nonnegative(),
    hash: z.object({ kind: z.enum(["sha256", "sha512", "git-sha1"]), hex: z.string() }),
  })).readonly(),
});

/** What was downloaded, and from where. */
export type InstallRecord = Readonly<z.infer<typeof record>>;

/** The record in a file; undefined for a damaged one. */
export function parseInstallRecord(bytes: Uint8Array): InstallRecord | undefined {
  try {
    return record.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}
