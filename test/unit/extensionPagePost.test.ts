import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pagePost } from "../../src/extension/pagePost";

/** A page that takes a message only when it is told to. */
function slowPage() {
  const posted: { message: Record<string, unknown>; take: () => void }[] = [];
  const webview = { postMessage: (message: Record<string, unknown>) => new Promise<boolean>((done) => posted.push({ message, take: () => done(true) })) };
  let alive = true;
  const post = pagePost(webview as never, () => alive);
  return { posted, post, leave: () => (alive = false) };
}

const map = (bytes: number) => ({ type: "answer", id: 1, result: { map: { width: 1, height: 1, channels: 1, data: new Uint16Array(bytes / 2).fill(7) } } });

describe("the way to a page", () => {
  it("sends an answer at once and whole, past what waits for its turn", async () => {
    const { posted, post } = slowPage();
    post({ type: "event", map: new Float32Array(1 << 20) });
    await nextTurn();
    assert.equal(posted.length, 1, "the next piece waits until this one was taken");
    const answer = map(900_000);
    post(answer, true);
    assert.equal(posted.length, 2);
    assert.deepEqual(posted[1].message, answer);
  });

  it("sends an array that looks at a part of a larger buffer without the rest of it", () => {
    const { posted, post } = slowPage();
    const pool = new Uint8Array(1 << 16).fill(3);
    post({ type: "answer", id: 2, result: { data: pool.subarray(8, 16) } }, true);
    const { data } = posted[0].message["result"] as { data: Uint8Array };
    assert.deepEqual([data.buffer.byteLength, [...data]], [8, Array<number>(8).fill(3)]);
  });

  it("sends large answers in pieces like everything else", async () => {
    const { posted, post } = slowPage();
    post(map(8 << 20), true);
    for (let i = 0; i < 20; i++) {
      await nextTurn();
      posted.at(-1)?.take();
    }
    const kinds = posted.map(({ message }) => message["kind"]);
    assert.deepEqual(kinds, ["arrays", ...Array<string>(8).fill("piece"), "message"]);
  });

  it("sends nothing to a page that has gone", async () => {
    const { posted, post, leave } = slowPage();
    leave();
    post(map(4), true);
    post({ type: "event" });
    await nextTurn();
    assert.deepEqual(posted, []);
  });
});
