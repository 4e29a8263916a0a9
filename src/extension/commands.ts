import * as vscode from "vscode";
import type { Device } from "../core/settings";
import { chooseImages } from "./imageFiles";
import { createWebviewPanel, GeometryPanel, panelType, restoredState, type Outcome, type Services } from "./panel";
import { compareRows, estimateRows, initialState, multiSteps, type PanelKind } from "./runs";

/** Registers the commands, and the panels that VS Code restores after a reload of the window. */
export function registerCommands(services: Omit<Services, "onRunning" | "onDevice">): vscode.Disposable {
  const panels = new Map<GeometryPanel, PanelKind | undefined>();
  const onRunning = (): void => void vscode.commands.executeCommand("setContext", "plumbline.isRunning", [...panels.keys()].some((panel) => panel.isRunning));
  let lastDevice: Device | undefined;
  const panelServices: Services = { ...services, onRunning, onDevice: (device) => (lastDevice = device) };
  const adopt = (panel: GeometryPanel, kind?: PanelKind): GeometryPanel => {
    panels.set(panel, kind);
    panel.onDidDispose(() => {
      panels.delete(panel);
      onRunning();
    });
    return panel;
  };

  /** Opens a panel, or shows the one that is open for the same images; resolves with the end of its first run. */
  async function open(kind: PanelKind, clicked?: vscode.Uri, selected?: readonly vscode.Uri[]): Promise<Outcome | undefined> {
    const images = (await chooseImages(clicked, selected)).map((uri) => uri.toString());
    if (images.length === 0) return undefined;
    const known = [...panels].find(([panel, kindOfPanel]) => kindOfPanel === kind && panel.images.join() === images.join())?.[0];
    if (known) {
      known.reveal();
      return known.firstRun;
    }
    const settings = services.settings();
    const models = await services.models();
    const rows = kind === "estimate" ? estimateRows(models) : compareRows(models, multiSteps(settings, await deviceOfRuns()));
    const state = initialState(rows, images, models, settings);
    return adopt(new GeometryPanel(createWebviewPanel(state, services.extensionUri), panelServices, state), kind).firstRun;
  }

  /**
   * The device that runs will get: the one that the last run got. Before the first, a provider that only GPUs have tells;
   * WebGPU does not, since it is offered on machines without one too.
   */
  async function deviceOfRuns(): Promise<Device> {
    if (lastDevice) return lastDevice;
    const { device } = services.settings();
    const best = device === "auto" ? (await services.engine.info()).devices[0] : device;
    return best === "webgpu" ? "cpu" : best;
  }

  const command = (name: string, handler: (clicked?: vscode.Uri, selected?: readonly vscode.Uri[]) => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(`plumbline.${name}`, async (clicked?: vscode.Uri, selected?: readonly vscode.Uri[]) => {
      try {
        return await handler(clicked, selected);
      } catch (error) {
        services.log.tell(error);
        return "failed" satisfies Outcome;
      }
    });

  return vscode.Disposable.from(
    command("estimate", (clicked, selected) => open("estimate", clicked, selected)),
    command("compare", (clicked, selected) => open("compare", clicked, selected)),
    command("cancel", () => [...panels.keys()].forEach((panel) => panel.cancel())),
    command("showLog", () => services.log.show()),
    vscode.window.registerWebviewPanelSerializer(panelType, {
      async deserializeWebviewPanel(panel, saved) {
        try {
          adopt(new GeometryPanel(panel, panelServices, restoredState(saved)));
        } catch (error) {
          panel.dispose();
          services.log.tell(error);
        }
      },
    }),
  );
}
