"""What the benchmarks share: timing by turns, one table, one last line of JSON.

Import it before torch.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

# Threads that have nothing to do sleep. Spinning, which is the default, they hold the cores that
# the others wait for as soon as a machine is shared. It must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch


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


# Does some work and says how many units it did and in how many seconds.
Work = Callable[[], tuple[int, float]]


def by_turns(contenders: Mapping[str, Work], rounds: int = 7) -> dict[str, Rate]:
    """Measures all contenders in turn, round after round, after one round that does not count.

    So whatever else the machine does meets all of them alike.
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
    """Until the device has done all it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of equal keys as aligned text columns; the first to the left, the others right."""
    names = list(rows[0])
    cells = [names, *([str(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(names))]
    lines = [_aligned(line, widths) for line in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.rjust(width) if k else cell.ljust(width)
        for k, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join([first, *rest])


def machine(device: str = "cpu") -> dict[str, object]:
    """What it ran on: device, cores, threads and versions."""
    on_gpu = device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else platform.machine() + " CPU",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def finish(name: str, ratios: Mapping[str, float], device: str = "cpu", **details: object) -> None:
    """Prints the last line: JSON with the ratios, the machine and whatever else is given."""
    rounded = {key: round(value, 3) for key, value in ratios.items()}
    line = {"benchmark": name, "ratios": rounded, **details, "machine": machine(device)}
    print(json.dumps(line))
