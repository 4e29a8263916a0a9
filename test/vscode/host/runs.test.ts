import assert from "node:assert/strict";
import * as vscode from "vscode";
import { extension, sample } from "./extension";
import { watchEventLoop } from "./loopWatch";

/** The longest that a run may keep the extension host from anything else, in milliseconds. */
const longestComputed = 50;
/** The same on a machine whose processors are all taken, where garbage collection waits for its helper threads. */
const longestHeld = 500;

const tabs = (): readonly vscode.Tab[] => vscode.window.tabGroups.all.flatMap((group) => group.tabs);
const panels = (): readonly vscode.Tab[] => tabs().filter(({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith("plumbline.geometry"));

describe("the watch on the event loop", () => {
  it("sees a block that computes, and one that sleeps", () => {
    const seen = (block: (millis: number) => void) => {
      const longest = watchEventLoop();
      block(150);
      return longest();
    };
    assert.ok(seen(spin).computed > 75);
    assert.ok(seen(sleep).held > 75);
  });
});

describe("runs in the extension host", () => {
  before(() => extension().activate());
  afterEach(() => vscode.window.tabGroups.close(tabs()));

  it("estimates an image and says that it finished", async () => {
    assert.equal(await vscode.commands.executeCommand("plumbline.estimate", sample("room.jpg")), "finished");
    assert.equal(panels().length, 1);
    assert.match(panels()[0].label, /room\.jpg/);
  });

  it("opens one panel for several selected images, the clicked one first", async () => {
    const selection = ["bowl.jpg", "coffee.jpg", "room.jpg"].map(sample);
    assert.equal(await vscode.commands.executeCommand("plumbline.estimate", selection[1], selection), "finished");
    assert.equal(panels().length, 1);
    assert.match(panels()[0].label, /coffee\.jpg/);
  });

  it("takes the image of the active editor when it is called without one", async () => {
    await vscode.commands.executeCommand("vscode.open", sample("temple.jpg"));
    assert.equal(await vscode.commands.executeCommand("plumbline.estimate"), "finished");
    assert.match(panels()[0].label, /temple\.jpg/);
  });

  it("says that a file which is no image failed, and stays usable", async () => {
    const broken = vscode.Uri.joinPath(vscode.Uri.file(process.env["TMPDIR"] ?? "/tmp"), `plumbline-${process.pid}.png`);
    await vscode.workspace.fs.writeFile(broken, new TextEncoder().encode("not a png"));
    try {
      assert.equal(await vscode.commands.executeCommand("plumbline.estimate", broken), "failed");
    } finally {
      await vscode.workspace.fs.delete(broken);
    }
    assert.equal(await vscode.commands.executeCommand("plumbline.estimate", sample("room.jpg")), "finished");
  });

  it("cancels a run", async () => {
    const steps = vscode.workspace.getConfiguration("plumbline");
    await steps.update("defaultSteps", 1000, vscode.ConfigurationTarget.Global);
    try {
      const outcome = vscode.commands.executeCommand("plumbline.compare", sample("window.jpg"));
      const ended = await Promise.race([outcome, cancelUntilEnded(outcome)]);
      assert.equal(ended, "cancelled");
    } finally {
      await steps.update("defaultSteps", undefined, vscode.ConfigurationTarget.Global);
    }
  });

  it(`never blocks the extension host for more than ${longestComputed} ms`, async () => {
    await vscode.commands.executeCommand("plumbline.estimate", sample("bowl.jpg")); // code is loaded and compiled once
    const longest = watchEventLoop();
    assert.equal(await vscode.commands.executeCommand("plumbline.compare", sample("mountain.jpg")), "finished");
    const { computed, held } = longest();
    assert.ok(computed <= longestComputed, `computed for ${computed.toFixed(0)} ms`);
    assert.ok(held <= longestHeld, `held for ${held.toFixed(0)} ms`);
  });
});

/** Cancels again and again: the run starts only when the panel's page is ready. */
async function cancelUntilEnded(outcome: Thenable<unknown>): Promise<unknown> {
  let ended = false;
  void outcome.then(() => (ended = true));
  while (!ended) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    await vscode.commands.executeCommand("plumbline.cancel");
  }
  return outcome;
}

function spin(millis: number): void {
  const start = process.cpuUsage();
  for (let used = 0; used < millis; ) {
    const { user, system } = process.cpuUsage(start);
    used = (user + system) / 1000;
  }
}

function sleep(millis: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis);
}
