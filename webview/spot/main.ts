import type { FromSpotPage, SpotPageState, ToSpotPage } from "../../src/protocol/spotCheck";
import { SpotPage } from "./page";
import "./spot.css";

interface VsCodeApi {
  postMessage(message: FromSpotPage): void;
  setState(state: SpotPageState): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** Connects the page to the extension host; errors of the page are told to it. */
function start(): void {
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
  const page = new SpotPage((message) => api.postMessage(message), (folder) => api.setState({ version: 1, folder }));
  document.body.append(page.element);
  window.addEventListener("message", (event: MessageEvent<ToSpotPage>) => page.receive(event.data));
  api.postMessage({ type: "ready" });
}

start();
