import type { Task } from "../../src/core/semantics";
import type { Answers } from "../answers";
import type { Page } from "../page";
import type { LegendEntry, Slots } from "./runMarks";

/** What the dock gives to each of its plots. */
export interface PlotTools {
  readonly slots: Slots;
  /** Chosen in the bar, for plots of one task. */
  readonly task: Task;
}

/** One tab of the dock. Updated only while it is open. */
export interface PlotTab {
  readonly element: HTMLElement;
  /** Shown in the bar while the tab is open. */
  readonly controls: readonly HTMLElement[];
  /** Whether it shows one task at a time. */
  readonly perTask: boolean;
  /** What solid and dashed lines are, where there are both. */
  readonly sorts?: readonly [solid: string, dashed: string];
  /**
   * What it asks of the engine. What failed is asked again when the tab comes to the front; what is not wanted any more is ended after an update, and
   * while another tab is open.
   */
  readonly answers?: Pick<Answers<unknown>, "forgetFailures" | "dropUnwanted">;
  /** What to do to see something; undefined when there is something to see. */
  update(page: Page, tools: PlotTools): string | undefined;
  legend(): readonly LegendEntry[];
  /** What is plotted, with units in the header. */
  csv(): string;
}
