#!/usr/bin/env bash
# `tin run` or `tin sweep` over machines that this one reaches by SSH without a password:
#   HOSTS="node1 node2" docs/cluster/ssh.sh run --data DIR/tiny-imagenet-200 --run runs/NAME --profile paper
# This folder must be on a file system that all of them see under the same path; so must the data
# and the run. The scheduler runs here. The same command resumes from what is finished.
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
# At least one worker a machine; those of its other GPUs join as they come up.
address=$(.venv/bin/python docs/cluster/wait_for_workers.py "$about" "${#hosts[@]}")
.venv/bin/tin "$@" --cluster "$address"
