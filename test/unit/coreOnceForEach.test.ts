import assert from "node:assert/strict";
import { onceForEach } from "../../src/core/onceForEach";

describe("core/onceForEach", () => {
  it("asks once for each key, also while the first answer is on its way and when it was an error", async () => {
    const asked: string[] = [];
    const lengthOf = onceForEach(async ({ name }: { readonly name: string }) => {
      asked.push(name);
      await Promise.resolve();
      if (name === "") throw new Error("empty");
      return name.length;
    }, ({ name }) => name);
    assert.deepEqual(await Promise.all([lengthOf({ name: "ab" }), lengthOf({ name: "abc" }), lengthOf({ name: "ab" })]), [2, 3, 2]);
    await assert.rejects(lengthOf({ name: "" }), /empty/);
    await assert.rejects(lengthOf({ name: "" }), /empty/);
    assert.deepEqual(asked, ["ab", "abc", ""]);
  });
});
