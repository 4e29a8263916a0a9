import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

/** Folders from which the page may load; nothing else of the disk is reachable from it. */
export function pageRoots(extensionUri: vscode.Uri): readonly vscode.Uri[] {
  return [vscode.Uri.joinPath(extensionUri, "dist")];
}

/** The page of a panel, or with `program` another one of dist/. Only its own script runs (nonce), and it can reach no network. */
export function pageHtml(webview: vscode.Webview, extensionUri: vscode.Uri, program: "webview" | "spot" | "viewer" = "webview"): string {
  const nonce = randomBytes(16).toString("base64");
  const source = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(extensionUri, "dist", name)).toString();
  const policy = [
    "default-src 'none'",
    `img-src ${webview.cspSource} data: blob:`,
    `font-src ${webview.cspSource}`,
    // The toolkit's components bring their styles as style elements.
    `style-src ${webview.cspSource} 'unsafe-inline'`,
    `script-src 'nonce-${nonce}'`,
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="${vscode.env.language}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <link rel="stylesheet" href="${source(`${program}.css`)}">
  <title>Plumbline</title>
</head>
<body>
  <script nonce="${nonce}" src="${source(`${program}.js`)}"></script>
</body>
</html>`;
}
