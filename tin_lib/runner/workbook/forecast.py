"""What a run would do, without doing it: ``tin run --dry-run``."""

import graphlib
from dataclasses import dataclass

from tin_lib.runner.workbook.graph import Graph

UNPACKED = "the data are not packed yet, so that they cannot be compared"


@dataclass(frozen=True)
class Forecast:
    """What would happen to one step."""

    name: str
    reason: str  # why it would run; empty if it is up to date

    def __str__(self) -> str:
        return f"would run: {self.reason}" if self.reason else "up to date"


def forecast(graph: Graph) -> list[Forecast]:
    """What a run would do with each step, in reading order. Writes nothing."""
    needs = {name: graph.needs(name) for name in graph.names}
    found: dict[str, str] = {}
    for name in graphlib.TopologicalSorter(needs).static_order():
        first = [need for need in needs[name] if found[need]]
        reason = graph.reason_to_run(name)
        if not graph.plan.fingerprint and reason.startswith("changed"):
            reason = UNPACKED
        # One that ran changes the record that the key of those that need it depends on.
        found[name] = reason or (f"{', '.join(first)} would run before" if first else "")
    return [Forecast(name, found[name]) for name in graph.names]
