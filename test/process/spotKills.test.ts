import assert from "node:assert/strict";
import { killSpotChecks } from "./spotKills";

describe("a spot check that is killed", function () {
  this.timeout(900_000);

  it("15 times at any moment loses nothing, does nothing twice, and ends with the table of an undisturbed run", async () => {
    const { kills, within, ended } = await killSpotChecks(15, 2024);
    assert.ok(kills >= 15 && ended >= 1);
    assert.ok(within >= 3, `${within} of ${kills} kills were while images came`);
  });
});
