"""Wait for a scheduler and its workers, then print its address: FILE COUNT [SECONDS].

FILE is written by ``dask scheduler --scheduler-file FILE``; COUNT is the number of workers.
"""

import sys
import time
from pathlib import Path

from distributed import Client

file, count = Path(sys.argv[1]), int(sys.argv[2])
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 600.0
end = time.monotonic() + seconds
while not file.is_file():
    if time.monotonic() > end:
        sys.exit(f"{file}: not written by a scheduler within {seconds:g} s")
    time.sleep(0.5)
with Client(scheduler_file=str(file), timeout=seconds) as client:
    client.wait_for_workers(count, timeout=seconds)
    print(client.scheduler.address)
