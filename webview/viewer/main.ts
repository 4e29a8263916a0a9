import "../panel.css";
import "./viewer.css";
import { el } from "../dom";
import { Painter } from "../gl/painter";
import { connectViewer } from "./host";
import { Viewer } from "./viewer";

/** Starts the viewer, or says why it cannot be shown. */
function start(): void {
  const body = document.body;
  try {
    const painter = new Painter(() => viewer.repaint());
    const host = connectViewer((message) => viewer.receive(message));
    const viewer = new Viewer(painter, host.getState(), { post: (message) => host.postMessage(message), save: (state) => host.setState(state) });
    body.append(viewer.element);
    host.postMessage({ type: "ready", entry: host.getState()?.entry });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    body.append(el("div", "empty", el("h2", "", "The image cannot be shown"), el("p", "", reason), el("p", "", "Turn on hardware acceleration (or software WebGL) in VS Code and open the file again.")));
  }
}

start();
