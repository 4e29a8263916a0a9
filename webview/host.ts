import type { FromWebview, PanelState, ToWebview } from "../src/protocol/panel";

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
  const report = (reason: unknown): void => {
    const message = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
    api.postMessage({ type: "error", message });
  };
  window.addEventListener("error", (event) => {
    // Browsers report a harmless, self-healing condition of layout observers this way.
    if (!event.message.startsWith("ResizeObserver loop")) report(event.error ?? event.message);
  });
  window.addEventListener("unhandledrejection", (event) => report(event.reason));
  window.addEventListener("message", (event: MessageEvent<ToWebview>) => receive(event.data));
  return {
    post: (message) => api.postMessage(message),
    saved: () => api.getState(),
    save(state) {
      api.setState(state);
      api.postMessage({ type: "state", state });
    },
  };
}
