import assert from "node:assert/strict";
import { deserialize, serialize } from "node:v8";
import { ipcChannel, type IpcPort } from "../../src/protocol/ipcChannel";

/** A port whose messages pass through the serialisation that a forked process uses, into one shared buffer each. */
function loop() {
  const listeners: ((message: unknown) => void)[] = [];
  const sizes: number[] = [];
  const port: IpcPort = {
    send: (message, callback) => {
      const bytes = serialize(message);
      sizes.push(bytes.length);
      setImmediate(() => {
        listeners.forEach((listener) => listener(deserialize(bytes)));
        callback(null);
      });
      return true;
    },
    onMessage: (listener) => void listeners.push(listener),
    onClose: () => undefined,
    close: () => undefined,
  };
  return { port, sizes };
}

describe("ipcChannel", () => {
  it("carries typed arrays of every kind on buffers of their own, at any depth", async () => {
    const { port } = loop();
    const channel = ipcChannel(port);
    const received: unknown[] = [];
    channel.onMessage((message) => received.push(message));
    const shared = new Float32Array([9, 1, 2, 3, 9]);
    const message = {
      type: "result", id: 3, nothing: null, missing: undefined,
      maps: [{ data: shared.subarray(1, 4) }, { data: new Uint8Array([1, 2]) }, { data: new Uint16Array([7, 65535]) }],
      deep: { ids: new BigInt64Array([5n]), empty: new Float32Array(0) },
    };
    await channel.post(message);
    assert.deepEqual(received, [{ ...message, maps: [{ data: new Float32Array([1, 2, 3]) }, { data: new Uint8Array([1, 2]) }, { data: new Uint16Array([7, 65535]) }] }]);
    const { maps } = received[0] as { maps: { data: Float32Array }[] };
    assert.equal(maps[0].data.buffer.byteLength, 12);
  });

  it("cuts a large array into pieces that arrive whole, in the order of the posts", async () => {
    const { port, sizes } = loop();
    const channel = ipcChannel(port);
    const received: { name: string; data?: Float32Array }[] = [];
    channel.onMessage((message) => received.push(message as { name: string }));
    const data = Float32Array.from({ length: 1_500_001 }, (_, i) => i % 9973);
    await Promise.all([channel.post({ name: "large", data }), channel.post({ name: "small" })]);
    assert.deepEqual(received.map(({ name }) => name), ["large", "small"]);
    assert.deepEqual(received[0].data, data);
    assert.ok(Math.max(...sizes) < 1.1 * (1 << 20), `largest message ${Math.max(...sizes)} bytes`);
  });

  it("rejects the post that failed and carries the next", async () => {
    const { port } = loop();
    const channel = ipcChannel({ ...port, send: (message, callback) => (JSON.stringify(message).includes("bad") ? (callback(new Error("pipe full")), false) : port.send(message, callback)) });
    const received: unknown[] = [];
    channel.onMessage((message) => received.push(message));
    await assert.rejects(channel.post("bad"), /pipe full/);
    await channel.post("good");
    assert.deepEqual(received, ["good"]);
  });
});
