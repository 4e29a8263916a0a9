import type { FromSpotPage, SpotPageState, ToSpotPage } from "../../src/protocol/spotCheck";
import { SpotPage } from "./page";
import { tellErrors } from "../pageErrors";
import "./spot.css";

interface VsCodeApi {
  postMessage(message: FromSpotPage): void;
  setState(state: SpotPageState): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** Connects the page to the extension host; errors of the page are told to it. */
function start(): void {
  const api = acquireVsCodeApi();
  tellErrors((message) => api.postMessage({ type: "error", message }));
  const page = new SpotPage((message) => api.postMessage(message), (folder) => api.setState({ version: 1, folder }));
  document.body.append(page.element);
  window.addEventListener("message", (event: MessageEvent<ToSpotPage>) => page.receive(event.data));
  api.postMessage({ type: "ready" });
}

start();
