import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { repository } from "./cliProcess";

/** What run.sh ends with where Slurm is not there and cannot be installed. */
const notInstalled = 77;

describe("a spot check on a cluster", function () {
  this.timeout(600_000);

  it("runs the job array of docs/slurm.md on a real Slurm, and merges to what one run finds", async () => {
    const child = spawn("bash", [join(repository, "test/slurm/run.sh")], { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
    child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
    const code = await new Promise<number | null>((done, fail) => child.once("error", fail).once("close", done));
    if (code === notInstalled) {
      console.warn("\n*** NOT TESTED: the example of docs/slurm.md. Slurm (slurm-wlm, munge) is not on this machine and cannot be installed here. ***\n");
      return;
    }
    assert.equal(code, 0, stderr);
    assert.match(stdout, /3 tasks, 8 images, merged as undivided/);
  });
});
