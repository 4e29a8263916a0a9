import { protocolVersion } from "../protocol/inference";
import { ipcChannel } from "../protocol/ipcChannel";
import { serve } from "../protocol/rpc";
import { engineHandlers } from "./jobs";

// The child process. It speaks only over the channel of `fork`; without one it has nothing to do.
if (!process.send) {
  process.stderr.write(`plumbline inference, protocol ${protocolVersion}: started by Plumbline as a child process, not by hand.\n`);
  process.exit(2);
}

serve(
  ipcChannel({
    send: (message, callback) => process.send?.(message, undefined, undefined, callback) ?? false,
    onMessage: (listener) => void process.on("message", listener),
    onClose: (listener) => void process.once("disconnect", () => listener(new Error("The host has gone."))),
    close: () => process.disconnect(),
  }),
  engineHandlers(),
);

// Nobody is left to answer to.
process.once("disconnect", () => process.exit(0));
