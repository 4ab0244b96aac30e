import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("launched", [True, False])
def test_a_process_of_torchrun_ends_without_pythons_own_end(launched: bool) -> None:
    """During which gloo's threads abort now and then."""
    script = "import atexit; from tin_lib.lab.process import end_process; "
    script += "atexit.register(print, 'end'); print('done'); end_process(3)"
    environment = {k: v for k, v in os.environ.items() if k != "WORLD_SIZE"}
    job = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | ({"WORLD_SIZE": "1"} if launched else {}),
        capture_output=True,
        text=True,
    )
    assert job.returncode == 3, job.stderr
    assert job.stdout.split() == (["done"] if launched else ["done", "end"])
