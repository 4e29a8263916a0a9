import type { Channel } from "./rpc";

/**
 * What both ends of a forked process offer: `process` in the child, the `ChildProcess` in the host.
 * Messages are structured clones (serialization "advanced").
 */
export interface IpcPort {
  send(message: unknown, callback: (error: Error | null) => void): boolean;
  onMessage(listener: (message: unknown) => void): void;
  onClose(listener: (reason: Error) => void): void;
  close(): void;
}

/**
 * Bytes of one piece. Reading and copying one takes well under a millisecond, so that a map of hundreds of
 * megabytes never holds the receiver's event loop.
 */
const pieceBytes = 1 << 20;

const arrayTypes = { Float32Array, Uint16Array, Uint8Array, BigInt64Array } as const;
type ArrayType = keyof typeof arrayTypes;
type AnyArray = InstanceType<(typeof arrayTypes)[ArrayType]>;

/** A message travels as its arrays' lengths, their bytes piece by piece, then the rest with `{[slotKey]: index}` for each array. */
type Packet =
  | { readonly kind: "arrays"; readonly arrays: readonly { readonly type: ArrayType; readonly length: number }[] }
  | { readonly kind: "piece"; readonly array: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "message"; readonly body: unknown };
const slotKey = "\0array";

/**
 * A channel over a process's message pipe. Typed arrays (float32, uint16, uint8, int64) arrive on buffers of their own, never as
 * views of a shared one, and large ones are paced: `post` waits for the pipe after each piece.
 */
export function ipcChannel(port: IpcPort): Channel {
  let lastPost: Promise<void> = Promise.resolve();
  const send = (packet: Packet): Promise<void> =>
    new Promise((resolve, reject) => {
      port.send(packet, (error) => (error ? reject(error) : resolve()));
    });

  async function postNow(message: unknown): Promise<void> {
    const arrays: AnyArray[] = [];
    const body = liftArrays(message, arrays);
    if (arrays.length > 0) await send({ kind: "arrays", arrays: arrays.map((array) => ({ type: typeOf(array), length: array.length })) });
    for (const [index, array] of arrays.entries()) {
      for (let offset = 0; offset < array.byteLength; offset += pieceBytes) {
        const bytes = new Uint8Array(array.buffer, array.byteOffset + offset, Math.min(pieceBytes, array.byteLength - offset));
        await send({ kind: "piece", array: index, offset, bytes });
      }
    }
    await send({ kind: "message", body });
  }

  return {
    post(message) {
      const posted = lastPost.then(() => postNow(message));
      lastPost = posted.catch(() => undefined); // the caller of the failed post is told; the next one tries for itself
      return posted;
    },
    onMessage(listener) {
      let arrays: AnyArray[] = [];
      port.onMessage((packet) => {
        if (!isPacket(packet)) return;
        if (packet.kind === "arrays") arrays = packet.arrays.map(({ type, length }) => new arrayTypes[type](length));
        else if (packet.kind === "piece") fillPiece(arrays, packet.array, packet.offset, packet.bytes);
        else {
          const message = placeArrays(packet.body, arrays);
          arrays = [];
          listener(message);
        }
      });
    },
    onClose: (listener) => port.onClose(listener),
    close: () => port.close(),
  };
}

function isPacket(packet: unknown): packet is Packet {
  const kind = typeof packet === "object" && packet !== null ? (packet as { kind?: unknown }).kind : undefined;
  return kind === "arrays" || kind === "piece" || kind === "message";
}

function typeOf(array: AnyArray): ArrayType {
  if (array instanceof Float32Array) return "Float32Array";
  if (array instanceof Uint16Array) return "Uint16Array";
  return array instanceof BigInt64Array ? "BigInt64Array" : "Uint8Array";
}

function isArray(value: unknown): value is AnyArray {
  return Object.values(arrayTypes).some((type) => value instanceof type);
}

function fillPiece(arrays: readonly AnyArray[], index: number, offset: number, bytes: Uint8Array): void {
  const array = arrays[index];
  if (!array || offset + bytes.length > array.byteLength) return; // not a piece of what was announced
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes, offset);
}

/** The message with its typed arrays moved to `arrays` and an index in their place. */
function liftArrays(value: unknown, arrays: AnyArray[]): unknown {
  if (isArray(value)) return { [slotKey]: arrays.push(value) - 1 };
  if (Array.isArray(value)) return value.map((item) => liftArrays(item, arrays));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, liftArrays(item, arrays)]));
}

function placeArrays(value: unknown, arrays: readonly AnyArray[]): unknown {
  if (Array.isArray(value)) return value.map((item) => placeArrays(item, arrays));
  if (typeof value !== "object" || value === null) return value;
  const slot = (value as Record<string, unknown>)[slotKey];
  if (typeof slot === "number") return arrays[slot];
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, placeArrays(item, arrays)]));
}
