import type { Frame } from "playwright-core";

/** Chooses an option of one of the page's lists by its value, as a pointer does. */
export async function choose(frame: Frame, label: string, value: string): Promise<void> {
  const list = frame.locator(`vscode-dropdown[aria-label="${label}"]`);
  const option = list.locator(`vscode-option[value="${value}"]`);
  // Metrics are offered once an image has them.
  await option.waitFor({ state: "attached" });
  await list.click();
  await option.click();
}
