#!/usr/bin/env bash
# Starts one dask worker for each GPU of this machine, or a single worker if it has no GPU.
#   docs/cluster/workers.sh tcp://HOST:8786
#   docs/cluster/workers.sh --scheduler-file FILE
# Each worker runs one notebook or fit at a time, in a process that can use only the worker's GPU.
# CUDA_VISIBLE_DEVICES=0,1 before the command selects these GPUs, CUDA_VISIBLE_DEVICES= selects none.
set -euo pipefail
cd "$(dirname "$0")/../.."

# No memory limit: memory is used by the processes that a worker starts, which dask does not count.
# A worker exits if it has had no scheduler for a minute.
worker=(.venv/bin/dask worker --nthreads 1 --memory-limit 0 --no-dashboard --death-timeout 60 "$@")
gpus=${CUDA_VISIBLE_DEVICES-$(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null || true)}

if [ -z "$gpus" ]; then
  exec "${worker[@]}"
fi
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap exit INT TERM
for gpu in ${gpus//,/ }; do
  CUDA_VISIBLE_DEVICES=$gpu "${worker[@]}" --resources GPU=1 &
done
wait
