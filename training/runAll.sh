#!/bin/bash
# Runs every stage in order; a stage that is complete is skipped, one that was interrupted resumes. Usage: runAll.sh [CONFIG]
# PYTHON: the interpreter with PyTorch; PROCESSES: processes to share a stage (default: one per core, or per GPU).
set -euo pipefail
cd "$(dirname "$0")"
config=$(realpath "${1:-configs/mini.json}")
python=${PYTHON:-python3}
processes=${PROCESSES:-$($python -c 'import os, torch; print(torch.cuda.device_count() or os.cpu_count())')}

# Without these, page faults of freshly mapped memory dominate large CPU convolutions (up to 7 times slower).
export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} MASTER_ADDR=127.0.0.1 PYTHONUNBUFFERED=1

# parallel SCRIPT ARGUMENT...: one process per core or GPU, gradients averaged; fails if any process fails.
parallel() {
  local pids=() rank
  export MASTER_PORT=$((20000 + RANDOM % 20000))
  for ((rank = 0; rank < processes; rank++)); do
    RANK=$rank LOCAL_RANK=$rank WORLD_SIZE=$processes "$python" "$@" & pids+=($!)
  done
  local pid
  for pid in "${pids[@]}"; do wait "$pid"; done
}

parallel trainVae.py "$config"
parallel encodeLatents.py "$config"
parallel trainDiffusion.py "$config"
# One task per process: two independent runs side by side.
"$python" trainE2e.py "$config" depth & depth=$!
"$python" trainE2e.py "$config" normals & normals=$!
wait $depth
wait $normals
OMP_NUM_THREADS=$processes "$python" evaluate.py "$config"
"$python" exportModels.py "$config"
