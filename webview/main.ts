import "./panel.css";
import { Painter } from "./gl/painter";
import { el } from "./dom";
import { connectHost } from "./host";
import { Panel } from "./panel";

/** Starts the panel, or says why it cannot be shown. */
function start(): void {
  const body = document.body;
  try {
    const painter = new Painter(() => panel.redraw());
    const host = connectHost((message) => panel.receive(message));
    const panel = new Panel(host, painter);
    body.append(panel.element);
    host.post({ type: "ready", state: host.saved() });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    body.append(el("div", "empty", el("h2", "", "The panel cannot be shown"), el("p", "", reason), el("p", "", "Turn on hardware acceleration (or software WebGL) in VS Code and open the panel again.")));
  }
}

start();
