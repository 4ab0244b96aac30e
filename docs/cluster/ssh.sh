#!/usr/bin/env bash
# `tin run` or `tin sweep` on machines that this one can log in to by SSH without a password:
#   HOSTS="node1 node2" docs/cluster/ssh.sh run --data DIR/tiny-imagenet-200 --run runs/NAME --profile paper
# This folder, the data and the run must be on a file system that all machines mount under the same
# path. The scheduler runs on this machine. Rerun the same command to resume.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${HOSTS:?name the machines: HOSTS=\"node1 node2\"}"
read -ra hosts <<< "$HOSTS"

about=$PWD/runs/dask-$$.json
mkdir -p runs
trap 'kill $(jobs -p) 2>/dev/null; rm -f "$about"' EXIT
trap exit INT TERM
.venv/bin/dask scheduler --port 0 --no-dashboard --scheduler-file "$about" &
for host in "${hosts[@]}"; do
  ssh "$host" "$(printf '%q ' "$PWD/docs/cluster/workers.sh" --scheduler-file "$about")" &
done
# Waits for one worker per machine; the workers of its other GPUs are used as soon as they connect.
address=$(.venv/bin/python docs/cluster/wait_for_workers.py "$about" "${#hosts[@]}")
.venv/bin/tin "$@" --cluster "$address"
