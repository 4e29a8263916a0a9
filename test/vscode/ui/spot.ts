import type { Frame } from "playwright-core";

/** Chooses an option of one of the page's lists by its value, as a pointer does. */
export async function choose(frame: Frame, label: string, value: string): Promise<void> {
  const list = frame.locator(`vscode-dropdown[aria-label="${label}"]`);
  await list.click();
  await list.locator(`vscode-option[value="${value}"]`).click();
}
