import assert from "node:assert/strict";
import { isCancelled, PlumblineError } from "../../src/core/errors";
import { connect, serve, type CallContext, type Channel } from "../../src/protocol/rpc";

interface TestApi {
  add: { params: { readonly a: number; readonly b: number }; event: never; result: number };
  count: { params: { readonly to: number }; event: number; result: string };
  wait: { params: Record<string, never>; event: never; result: string };
  fail: { params: { readonly plain: boolean }; event: never; result: never };
}

interface End extends Channel {
  /** What arrived here, as it was sent. */
  readonly received: unknown[];
  inject(message: unknown): void;
  die(reason: Error): void;
}

/** Two ends of a pipe that clones messages as a process boundary does. */
function pipe(): [End, End] {
  const ends = [0, 1].map((self): End => {
    const messageListeners: ((message: unknown) => void)[] = [];
    const closeListeners: ((reason: Error) => void)[] = [];
    const received: unknown[] = [];
    return {
      received,
      post: async (message) => ends[1 - self].inject(structuredClone(message)),
      inject: (message) => {
        received.push(message);
        queueMicrotask(() => messageListeners.forEach((listener) => listener(message)));
      },
      onMessage: (listener) => void messageListeners.push(listener),
      onClose: (listener) => void closeListeners.push(listener),
      die: (reason) => closeListeners.forEach((listener) => listener(reason)),
      close: () => undefined,
    };
  });
  return [ends[0], ends[1]];
}

function startPair() {
  const [callerEnd, serverEnd] = pipe();
  const signals: AbortSignal[] = [];
  serve<TestApi>(serverEnd, {
    add: async ({ a, b }) => a + b,
    count: async ({ to }, { report }) => {
      for (let i = 1; i <= to; i++) await report(i);
      return `counted to ${to}`;
    },
    wait: (_params, { signal }: CallContext<never>) => {
      signals.push(signal);
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
    },
    fail: async ({ plain }) => {
      throw plain ? new TypeError("x is not a function") : new PlumblineError("bad-image", "Expected a picture.", "Choose another file.");
    },
  });
  return { caller: connect<TestApi>(callerEnd), callerEnd, serverEnd, signals };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("rpc", () => {
  it("answers concurrent calls each with its own result", async () => {
    const { caller } = startPair();
    const sums = await Promise.all([1, 2, 3].map((a) => caller.call("add", { a, b: 10 })));
    assert.deepEqual(sums, [11, 12, 13]);
  });

  it("delivers events in order and before the result", async () => {
    const { caller } = startPair();
    const seen: (number | string)[] = [];
    seen.push(await caller.call("count", { to: 4 }, { onEvent: (event) => seen.push(event) }));
    assert.deepEqual(seen, [1, 2, 3, 4, "counted to 4"]);
  });

  it("keeps code, message and remedy of an error, and gives a foreign error a code", async () => {
    const { caller } = startPair();
    await assert.rejects(caller.call("fail", { plain: false }), (error: unknown) => {
      assert.ok(error instanceof PlumblineError);
      assert.deepEqual([error.code, error.message, error.remedy], ["bad-image", "Expected a picture.", "Choose another file."]);
      return true;
    });
    await assert.rejects(caller.call("fail", { plain: true }), { code: "engine-failed", message: "x is not a function" });
  });

  it("answers an unknown method, inherited names included, with an error", async () => {
    const { callerEnd } = startPair();
    const caller = connect<{ nope: { params: null; event: never; result: null }; toString: { params: null; event: never; result: null } }>(callerEnd);
    await assert.rejects(caller.call("nope", null), { code: "protocol-mismatch" });
    await assert.rejects(caller.call("toString", null), { code: "protocol-mismatch" });
  });

  it("cancels: rejects at once, aborts the handler's signal, drops the late answer", async () => {
    const { caller, signals, callerEnd } = startPair();
    const controller = new AbortController();
    const pending = caller.call("wait", {}, { signal: controller.signal });
    await tick();
    assert.equal(signals[0].aborted, false);
    controller.abort();
    await assert.rejects(pending, isCancelled);
    await tick();
    assert.equal(signals[0].aborted, true);
    assert.equal(callerEnd.received.length, 1, "the server must still answer a cancelled call");
    assert.equal(await caller.call("add", { a: 1, b: 1 }), 2);
  });

  it("does not send a call whose signal is aborted already", async () => {
    const { caller, serverEnd } = startPair();
    await assert.rejects(caller.call("add", { a: 1, b: 1 }, { signal: AbortSignal.abort() }), isCancelled);
    await tick();
    assert.equal(serverEnd.received.length, 0);
  });

  it("rejects every pending and every later call with the reason when the peer dies", async () => {
    const { caller, callerEnd } = startPair();
    const pending = [caller.call("wait", {}), caller.call("wait", {})];
    await tick();
    callerEnd.die(new PlumblineError("engine-died", "The process was killed."));
    for (const call of pending) await assert.rejects(call, { code: "engine-died", message: "The process was killed." });
    await assert.rejects(caller.call("add", { a: 1, b: 1 }), { code: "engine-died" });
  });

  it("aborts running handlers when the caller's side closes", async () => {
    const { caller, serverEnd, signals } = startPair();
    caller.call("wait", {}).catch(() => undefined);
    await tick();
    serverEnd.die(new Error("host gone"));
    assert.equal(signals[0].aborted, true);
  });

  it("ignores garbage in both directions", async () => {
    const { caller, callerEnd, serverEnd } = startPair();
    const garbage = [null, undefined, 7, "ok", [], {}, { type: "ok" }, { type: "call", id: 1 }, { type: "error", id: 1, error: null }, { type: "ok", id: 99, result: 1 }, { id: "1", type: "ok" }, { type: "explode", id: 1 }];
    const pending = caller.call("add", { a: 2, b: 3 });
    for (const end of [callerEnd, serverEnd]) garbage.forEach((message) => end.inject(message));
    assert.equal(await pending, 5);
  });

  it("fails only its own call when an event listener throws", async () => {
    const { caller } = startPair();
    await assert.rejects(caller.call("count", { to: 2 }, { onEvent: () => assert.fail("listener broke") }), /listener broke/);
    assert.equal(await caller.call("add", { a: 1, b: 2 }), 3);
  });

  it("answers with an error when the result cannot be sent", async () => {
    const [callerEnd, serverEnd] = pipe();
    serve<{ give: { params: null; event: never; result: unknown } }>(serverEnd, { give: async () => () => "functions cannot be cloned" });
    const caller = connect<{ give: { params: null; event: never; result: unknown } }>(callerEnd);
    await assert.rejects(caller.call("give", null), { code: "engine-failed" });
  });
});
