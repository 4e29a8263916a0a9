import { ipcChannel } from "../src/protocol/ipcChannel";
import type { FromWebview, PanelState, ToWebview } from "../src/protocol/panel";
import { tellErrors } from "./pageErrors";

interface VsCodeApi {
  postMessage(message: FromWebview): void;
  getState(): PanelState | undefined;
  setState(state: PanelState): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** The way to the extension host: typed messages, and the state that VS Code keeps for a hidden panel. */
export interface Host {
  post(message: FromWebview): void;
  saved(): PanelState | undefined;
  save(state: PanelState): void;
}

/** Connects to the extension host; may be called once. Errors of the page are told to the host. */
export function connectHost(receive: (message: ToWebview) => void): Host {
  const api = acquireVsCodeApi();
  tellErrors((message) => api.postMessage({ type: "error", message }));
  listen(receive);
  return {
    post: (message) => api.postMessage(message),
    saved: () => api.getState(),
    save(state) {
      api.setState(state);
      api.postMessage({ type: "state", state });
    },
  };
}

/** Messages come as they are, or with their arrays in pieces; of these nothing counts before `init`: it was meant for the page before this one. */
function listen(receive: (message: ToWebview) => void): void {
  let begun = false;
  const pieces = ipcChannel({
    send: () => false,
    onMessage: (listener) => window.addEventListener("message", (event) => listener(event.data)),
    onClose: () => undefined,
    close: () => undefined,
  });
  pieces.onMessage((message) => {
    const { type } = message as ToWebview;
    begun ||= type === "init";
    if (begun) receive(message as ToWebview);
  });
  window.addEventListener("message", (event: MessageEvent<Partial<ToWebview>>) => {
    if (event.data.type !== undefined) receive(event.data as ToWebview);
  });
}
