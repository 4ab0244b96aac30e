"""A process that trains one fit after another: ``python -m tin_lib.runner.jobs.fit_worker``.

Starting Python and importing torch takes longer than a small fit. A request is one line of JSON on
standard input; the outcome is a file. The process ends when standard input closes.
"""

import functools
import json
import os
import queue
import threading
import traceback
from pathlib import Path
from typing import Any

from tin_lib import files
from tin_lib.analysis.arms import DIVERGED
from tin_lib.progress import Progress
from tin_lib.recipes import Recipe


class Recorder(Progress):
    """Keeps the epochs that are trained here, of a fit that may end without a history."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Keep the epoch's row."""
        self.rows.append(row)


@functools.lru_cache(maxsize=4)
def opened(request: str) -> Any:
    """The data that ``open_data``'s arguments, as JSON, name."""
    from tin_lib.data import open_data

    return open_data(**json.loads(request))


def train_one(request: dict[str, Any]) -> dict[str, Any]:
    """Train the fit; its error as text, "" for none. A divergence is recorded, and no error."""
    try:
        train(request)
    except Exception as error:  # no memory, no device: this fit's failure, not the others'
        traceback.print_exc()
        return {"error": str(error) or type(error).__name__}
    return {"error": ""}


def train(request: dict[str, Any]) -> None:
    """Train the fit, or record that its loss diverged."""
    from tin_lib.train import Diverged, fit

    recorder, folder = Recorder(), Path(request["output"])
    data = opened(json.dumps(request["request"]))
    recipe = Recipe.from_dict(request["recipe"])
    # Another notebook may train the same fit right now: then this one finds it finished.
    with files.waiting_lock(folder.parent / f".{folder.name}.wait"):
        if (folder / DIVERGED).is_file():
            return
        try:
            fit(recipe, data, folder, device=request["device"], progress=recorder)
        except Diverged as error:
            history = whole_history(folder, recorder.rows)
            record = {"epoch": len(history) + 1, "message": str(error), "history": history}
            files.write_json(folder / DIVERGED, record)


def whole_history(folder: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs ``rows``, and before them those that an interrupted training has saved."""
    from tin_lib.train.checkpoint import HISTORY

    path = folder / HISTORY
    saved = map(json.loads, path.read_text().splitlines()) if path.is_file() else ()
    return [row for row in saved if not rows or row["epoch"] < rows[0]["epoch"]] + rows


def read_requests(requests: "queue.Queue[dict[str, Any]]") -> None:
    """Queue the requests as they come; when their pipe closes, end the process in mid-fit."""
    result = None
    with open(0, encoding="utf-8", closefd=False) as pipe:
        for line in pipe:
            requests.put(json.loads(line))
            result = Path(json.loads(line)["result"])
    if result:  # nobody will read the last one
        result.unlink(missing_ok=True)
    os._exit(1)


def main() -> None:
    """Serve requests until standard input closes."""
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=read_requests, args=(requests,), daemon=True).start()
    while True:  # fits in the main thread, which ``kept_blocks`` asks for
        request = requests.get()
        print(f"fit {request['output']}", flush=True)
        files.write_json(Path(request["result"]), train_one(request))


if __name__ == "__main__":
    main()
