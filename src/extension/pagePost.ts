import type * as vscode from "vscode";
import { ipcChannel } from "../protocol/ipcChannel";

/** Posts to a page; what may overtake need not wait for what was posted before. */
export type PagePost = (message: object, mayOvertake?: boolean) => void;

/** A message whose arrays are no larger may overtake: it is copied in about a millisecond. */
const overtakingBytes = 4 << 20;

/**
 * The way to one life of a page: messages arrive in order, and their arrays travel in pieces of a megabyte, each of
 * which waits for the one before, so that a large map never holds the extension host's event loop. Each wait is a way to the page
 * and back, which somebody who scrubs would notice: an answer, whose place among the messages means nothing, goes at once and whole.
 * Nothing is posted any more once `isAlive` is false; what was under way is dropped.
 */
export function pagePost(webview: vscode.Webview, isAlive: () => boolean): PagePost {
  const channel = ipcChannel({
    send(packet, callback) {
      if (!isAlive()) callback(new Error("The page has gone."));
      else webview.postMessage(tight(packet)).then(() => callback(null), callback);
      return true;
    },
    onMessage: () => undefined,
    onClose: () => undefined,
    close: () => undefined,
  });
  return (message, mayOvertake = false) => {
    // A page that has gone is filled anew when it is back.
    if (mayOvertake && arrayBytes(message) <= overtakingBytes) {
      if (isAlive()) webview.postMessage(tight(message)).then(undefined, () => undefined);
    } else void channel.post(message).catch(() => undefined);
  };
}

/** A view travels with the whole buffer that it looks at: its part is cut out first. */
function tight(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return value instanceof DataView || value.byteLength === value.buffer.byteLength ? value : (value as Uint8Array).slice();
  if (Array.isArray(value)) return value.map(tight);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, tight(item)]));
}

function arrayBytes(value: unknown): number {
  if (ArrayBuffer.isView(value)) return value.buffer.byteLength;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce((sum: number, item) => sum + arrayBytes(item), 0);
}
