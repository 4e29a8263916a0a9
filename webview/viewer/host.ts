import { ipcChannel } from "../../src/protocol/ipcChannel";
import type { FromViewer, ToViewer } from "../../src/protocol/viewer";
import type { NormalsFrame } from "../../src/core/semantics";
import type { Reading } from "./kinds";
import { tellErrors } from "../pageErrors";

/** What VS Code keeps for a hidden viewer. */
export interface ViewerState {
  /** The user's choice; guessed when absent. */
  readonly reading?: Reading;
  readonly colormap?: string;
  readonly rangePercentiles: readonly [number, number];
  /** Normals are shown in their own frame when absent. */
  readonly frame?: NormalsFrame;
  readonly entry?: string;
}

interface VsCodeApi {
  postMessage(message: FromViewer): void;
  getState(): ViewerState | undefined;
  setState(state: ViewerState): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** The way to the extension host; may be called once. Errors of the page are told to the host. */
export function connectViewer(receive: (message: ToViewer) => void): VsCodeApi {
  const api = acquireVsCodeApi();
  tellErrors((message) => api.postMessage({ type: "error", message }));
  const pieces = ipcChannel({
    send: () => false,
    onMessage: (listener) => window.addEventListener("message", (event) => listener(event.data)),
    onClose: () => undefined,
    close: () => undefined,
  });
  // Before `init` comes what was meant for the page before this one.
  let begun = false;
  pieces.onMessage((message) => {
    begun ||= (message as ToViewer).type === "init";
    if (begun) receive(message as ToViewer);
  });
  window.addEventListener("message", (event: MessageEvent<Partial<ToViewer>>) => {
    if (event.data.type !== undefined) receive(event.data as ToViewer);
  });
  return api;
}
