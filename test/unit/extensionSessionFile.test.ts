import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileSha256, readSession, sessionText, type Session } from "../../src/extension/sessionFile";
import type { PanelState } from "../../src/protocol/panel";

describe("a session file", () => {
  let folder: string;
  let file: string;
  let session: Session;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "plumbline-session-"));
    mkdirSync(join(folder, "images"));
    writeFileSync(join(folder, "images/room.png"), "room");
    writeFileSync(join(folder, "truth.npy"), "truth");
    file = join(folder, "room.plumbline.json");
    session = { images: [{ path: join(folder, "images/room.png"), sha256: "ab" }], state: stateWith(join(folder, "truth.npy")), models: [{ id: "d", name: "Depth" }], rest: {} };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const read = (text: string): Promise<Session> => readSession(file, new TextEncoder().encode(text));
  const changed = (change: (saved: Saved) => void): string => {
    const saved = JSON.parse(sessionText(file, session)) as Saved;
    change(saved);
    return JSON.stringify(saved);
  };

  it("comes back as it was written", async () => {
    assert.deepEqual(await read(sessionText(file, session)), session);
  });

  it("names its files relative to itself, with forward slashes, and where they were", () => {
    const saved = JSON.parse(sessionText(file, session)) as Saved;
    assert.deepEqual(saved.images, [{ path: "images/room.png", absolute: join(folder, "images/room.png"), sha256: "ab" }]);
    assert.deepEqual(saved.files, [{ path: "truth.npy", absolute: join(folder, "truth.npy") }]);
    assert.deepEqual([saved.format, saved.version], ["plumbline-session", 1]);
  });

  it("finds its images and files when the whole folder was moved, and when the file alone was", async () => {
    const text = sessionText(file, session);
    const elsewhere = join(folder, "elsewhere/room.plumbline.json");
    const alone = await readSession(elsewhere, new TextEncoder().encode(text));
    assert.equal(alone.images[0].path, join(folder, "images/room.png"));
    assert.equal(alone.state.view.truth?.path, join(folder, "truth.npy"));
    const moved = `${folder}-moved`;
    renameSync(folder, moved);
    try {
      const whole = await readSession(join(moved, "room.plumbline.json"), new TextEncoder().encode(text));
      assert.equal(whole.images[0].path, join(moved, "images/room.png"));
      assert.equal(whole.state.view.truth?.path, join(moved, "truth.npy"));
    } finally {
      renameSync(moved, folder);
    }
  });

  it("says where an image should be that is nowhere", async () => {
    rmSync(join(folder, "images/room.png"));
    assert.equal((await read(sessionText(file, session))).images[0].path, join(folder, "images/room.png"));
  });

  it("keeps what this version does not know", async () => {
    const text = changed((saved) => {
      saved.comment = "ours";
      saved.state.lens = 50;
      saved.state.settings.rows[0].colour = "red";
    });
    const again = JSON.parse(sessionText(file, await read(text))) as Saved;
    assert.equal(again.comment, "ours");
    assert.equal(again.state.lens, 50);
    assert.equal(again.state.settings.rows[0].colour, "red");
  });

  it("of a newer version is refused, with what to do", async () => {
    for (const change of [(saved: Saved) => (saved.version = 2), (saved: Saved) => (saved.state.version = 99)]) {
      await assert.rejects(read(changed(change)), { code: "protocol-mismatch", message: /was saved by a newer version of Plumbline/, remedy: /Update Plumbline.*left as it is/ });
    }
  });

  it("that is damaged or something else is refused, naming what is wrong", async () => {
    const damages: readonly (readonly [string, RegExp])[] = [
      ["{", /Expected JSON/],
      ["[]", /Expected a JSON object/],
      ["{\"format\": \"x\"}", /"format"/],
      [changed((saved) => delete saved.version), /"version"/],
      [changed((saved) => (saved.images = [])), /"images"/],
      [changed((saved) => (saved.models = [{ id: 3 }])), /"models"/],
      [changed((saved) => (saved.state = [] as never)), /"state"/],
      [changed((saved) => (saved.state.current = 7)), /"state.current"/],
      [changed((saved) => (saved.state.settings.rows[0].steps = 0)), /"state.settings.rows\[0\].steps"/],
      [changed((saved) => (saved.state.settings.rows[0].noise = { kind: "file" })), /noise/],
      [changed((saved) => saved.state.settings.rows.push(saved.state.settings.rows[0])), /rows with ids of their own/],
      [changed((saved) => (saved.state.view.rangePercentiles = [1])), /"state.view.rangePercentiles"/],
      [changed((saved) => (saved.state.view.pinned = { kind: "step", rowId: "a", task: "depth", step: -1 })), /"state.view.pinned"/],
      [changed((saved) => (saved.state.view.stage = { kind: "ab" })), /"state.view.stage"/],
    ];
    for (const [text, message] of damages) await assert.rejects(read(text), { code: "bad-argument", message });
  });

  it("knows a changed image by its hash", async () => {
    assert.equal(await fileSha256(join(folder, "truth.npy")), createHash("sha256").update("truth").digest("hex"));
    assert.equal(await fileSha256(join(folder, "nowhere")), undefined);
  });
});

/** A saved session as loosely as a hand may change it. */
interface Saved {
  [field: string]: unknown;
  version?: number;
  images: unknown;
  state: { [field: string]: unknown; current: number; settings: { rows: Record<string, unknown>[] }; view: Record<string, unknown> };
}

function stateWith(truth: string): Omit<PanelState, "images"> {
  const file = { kind: "file", path: truth, task: "depth" } as const;
  const step = { kind: "step", rowId: "a", task: "depth", step: 3 } as const;
  return {
    version: 1,
    current: 0,
    settings: { rows: [{ rowId: "a", label: "A", models: { depth: "d" }, steps: 10, spacing: "leading", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 5, device: "cpu" }], seed: 1, processingResolution: 768 },
    view: {
      colormap: "Spectral", rangePercentiles: [2, 98], showStd: true, truth: file, pinned: step, shownSteps: { a: 2 }, dock: "noise",
      stage: { kind: "ab", a: step, b: file, mode: "wipe", split: 0.5 }, probes: [{ u: 0.5, v: 0.25 }],
    },
  };
}
