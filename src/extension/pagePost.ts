import type * as vscode from "vscode";
import { ipcChannel } from "../protocol/ipcChannel";

/**
 * The way to one life of a page: messages arrive in order, and their arrays travel in pieces of a megabyte, each of
 * which waits for the one before, so that a large map never holds the extension host's event loop.
 * Nothing is posted any more once `isAlive` is false; what was under way is dropped.
 */
export function pagePost(webview: vscode.Webview, isAlive: () => boolean): (message: object) => void {
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
  return (message) => void channel.post(message).catch(() => undefined); // a page that has gone is filled anew when it is back
}

/** A view travels with the whole buffer that it looks at: pieces are cut out first. */
function tight(packet: unknown): unknown {
  const { bytes } = packet as { readonly bytes?: Uint8Array };
  return bytes && bytes.byteLength < bytes.buffer.byteLength ? { ...(packet as object), bytes: bytes.slice() } : packet;
}
