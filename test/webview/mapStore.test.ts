import assert from "node:assert/strict";
import { halfFromMap, type HalfMap } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import type { MapRef } from "../../src/protocol/inference";
import { MapStore, type MapLimits } from "../../webview/mapStore";
import { directions, ramp } from "./scenario";

interface Question {
  readonly ref: MapRef;
  answer(map: HalfMap | FloatMap): void;
  refuse(error: Error): void;
}

/** A store with a host that answers when it is told to. */
function storeOf(limits: Partial<MapLimits> = {}) {
  const questions: Question[] = [];
  const heard = { arrived: 0, errors: [] as unknown[] };
  const store = new MapStore(
    {
      ask: (ref) => new Promise((resolve, reject) => questions.push({ ref, answer: (map) => resolve({ map }), refuse: reject })),
      arrived: () => heard.arrived++,
      failed: (error) => heard.errors.push(error),
    },
    { storedBytes: 1e6, decodedBytes: 1e6, asked: 4, expected: 2, ...limits },
  );
  return { store, questions, heard };
}

const stepOf = (step: number, runKey = "run"): MapRef => ({ kind: "step", runKey, step });
const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

describe("the store of maps", () => {
  const half = (value: number): HalfMap => halfFromMap(ramp(64, 8, value, value + 1));
  const bytes = 64 * 8 * 2;

  it("gives back halves as floats, and the same object while it is in use", () => {
    const { store, questions } = storeOf({ decodedBytes: 1 });
    store.put(stepOf(3), half(2));
    const map = store.get(stepOf(3));
    assert.ok(map?.data instanceof Float32Array);
    assert.deepEqual([map.data[0], map.data[63]], [2, 3]);
    store.put(stepOf(4), half(5));
    store.get(stepOf(4));
    assert.equal(store.get(stepOf(3)), map, "though the cache of decoded maps has no room for both");
    store.request(stepOf(3));
    assert.equal(questions.length, 0, "nothing to ask for");
  });

  it("keeps within its bound and drops what was not used for longest", () => {
    const { store } = storeOf({ storedBytes: 10 * bytes, decodedBytes: 4 * bytes });
    for (let step = 0; step < 200; step++) {
      store.put(stepOf(step), half(step));
      store.get(stepOf(0));
      if (step % 2 === 0) store.get(stepOf(step - 2));
      assert.ok(store.bytes <= 14 * bytes, `${store.bytes} bytes after step ${step}`);
    }
    assert.ok(store.get(stepOf(0)), "used all the time");
    assert.ok(store.get(stepOf(199)));
    assert.equal(store.get(stepOf(101)), undefined);
  });

  it("holds 256 MB at most of 50 steps x 4 runs of depth and normals at 768 x 576", () => {
    const store = new MapStore({ ask: () => new Promise(() => undefined), arrived: () => undefined, failed: () => undefined });
    let most = 0;
    for (let step = 0; step < 50; step++) {
      for (let run = 0; run < 4; run++) {
        for (const channels of [1, 3] as const) {
          const ref = stepOf(step, `${run} ${channels}`);
          store.put(ref, { width: 768, height: 576, channels, data: new Uint16Array(768 * 576 * channels) });
          if (step % 10 === 0) assert.equal(store.get(ref)?.data.length, 768 * 576 * channels);
          most = Math.max(most, store.bytes);
        }
      }
    }
    assert.ok(most <= 256e6, `${most} bytes`);
    assert.ok(most > 128e6, "and makes use of them");
  });

  it("asks for a map once, and gives it when it has come", async () => {
    const { store, questions, heard } = storeOf();
    const ref: MapRef = { kind: "member", runKey: "run", member: 2 };
    for (let i = 0; i < 5; i++) store.request(ref);
    assert.deepEqual(questions.map((question) => question.ref), [ref]);
    questions[0].answer(directions(8, 8));
    await settle();
    assert.equal(heard.arrived, 1);
    assert.deepEqual(store.get(ref)?.data, directions(8, 8).data);
    assert.equal(questions.length, 1);
  });

  it("asks for what was wanted last first, and forgets what a quick scrub left behind", async () => {
    const { store, questions } = storeOf({ asked: 2 });
    for (let step = 0; step < 50; step++) store.request(stepOf(step));
    const asked = (): number[] => questions.map(({ ref }) => (ref.kind === "step" ? ref.step : -1));
    assert.deepEqual(asked(), [0, 1], "two at a time");
    questions[0].answer(half(0));
    await settle();
    assert.deepEqual(asked(), [0, 1, 49]);
    for (let i = 1; i < questions.length && i < 100; i++) {
      questions[i].answer(half(i));
      await settle();
    }
    assert.equal(questions.length, 18, "the first two and the last sixteen");
    assert.deepEqual(asked().slice(2).sort((a, b) => a - b), Array.from({ length: 16 }, (_, i) => 34 + i));
  });

  it("asks for what is expected while nothing is wanted, a few at a time, and in place of what was expected before", async () => {
    const { store, questions, heard } = storeOf();
    const asked = (): number[] => questions.map(({ ref }) => (ref.kind === "step" ? ref.step : -1));
    store.request(stepOf(7));
    store.expect([stepOf(7), stepOf(8), stepOf(9), stepOf(10)]);
    assert.deepEqual(asked(), [7], "what is wanted comes first");
    questions[0].answer(half(7));
    await settle();
    assert.deepEqual(asked(), [7, 8, 9]);
    assert.equal(heard.arrived, 1);
    store.request(stepOf(30));
    assert.deepEqual(asked(), [7, 8, 9, 30], "and does not wait for what is only expected");
    store.expect([stepOf(31)]);
    for (const question of questions.slice(1, 3)) question.answer(half(1));
    await settle();
    assert.deepEqual(asked(), [7, 8, 9, 30]);
    assert.equal(heard.arrived, 1, "nobody waits for these");
    questions[3].answer(half(30));
    await settle();
    assert.deepEqual(asked(), [7, 8, 9, 30, 31], "10 is not expected any more");
    assert.equal(heard.arrived, 2);
    store.request(stepOf(31));
    questions[4].answer(half(31));
    await settle();
    assert.deepEqual([asked().length, heard.arrived], [5, 3], "expected first, then wanted: asked for once, and told");
  });

  it("keeps a refusal of what was only expected to itself, and asks again when it is wanted", async () => {
    const { store, questions, heard } = storeOf();
    store.expect([stepOf(1)]);
    questions[0].refuse(new Error("Not there yet."));
    await settle();
    assert.deepEqual(heard.errors, []);
    store.request(stepOf(1));
    assert.equal(questions.length, 2);
    questions[1].refuse(new Error("The file is truncated."));
    await settle();
    assert.equal(heard.errors.length, 1);
  });

  it("tells a refusal once and asks again only when a run has ended", async () => {
    const { store, questions, heard } = storeOf();
    store.request(stepOf(1));
    questions[0].refuse(new Error("The file is truncated."));
    await settle();
    for (let i = 0; i < 3; i++) store.request(stepOf(1));
    assert.equal(questions.length, 1);
    assert.deepEqual(heard.errors.map(String), ["Error: The file is truncated."]);
    store.forgetFailures();
    store.request(stepOf(1));
    assert.equal(questions.length, 2);
  });

  it("keeps a map larger than its bound as long as it is the latest", () => {
    const { store } = storeOf({ storedBytes: bytes, decodedBytes: bytes });
    const large: FloatMap = ramp(512, 64);
    store.put({ kind: "file", path: "/truth.npy", task: "depth" }, large);
    assert.equal(store.get({ kind: "file", path: "/truth.npy", task: "depth" }), large);
    store.put(stepOf(0), half(0));
    assert.equal(store.get({ kind: "file", path: "/truth.npy", task: "depth" }), undefined);
  });
});
