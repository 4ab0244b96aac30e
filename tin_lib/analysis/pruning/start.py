"""Starting weights from a fit's pruned network."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tin_lib import networks
from tin_lib.analysis import runs
from tin_lib.analysis.pruning.filters import prune_filters
from tin_lib.analysis.pruning.magnitude import SCOPES, check_keep, prune_, weight_table
from tin_lib.networks import Network

FILTERS = "filters"


@dataclass(frozen=True)
class Pruning:
    """What to remove. Raises ValueError, naming the field, for another value."""

    keep: float  # share that stays: of the weights, or of every layer's filters; in (0, 1]
    scope: str = "global"  # smallest weights of the network (global) or each layer; or "filters"

    def __post_init__(self) -> None:
        check_keep(self.keep)
        if self.scope not in (*SCOPES, FILTERS):
            raise ValueError(f"scope={self.scope!r}: choose {', '.join(SCOPES)} or {FILTERS}")

    def of(self, network: Network) -> tuple[Network, pd.DataFrame]:
        """The pruned network (``network`` itself, or a narrower one) and its ``weight_table``,
        in which shares are of the weights that ``network`` had."""
        if self.scope != FILTERS:
            return network, prune_(network, self.keep, self.scope)
        small, before = prune_filters(network, self.keep), weight_table(network)["weights"]
        table = weight_table(small).assign(weights=before)
        return small, table.assign(share=table["kept"] / table["weights"])


def write_pruned(fit: runs.Fit, pruning: Pruning, path: str | Path) -> tuple[Network, pd.DataFrame]:
    """Write the fit's pruned network to ``path``, as starting weights.

    Returns the network and its ``weight_table``. The same fit gives the same bytes, wherever it
    lies: they name the fit, not its path. Raises ValueError if ``path`` is the fit's own file of
    weights, is a folder, or does not end in .safetensors.
    """
    path = Path(path)
    runs.check_target(fit, path)
    network, table = pruning.of(fit.network())
    network.origin = f"{fit.name} pruned to {pruning.keep:g} ({pruning.scope})"
    belongs = {key: fit.meta[key] for key in ("class_ids", "fingerprint")}
    networks.save(network, path, **belongs)
    return network, table
