#!/usr/bin/env bash
# One dask worker for each GPU of this machine; one for the whole machine where it has no GPU.
#   docs/cluster/workers.sh tcp://HOST:8786
#   docs/cluster/workers.sh --scheduler-file FILE
# Each worker runs one notebook or fit at a time, in a process that sees the worker's GPU alone.
# CUDA_VISIBLE_DEVICES=0,1 in front takes these GPUs only, CUDA_VISIBLE_DEVICES= none.
set -euo pipefail
cd "$(dirname "$0")/../.."

# No memory limit: what uses memory are the processes that a worker starts, which dask does not see.
# A worker whose scheduler is gone ends; it waits a minute for one that is not there yet.
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
