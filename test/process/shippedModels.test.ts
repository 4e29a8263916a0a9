import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { folderBytes } from "../folderBytes";
import { plumbline, repository } from "./cliProcess";

/** What the shipped end-to-end estimators must reach on the held-out scenes; and how far leading-1 must lie behind trailing-1. */
const bar = { absrel: 16, delta1: 80, meanAngle: 22, trailingGain: 0.3 };

interface Row {
  readonly name: string;
  readonly absrel: number;
  readonly delta1: number;
  readonly meanAngle: number;
}

describe("the shipped models", () => {
  it("show the paper's findings on the held-out scenes: leading-1 useless, trailing-1 good, E2E best", async function () {
    this.timeout(300_000);
    const names = ["leading-1", "trailing-1", "trailing-4", "trailing-10", "e2e"];
    const { code, stdout, stderr } = await plumbline(["table", "--rows", names.join(","), "--device", "cpu", "--json"]);
    assert.equal(code, 0, stderr);
    const rows = JSON.parse(stdout) as Row[];
    assert.deepEqual(rows.map(({ name }) => name), names);
    const [leading, trailing, , , endToEnd] = rows;
    assert.ok(trailing.absrel <= (1 - bar.trailingGain) * leading.absrel, `AbsRel of trailing-1 ${trailing.absrel}, of leading-1 ${leading.absrel}`);
    assert.ok(leading.meanAngle > 60, `leading-1 is noise: mean angle ${leading.meanAngle}`);
    for (const row of rows.slice(0, -1)) {
      assert.ok(endToEnd.absrel < row.absrel && endToEnd.delta1 > row.delta1 && endToEnd.meanAngle < row.meanAngle, `E2E ${JSON.stringify(endToEnd)} against ${JSON.stringify(row)}`);
    }
    assert.ok(endToEnd.absrel <= bar.absrel && endToEnd.delta1 >= bar.delta1 && endToEnd.meanAngle <= bar.meanAngle, JSON.stringify(endToEnd));
  });

  it("fit into 60 MB, and each has a card with its figures, its failures, a word on photographs, and how to make it again", async () => {
    const models = join(repository, "models");
    const total = await folderBytes(models);
    assert.ok(total > 1e6 && total <= 60e6, `${total} bytes`);
    const { models: entries } = JSON.parse(await readFile(join(models, "catalogue.json"), "utf8")) as { models: { dir: string }[] };
    assert.equal(entries.length, 4);
    for (const { dir } of entries) {
      const card = await readFile(join(models, dir, "README.md"), "utf8");
      for (const part of ["**Trained on**", "## Figures", "trailing-1", "## On real photographs", "## What it gets wrong", "**Do not use it**", "## How it was made", "| seed |", "| samples seen |", "exportModels.py"]) assert.ok(card.includes(part), `${dir}/README.md says nothing of ${part}`);
      assert.match(card, /\| configuration \| `training\/configs\/\w+\.json`.*\n.*\n\| code \| commit `[0-9a-f]{12}`/, dir);
      // What a card points to is there, in this folder or beside it.
      for (const [, link] of card.matchAll(/\]\(([^)#]+)\)/g)) assert.ok((await stat(join(models, dir, link))).isFile(), `${dir}: ${link}`);
      if (!dir.includes("e2e")) continue;
      assert.ok(card.includes("](failures.jpg)") && card.includes("](failures.md)"), dir);
      assert.ok((await stat(join(models, dir, "failures.jpg"))).size <= 60_000, `${dir}/failures.jpg`);
    }
  });
});
