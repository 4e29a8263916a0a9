import { unzipSync } from "fflate";
import { PlumblineError, unexpected } from "../core/errors";
import type { Tensor } from "../core/tensor";
import { parseNpy } from "./npy";

/** Names of the arrays of an .npz, in the order of the file. Throws `bad-image` for a damaged zip. */
export function npzNames(bytes: Uint8Array, path: string): readonly string[] {
  const names: string[] = [];
  unzip(bytes, path, (name) => (names.push(name.replace(/\.npy$/, "")), false));
  return names;
}

/**
 * One array of an .npz (a zip of .npy files, as numpy.savez and savez_compressed write it). `entry` is its name; it may be
 * left out when there is only one. Throws `bad-image` for a damaged zip or a name that is not there, `bad-tensor` for a damaged array.
 */
export function parseNpz(bytes: Uint8Array, path: string, entry?: string): Tensor {
  const names: string[] = [];
  const file = entry === undefined ? undefined : `${entry}.npy`;
  const arrays = unzip(bytes, path, (name) => (names.push(name), (file === undefined && names.length === 1) || name === file));
  const listed = names.map((name) => name.replace(/\.npy$/, "")).join(", ");
  if (file === undefined && names.length !== 1) throw unexpected("bad-image", path, "one array, or the name of one", names.length === 0 ? "none" : `the arrays ${listed}`, "Name the array.");
  const chosen = arrays[file ?? names[0]];
  if (!chosen) throw unexpected("bad-image", path, `an array "${entry}"`, `the arrays ${listed}`, "Name one of them.");
  return parseNpy(chosen, `${path} (${file ?? names[0]})`);
}

function unzip(bytes: Uint8Array, path: string, wants: (name: string) => boolean): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes, { filter: ({ name }) => wants(name) });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError("bad-image", `Expected a complete .npz for ${path} but received a damaged one (${reason}).`, "Write it again with numpy.savez.", { cause });
  }
}
