import assert from "node:assert/strict";
import { event, init, multi, photoOf, planned, ramp, resultOf, settingsOf, stateOf, thumbnailOf } from "./scenario";
import { Stage, Theatre } from "./stage";

/** 50 steps x 4 runs of depth and normals, 768 x 576: twice of what the page holds. */
const [width, height, steps] = [768, 576, 50];
const rows = ["a", "b", "c", "d"].map((rowId) => ({ ...multi, rowId, label: `Run ${rowId}`, steps }));

/** 50 ms less the frame that a move waits for at most. */
const budget = 50 - 1000 / 60;

describe("scrubbing over many large steps", () => {
  let theatre: Theatre;
  let stage: Stage;

  before(async function () {
    this.timeout(180_000);
    theatre = await Theatre.open();
    stage = await Stage.open(theatre);
    const settings = settingsOf(...rows);
    await stage.send(init(stateOf(settings)), { type: "started", generation: 1, image: 0, settings }, event(1, { type: "image", image: photoOf(96, 72) }));
    const thumbnail = thumbnailOf(ramp(96, 72));
    for (const row of rows) {
      await stage.send(event(1, planned(row, "depth")), event(1, planned(row, "normals")));
      await sendSteps(row.rowId, Buffer.from(thumbnail.data.buffer).toString("base64"));
      await stage.send(event(1, { type: "result", result: resultOf(row, "depth", ramp(96, 72)) }));
    }
    await stage.send({ type: "finished", generation: 1, elapsedMillis: 1 });
  });
  after(async () => {
    assert.deepEqual(stage.errors, []);
    await stage.close();
    await theatre.close();
  });

  /** Maps as the host posts them, made in the page: a ramp with a band whose value is the step's. Maps that are asked for are answered at once. */
  async function sendSteps(rowId: string, thumbnail: string): Promise<void> {
    await stage.page.evaluate(([row, small, w, h, count]) => {
      const test = window.plumblineTest as typeof window.plumblineTest & { mapOf?: (channels: number, step: number) => unknown };
      if (!test.mapOf) {
        // binary16 of x / width for the ramp, and of 1 + step / 64, which is exact, for the band.
        const half = (value: number): number => (value === 0 ? 0 : (Math.floor(Math.log2(value)) + 15) * 1024 + Math.round((value / 2 ** Math.floor(Math.log2(value)) - 1) * 1024));
        const templates = new Map([1, 3].map((channels) => [channels, Uint16Array.from({ length: w * h * channels }, (_, i) => half((Math.floor(i / channels) % w) / w))]));
        test.mapOf = (channels, step) => {
          const data = (templates.get(channels) ?? new Uint16Array()).slice();
          data.fill(half(1 + step / 64), Math.floor(h / 4) * w * channels, Math.floor(h / 2) * w * channels);
          return { width: w, height: h, channels, data };
        };
        const push = test.sent.push.bind(test.sent);
        test.sent.push = (...messages) => {
          for (const message of messages) {
            if (message.type !== "ask" || message.name !== "map" || message.params.kind !== "step") continue;
            const { step, runKey } = message.params;
            const result = { map: test.mapOf?.(runKey.endsWith("normals") ? 3 : 1, step) };
            setTimeout(() => window.dispatchEvent(new MessageEvent("message", { data: { type: "answer", id: message.id, result } })));
          }
          return push(...messages);
        };
      }
      const bytes = Uint8Array.from(atob(small), (letter) => letter.charCodeAt(0));
      const little = { width: 96, height: 72, channels: 1, data: new Float32Array(bytes.buffer) };
      for (let step = 0; step < count; step++) {
        for (const [task, channels] of [["depth", 1], ["normals", 3]] as const) {
          const data = { type: "event", generation: 1, event: { type: "step", runId: `${row}:${task}`, member: 0, step, steps: count, timestep: 999 - 20 * step, map: test.mapOf(channels, step), thumbnail: channels === 1 ? little : undefined } };
          window.dispatchEvent(new MessageEvent("message", { data }));
        }
      }
    }, [rowId, thumbnail, width, height, steps] as const);
    await stage.settle();
  }

  /**
   * Moves the slider and waits until the step's own map is on show, for each step. `work` is what the page's thread
   * computed for one of them, in milliseconds of its own time, so that neither other programs nor the drawing in
   * software that stands for a graphics device here count; `wall` is the median by the clock.
   */
  async function scrub(rowId: string, to: readonly number[]): Promise<{ work: number; wall: number }> {
    const clock = await stage.page.context().newCDPSession(stage.page);
    await clock.send("Performance.enable", { timeDomain: "threadTicks" });
    const busyMillis = async (): Promise<number> => 1000 * ((await clock.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration")?.value ?? NaN);
    const before = await busyMillis();
    const walls = await stage.page.evaluate(async ([row, all]) => {
      const tile = document.querySelector(`.tile[data-key="${row}:depth"]`);
      const slider = document.querySelector<HTMLInputElement>(`.row[data-row="${row}"] .timeline input`);
      const badge = tile?.querySelector(".badge");
      const highest = tile?.querySelector(".color-bar .number:last-child");
      if (!slider || !badge || !highest) throw new Error("There is no timeline.");
      const millis: number[] = [];
      for (const at of all) {
        const start = performance.now();
        slider.value = String(at);
        slider.dispatchEvent(new Event("input"));
        // The end of the colour bar is the highest value of the map itself; its thumbnail has another.
        const wanted = String(Number((1 + at / 64).toPrecision(3)));
        while (highest.textContent !== wanted || !badge.textContent?.includes(`${at + 1}/`)) {
          if (performance.now() - start > 5000) throw new Error(`Step ${at} is not shown: ${highest.textContent}, not ${wanted}; ${badge.textContent}`);
          await new Promise(requestAnimationFrame);
        }
        millis.push(performance.now() - start);
      }
      return millis;
    }, [rowId, to] as const);
    const work = ((await busyMillis()) - before) / to.length;
    await clock.detach();
    return { work, wall: [...walls].sort((a, b) => a - b)[Math.floor(walls.length / 2)] };
  }

  const asked = async (): Promise<number> => (await stage.sentOf("ask")).length;

  it("shows a step that is held in less than 50 ms", async () => {
    await scrub("d", [48]);
    const before = await asked();
    const { work, wall } = await scrub("d", [46, 44, 47, 45, 43, 48, 42, 46, 44]);
    assert.equal(await asked(), before, "the newest steps are here");
    console.log(`      held: ${work.toFixed(1)} ms of work, ${wall.toFixed(0)} ms by the clock`);
    assert.ok(work < budget, `${work} ms of work`);
  });

  it("shows a step that has to be asked for in less than 50 ms", async () => {
    const before = await asked();
    const { work, wall } = await scrub("a", [3, 17, 9, 30, 22, 13, 40, 26, 6]);
    assert.ok((await asked()) > before, "the oldest were dropped");
    console.log(`      asked for: ${work.toFixed(1)} ms of work, ${wall.toFixed(0)} ms by the clock`);
    assert.ok(work < budget, `${work} ms of work`);
  });

  it("neither asks nor uploads again for another colormap, another range, or a step that is on show", async () => {
    await scrub("a", [5]);
    // The steps after it come by themselves.
    for (let count = -1; count !== (await asked()); await stage.page.waitForTimeout(100)) count = await asked();
    const before = { asks: await asked(), maps: await mapUploads() };
    await stage.choose("Colormap", "viridis");
    await stage.fill("Upper percentile of the range", "90");
    await stage.fill("Upper percentile of the range", "100");
    await stage.page.locator('.row[data-row="b"] .timeline input').focus();
    assert.deepEqual({ asks: await asked(), maps: await mapUploads() }, before);
  });

  async function mapUploads(): Promise<number> {
    return (await stage.uploads()).filter((size) => size === `${width}x${height}`).length;
  }
});
