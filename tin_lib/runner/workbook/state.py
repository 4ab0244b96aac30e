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
from tin_lib.lab.formatting import shorten
from tin_lib.runner.workbook import own_networks
from tin_lib.runner.workbook.parameters import COMMON
from tin_lib.runner.workbook.spec import Step, Workbook

OK, FAILED, STARTED, BLOCKED = "ok", "failed", "started", "not run"
PARAMETERS, DATA = "its parameters", "the data"  # names of parts, see ``parts``


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


def parts(
    workbook: Workbook, step: Step, parameters: dict[str, Any], fingerprint: str, run: Path
) -> dict[str, str]:
    """What a step's result depends on, each part as a digest.

    ``data`` and ``run`` count by content, not by path, so that a moved run stays up to date.
    """
    values = {
        "its notebook": notebook_digest(workbook.notebook(step.name)),
        PARAMETERS: {name: value for name, value in parameters.items() if name not in COMMON},
        DATA: fingerprint,
        "the results of the notebooks that it needs": {
            n: read(run, n).get("id") for n in step.needs
        },
        "the files that it reads": files_digest(run, step.inputs),
        "the starting weights": weights_digest(parameters.get("weights")),
        "the network's source": network_digest(parameters.get("network"), workbook.folder),
        "the library's source": files.source_digest(),
    }
    return {name: digest(value) for name, value in values.items()}


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


def reason_to_run(run: Path, step: Step, wanted: dict[str, str], parameters: dict[str, Any]) -> str:
    """Why the step must run with these ``parts`` and parameters; empty if it is up to date."""
    record = read(run, step.name)
    status = record.get("status")
    if status != OK:
        before = {FAILED: "it failed", STARTED: "it was interrupted", BLOCKED: "it was not run"}
        return before.get(str(status), "it has not run yet")
    if record.get("key") != digest(wanted):
        return changes(record, wanted, parameters)
    if not (run / "notebooks" / f"{step.name}.ipynb").is_file():
        return "its executed notebook is missing"
    absent = missing(run, step.outputs)
    return f"{absent[0]} is missing" if absent else ""


def changes(record: dict[str, Any], wanted: dict[str, str], parameters: dict[str, Any]) -> str:
    """Which parts differ from those of the record, e.g. ``changed: its notebook; epochs 2 → 3``."""
    known, before = record.get("parts"), record.get("parameters")
    known, before = (each if isinstance(each, dict) else {} for each in (known, before))
    differ = [name for name, value in wanted.items() if known.get(name) != value]
    names = sorted({*before, *parameters} - {*COMMON}) if PARAMETERS in differ else []
    values = [(name, before.get(name), parameters.get(name)) for name in names]
    texts = [f"{name} {shown(old)} → {shown(new)}" for name, old, new in values if old != new]
    texts = [name for name in differ if name != PARAMETERS or not texts] + texts
    return f"changed: {', '.join(texts) if known else 'something that was not recorded'}"


def shown(value: Any) -> str:
    """A parameter's value in a message."""
    return "default" if value is None else shorten(str(value), 30)
