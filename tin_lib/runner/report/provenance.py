"""What made a run, for the report's section "How this was made"."""

from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import files


def provenance(
    run: Path, records: dict[str, dict[str, Any]], results: pd.DataFrame
) -> dict[str, str]:
    """What made this run: command, data, profile, devices, versions, commit."""
    asked = files.read_object(run / "run.json") if (run / "run.json").is_file() else {}
    parameters = asked.pop("parameters", {})
    named = parameters.items() if isinstance(parameters, dict) else ()
    given = ", ".join(f"{name}={value}" for name, value in named)
    machines = {record["machine"] for record in records.values() if record.get("machine")}
    versions = {f"{k} {v}" for r in records.values() for k, v in r.get("versions", {}).items()}
    facts = asked | {
        "parameters": given,
        "machine": "; ".join(sorted(machines)),
        "training data": "; ".join(sorted(set(results.data.dropna()))),
        "training device": "; ".join(sorted(set(results.device.dropna()))),
        "training precision": "; ".join(sorted(set(results.precision.dropna()))),
        "versions": ", ".join(sorted(versions)),
    }
    return {name: str(value) for name, value in facts.items() if value}
