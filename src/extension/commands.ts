import * as vscode from "vscode";
import { clearCache } from "../cache/cacheSpace";
import type { LibraryModel } from "../catalogue/library";
import { presets, type Preset } from "../core/presets";
import type { Task } from "../core/semantics";
import type { Device } from "../core/settings";
import type { PanelSettings, PanelState, RowSettings } from "../protocol/panel";
import { chooseImages } from "./imageFiles";
import { defaultsText } from "./modelText";
import { createWebviewPanel, GeometryPanel, panelType } from "./panel";
import type { Outcome } from "./panelRuns";
import { compareRows, estimateRows, initialState, inspectRows, modelRow, multiSteps, restoredState, withModel, type PanelKind } from "./runs";
import type { Services } from "./services";
import { SessionEditors, sessionEditorType } from "./sessionEditor";
import { saveSession } from "./sessionSave";

/** A command of the extension's own, in no menu: an image and the settings of its runs. */
export const openRunsCommand = "plumbline.openRuns";

/** The panels that are open, for other parts of the extension. */
export interface OpenPanels extends vscode.Disposable {
  /** Shows what a model estimates: in the panel in front, in a row that the user chooses, or in a new panel on images that the user chooses. */
  use(model: LibraryModel, task: Task): Promise<void>;
  /** What the panel in front shows. */
  inFront(): PanelState | undefined;
}

/** Registers the commands, the panels that VS Code restores after a reload of the window, and the editor of saved sessions. */
export function registerCommands(services: Omit<Services, "onRunning" | "onDevice">): OpenPanels {
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
  async function open(kind: PanelKind, uris: readonly vscode.Uri[]): Promise<Outcome | undefined> {
    const images = uris.map((uri) => uri.toString());
    if (images.length === 0) return undefined;
    const known = [...panels].find(([panel, kindOfPanel]) => kindOfPanel === kind && panel.state.images.join() === images.join())?.[0];
    if (known) {
      known.reveal();
      return known.firstRun;
    }
    const settings = services.settings();
    const models = await services.models();
    const preset = presets.find(({ id }) => id === kind);
    const rows = preset ? inspectRows(preset, models, settings) : kind === "estimate" ? estimateRows(models) : compareRows(models, multiSteps(settings, await deviceOfRuns()));
    // The argument of the flaw is the gap between the noise that the model is told and the noise that is there.
    const state = initialState(rows, images, models, settings, kind === "flaw" ? { dock: "noise" } : {});
    return adopt(new GeometryPanel(createWebviewPanel(state, services.extensionUri), panelServices, state), kind).firstRun;
  }

  /** Shows one image with runs that another part of the extension has chosen. */
  async function openRuns(image: vscode.Uri, settings: PanelSettings): Promise<Outcome> {
    const uri = image.toString();
    const known = [...panels.keys()].find(({ state }) => state.images.join() === uri && JSON.stringify(state.settings) === JSON.stringify(settings));
    if (known) {
      known.reveal();
      return known.firstRun;
    }
    const state = { ...initialState(settings.rows, [uri], await services.models(), services.settings()), settings };
    return adopt(new GeometryPanel(createWebviewPanel(state, services.extensionUri), panelServices, state)).firstRun;
  }

  /** From a menu the paper's argument on what was clicked; from the palette the user chooses what to inspect. */
  async function inspect(clicked?: vscode.Uri, selected?: readonly vscode.Uri[]): Promise<Outcome | undefined> {
    const images = await chooseImages(clicked, selected);
    if (images.length === 0) return undefined;
    const preset = clicked ? presets.find(({ id }) => id === "flaw") : await choosePreset();
    return preset && open(preset.id, images);
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

  /** The panel that the user is in, else the one that was opened last. */
  function front(): GeometryPanel | undefined {
    return [...panels.keys()].find((panel) => panel.isActive) ?? [...panels.keys()].at(-1);
  }

  async function use(model: LibraryModel, task: Task): Promise<void> {
    const panel = front();
    if (panel) {
      const rows = await chooseRow(model, task, panel.state.settings.rows);
      if (!rows) return;
      // What the other rows show is in the cache of runs.
      panel.replaceState({ ...panel.state, settings: { ...panel.state.settings, rows } }, []);
      return panel.reveal();
    }
    const images = (await chooseImages()).map((uri) => uri.toString());
    if (images.length === 0) return;
    const state = initialState([modelRow(model, task, [])], images, await services.models(), services.settings());
    adopt(new GeometryPanel(createWebviewPanel(state, services.extensionUri), panelServices, state));
  }

  /** Saves what the panel in front shows. */
  async function saveActive(): Promise<string | undefined> {
    const active = [...panels.keys()].find((panel) => panel.isActive);
    return active && saveSession(active.state, await services.models());
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

  const registered = vscode.Disposable.from(
    command("estimate", async (clicked, selected) => open("estimate", await chooseImages(clicked, selected))),
    command("compare", async (clicked, selected) => open("compare", await chooseImages(clicked, selected))),
    command("inspect", inspect),
    vscode.commands.registerCommand(openRunsCommand, (image: vscode.Uri, settings: PanelSettings) =>
      openRuns(image, settings).catch((error: unknown) => {
        services.log.tell(error);
        return "failed" satisfies Outcome;
      }),
    ),
    command("cancel", () => [...panels.keys()].forEach((panel) => panel.cancel())),
    command("saveSession", saveActive),
    command("clearCache", () => clearRuns(services.cacheDir)),
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
    vscode.window.registerCustomEditorProvider(sessionEditorType, new SessionEditors(panelServices, adopt), { supportsMultipleEditorsPerDocument: false }),
  );
  return { use, inFront: () => front()?.state, dispose: () => void registered.dispose() };
}

/** The rows with the model in one of them, or in a new one, as the user chooses; undefined when the choice was dismissed. */
async function chooseRow(model: LibraryModel, task: Task, rows: readonly RowSettings[]): Promise<readonly RowSettings[] | undefined> {
  const added = modelRow(model, task, rows);
  const items = [
    { label: vscode.l10n.t("In a new row"), description: defaultsText({ ...added, noise: added.noise.kind }), rows: [...rows, added] },
    ...rows.map((row) => ({
      label: vscode.l10n.t('In the row "{0}"', row.label),
      description: row.models[task] === undefined ? vscode.l10n.t("which shows no {0} yet", task) : vscode.l10n.t("in place of {0}", row.models[task]),
      rows: rows.map((other) => (other === row ? withModel(row, added, task) : other)),
    })),
  ];
  return (await vscode.window.showQuickPick(items, { title: vscode.l10n.t("Use {0} for {1}", model.name, task) }))?.rows;
}

async function choosePreset(): Promise<Preset | undefined> {
  const items = presets.map((preset) => ({ label: preset.title, detail: preset.about, preset }));
  return (await vscode.window.showQuickPick(items, { title: vscode.l10n.t("Inspect Denoising Steps"), placeHolder: vscode.l10n.t("Which runs to compare"), matchOnDetail: true }))?.preset;
}

/** Removes the runs that are kept, tells how much room they took, and returns it in bytes. */
async function clearRuns(cacheDir: string): Promise<number> {
  const freed = await clearCache(cacheDir);
  void vscode.window.showInformationMessage(vscode.l10n.t("The run cache was cleared: {0} freed.", sizeText(freed)));
  return freed;
}

/** "0 bytes", "3.2 MB", "1.5 GB", in powers of 1000. */
function sizeText(bytes: number): string {
  const [unit, name] = bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "kB"] : [1, "bytes"];
  return `${(bytes / unit).toFixed(unit === 1 ? 0 : 1)} ${name}`;
}
