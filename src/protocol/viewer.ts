import type { FloatFile } from "./inference";

/** From the host to the page that shows one file of floats. After `init` comes `floats` or `failed`, and again whenever the file changes. */
export type ToViewer =
  | { readonly type: "init"; readonly name: string; readonly colormap: string }
  | { readonly type: "reading" }
  | { readonly type: "floats"; readonly file: FloatFile }
  | { readonly type: "failed"; readonly message: string; readonly remedy: string };

export type FromViewer =
  /** `entry`: the array of an .npz that the page showed before it was hidden. */
  | { readonly type: "ready"; readonly entry?: string }
  /** Show another array of the .npz. */
  | { readonly type: "entry"; readonly entry: string }
  | { readonly type: "again" }
  | { readonly type: "showLog" }
  | { readonly type: "error"; readonly message: string };
