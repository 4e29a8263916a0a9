import type { SpaceView } from "./view";

declare global {
  interface Window {
    /** Set by dist/space.js when it has run. */
    plumblineSpace?: typeof SpaceView;
  }
}

// Known only while the page's script runs for the first time.
const own = document.currentScript instanceof HTMLScriptElement ? document.currentScript : undefined;
let loading: Promise<typeof SpaceView> | undefined;

/** The view in space, from the program beside this one; allowed by the same nonce. Rejects when it cannot be loaded. */
export function loadSpaceView(): Promise<typeof SpaceView> {
  loading ??= new Promise<typeof SpaceView>((resolve, reject) => {
    const fail = (): void => {
      loading = undefined;
      reject(new Error("The view in space could not be loaded (space.js is missing)."));
    };
    if (!own) return fail();
    const script = document.createElement("script");
    script.nonce = own.nonce;
    script.src = new URL("space.js", own.src).href;
    script.addEventListener("load", () => (window.plumblineSpace ? resolve(window.plumblineSpace) : fail()));
    script.addEventListener("error", fail);
    document.head.append(script);
  });
  return loading;
}
