"""Records ``RUN/steps/NN.json``: the state of each step, and whether it is still up to date.

A step is up to date if its notebook, its parameters, the data, the library's source, the steps it
needs and the files it reads are unchanged since it last finished, and its outputs exist.
Only a finished step's record counts: one that failed or was interrupted runs again.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tin_lib import files
from tin_lib.runner.workbook import own_networks
from tin_lib.runner.workbook.parameters import COMMON
from tin_lib.runner.workbook.spec import Step, Workbook

OK, FAILED, STARTED, BLOCKED = "ok", "failed", "started", "not run"


def record_path(run: Path, name: str) -> Path:
    """The path of a step's record."""
    return run / "steps" / f"{name}.json"


def read(run: Path, name: str) -> dict[str, Any]:
    """A step's record; empty if there is none or it is damaged."""
    try:
        return dict(files.read_json(record_path(run, name)))
    except (OSError, ValueError, TypeError):
        return {}


def write(run: Path, name: str, status: str, **facts: Any) -> None:
    """Record a step's state."""
    record = {"status": status, "written": time.strftime("%Y-%m-%d %H:%M:%S"), **facts}
    files.write_json(record_path(run, name), record | {"id": digest(record, time.time_ns())})


def digest(*values: Any) -> str:
    """SHA-256 of values that JSON can express, 64 hex digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def notebook_digest(path: Path) -> str:
    """Digest of a notebook's code and prose; outputs and metadata do not count."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return digest([(cell["cell_type"], "".join(cell["source"])) for cell in cells])


def matching_files(run: Path, globs: Iterable[str]) -> list[Path]:
    """The files that the globs match in the run's folder, sorted."""
    return sorted({path for glob in globs for path in run.glob(glob) if path.is_file()})


def files_digest(run: Path, globs: Iterable[str]) -> str:
    """Digest of the names and contents of the files that the globs match."""
    found = [(str(p.relative_to(run)), files.file_digest(p)) for p in matching_files(run, globs)]
    return digest(found)


def missing(run: Path, globs: Iterable[str]) -> list[str]:
    """The globs that match no file."""
    return [glob for glob in globs if not matching_files(run, [glob])]


def key(
    workbook: Workbook, step: Step, parameters: dict[str, Any], fingerprint: str, run: Path
) -> str:
    """What a step's result depends on, as one digest.

    ``data`` and ``run`` count by content, not by path, so that a moved run stays up to date.
    """
    return digest(
        notebook_digest(workbook.notebook(step.name)),
        {name: value for name, value in parameters.items() if name not in COMMON},
        fingerprint,
        {need: read(run, need).get("id") for need in step.needs},
        files_digest(run, step.inputs),
        weights_digest(parameters.get("weights")),
        network_digest(parameters.get("network"), workbook.folder),
        files.source_digest(),
    )


def weights_digest(weights: Any) -> str | None:
    """Digest of the file of starting weights, if the step has one: its content may change."""
    if not isinstance(weights, str):
        return None
    from tin_lib.networks.pretrained import weights_digest  # slow to import: it brings torch

    return weights_digest(weights)


def network_digest(network: Any, folder: Path) -> str | None:
    """Digest of the source of a user's own network, if the step has one."""
    source = own_networks.source_file(network, folder)
    return files.file_digest(source) if source and source.is_file() else None


def up_to_date(run: Path, step: Step, wanted: str) -> bool:
    """Whether the step finished with this key and its outputs exist."""
    record = read(run, step.name)
    executed = run / "notebooks" / f"{step.name}.ipynb"
    same = record.get("status") == OK and record.get("key") == wanted
    return same and executed.is_file() and not missing(run, step.outputs)
