/** Passes on every error of the page that nothing has caught, in words; the stack where there is one. */
export function tellErrors(tell: (message: string) => void): void {
  const report = (reason: unknown): void => tell(reason instanceof Error ? (reason.stack ?? reason.message) : String(reason));
  window.addEventListener("error", (event) => {
    // Browsers report a harmless, self-healing condition of layout observers this way.
    if (!event.message.startsWith("ResizeObserver loop")) report(event.error ?? event.message);
  });
  window.addEventListener("unhandledrejection", (event) => report(event.reason));
}
