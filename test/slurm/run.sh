#!/usr/bin/env bash
# Runs the example of docs/slurm.md on a real Slurm of one node and compares the merged result with an undivided run.
# Exit code 77: Slurm is not there and cannot be installed.
#   bash test/slurm/run.sh
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
export PATH="$PATH:/usr/sbin"

if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then exit 77; fi
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends slurm-wlm munge; } >&2 || exit 77
fi

dir="$(mktemp -d)"
stop() {
  local pids
  mapfile -t pids < <(cat "$dir"/*.pid 2>/dev/null)
  kill "${pids[@]}" 2>/dev/null || true
  # The controller writes down its state when it ends: not before all have ended can the folder go.
  for _ in $(seq 100); do kill -0 "${pids[@]}" 2>/dev/null || break; sleep 0.1; done
  rm -rf "$dir" 2>/dev/null || { sleep 2; rm -rf "$dir"; } # a job's own daemon may write its last lines
}
trap stop EXIT
fail() {
  echo "$1" >&2
  tail -n 40 "$dir"/*.log "$dir"/work/logs/* >&2 2>/dev/null || true
  exit 1
}
# Prints when the command succeeds, tried for half a minute.
await() {
  for _ in $(seq 120); do "$@" >/dev/null 2>&1 && return; sleep 0.25; done
  fail "Waited in vain for: $*"
}
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }

# Munge, the controller and one node, all with files and ports of their own. No control groups: a container may have none to give.
user="$(id -un)"
node="$(hostname -s)"
chmod 755 "$dir"
mkdir -p "$dir/state" "$dir/spool" "$dir/bin" "$dir/work"
head -c 1024 /dev/urandom >"$dir/munge.key"
chmod 600 "$dir/munge.key"
munged --force --key-file="$dir/munge.key" --socket="$dir/munge.sock" --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" --seed-file="$dir/munge.seed"
cat >"$dir/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/munge.sock
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
NodeName=$node NodeAddr=127.0.0.1 CPUs=3 State=UNKNOWN
PartitionName=main Nodes=$node Default=YES State=UP
END
export SLURM_CONF="$dir/slurm.conf"
slurmctld
slurmd
await scontrol ping
await sh -c "sinfo --noheader --format=%T | grep --quiet --extended-regexp '^(idle|mixed|allocated)'"

# The example as it stands in docs/slurm.md, but for the GPU, which this node lacks, and for smaller tasks.
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$(command -v node)" "$root/dist/cli.js" >"$dir/bin/plumbline"
chmod +x "$dir/bin/plumbline"
export PATH="$dir/bin:$PATH"
cd "$dir/work"
cp -r "$root/media/samples" photos
cat >plumbline.spotcheck.json <<'END'
{ "format": "plumbline-spotcheck", "version": 1, "folder": "photos",
  "runs": [{ "name": "e2e", "depth": "plumbline-e2e-depth", "steps": 1, "processingResolution": 96 }] }
END
awk -v dir="$dir/work" '/^```bash$/ { inside = 1; block++; next } /^```$/ { inside = 0 } inside { print > (dir "/block-" block) }' "$root/docs/slurm.md"
grep --invert-match -- '--gpus' block-1 >array.sh
sed 's/sbatch --parsable/sbatch --parsable --array=1-3 --cpus-per-task=1/; s/sbatch --dependency/sbatch --wait --dependency/' block-2 >submit.sh
timeout 300 bash -euo pipefail submit.sh || fail "The merge job failed."

shards="$(find shards -name samples.csv | wc -l)"
[ "$shards" = 3 ] || fail "Expected 3 shards but received $shards."
plumbline spot-check --config plumbline.spotcheck.json --out whole
node - whole/samples.csv result/samples.csv <<'END' || fail "The merged result differs from the undivided one."
const { readFileSync } = require("node:fs");
// Lines without the one column that a clock decides.
const [whole, merged] = process.argv.slice(2).map((path) => {
  const lines = readFileSync(path, "utf8").trimEnd().split("\r\n").map((line) => line.split(","));
  const clock = lines[0].indexOf("millis_ms");
  return lines.map((line) => line.filter((_, i) => i !== clock).join(",")).join("\n");
});
const images = whole.split("\n").length - 1;
if (images !== 8 || whole !== merged) process.exit(1);
console.log(`${require("node:child_process").execFileSync("sinfo", ["--version"], { encoding: "utf8" }).trim()}: 3 tasks, ${images} images, merged as undivided.`);
END
