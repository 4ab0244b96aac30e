"""Shared by the benchmarks: alternating measurements, one table, one last line of JSON.

Import it before torch.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Idle OpenMP threads sleep. By default they spin, and on a shared machine they occupy cores that
# other processes need. It must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torchvision

HERE = Path(__file__).parent


@dataclass
class Rate:
    """Repeated measurements of one contender, in units a second."""

    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def best(self) -> float:
        return max(self.samples)

    @property
    def spread(self) -> float:
        """Half the range from the slowest to the fastest run, as a share of the median."""
        return (max(self.samples) - min(self.samples)) / 2 / self.median


# Does some work and returns the number of units and the seconds.
Work = Callable[[], tuple[int, float]]


def by_turns(contenders: Mapping[str, Work], rounds: int = 7) -> dict[str, Rate]:
    """Measures all contenders in turn, round after round, after one round that does not count.

    So other load on the machine affects all of them alike.
    """
    rates = {name: Rate() for name in contenders}
    for turn in range(rounds + 1):
        for name, work in contenders.items():
            units, seconds = work()
            if turn:
                rates[name].samples.append(units / seconds)
    return rates


def timed(work: Callable[[], int], device: str = "cpu") -> Work:
    """A contender from a function that returns how many units it did; waits for the device."""

    def run() -> tuple[int, float]:
        wait(device)
        start = time.perf_counter()
        units = work()
        wait(device)
        return units, time.perf_counter() - start

    return run


def wait(device: str) -> None:
    """Wait until the device has finished all queued work."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of equal keys as aligned text columns; the first left-aligned, the others right."""
    names = list(rows[0])
    cells = [names, *([text(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(names))]
    lines = [_aligned(line, widths) for line in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def text(value: object) -> str:
    """A cell: text as it is, numbers to three digits or more, "–" for None (does not apply)."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.rjust(width) if k else cell.ljust(width)
        for k, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join([first, *rest])


def command() -> str:
    """The command line, with folders and files shortened to their names."""
    words = ["python", f"{HERE.name}/{Path(sys.argv[0]).name}", *map(shortened, sys.argv[1:])]
    return shlex.join(words)


def shortened(argument: str) -> str:
    """An argument; of a path, alone or behind ``option=``, its last part."""
    option, equals, value = argument.rpartition("=")
    path = Path(value)
    found = path.is_absolute() or path.exists()
    return option + equals + (Path(os.path.abspath(value)).name if found else value)


def commit() -> str:
    """The commit of the code, with "-dirty" where files differ; "unknown" outside a checkout."""
    git = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine(device: str = "cpu") -> dict[str, object]:
    """What it ran on: device, processor, cores, threads and versions."""
    on_gpu = device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else platform.machine() + " CPU",
        **processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "python": platform.python_version(),
    }


def processor() -> dict[str, object]:
    """The CPU's name, and whether it has AMX, units that multiply bf16 matrices."""
    about = Path("/proc/cpuinfo")  # Linux only
    text = about.read_text() if about.is_file() else ""
    name = re.search(r"^model name\s*:\s*(.+)", text, re.MULTILINE)
    return {"processor": name[1] if name else platform.processor(), "amx": "amx_tile" in text}


def finish(name: str, ratios: Mapping[str, float], device: str = "cpu", **details: object) -> None:
    """Prints the last line: JSON with the ratios, the command, the commit, the machine, details.

    A file of such lines, ``results/benchmarks.jsonl`` say, is one table: read_json(lines=True).
    """
    rounded = {key: round(value, 3) for key, value in ratios.items()}
    made = {"command": command(), "commit": commit()}
    line = {"benchmark": name, "ratios": rounded, **made, **details, "machine": machine(device)}
    print(json.dumps(line))
