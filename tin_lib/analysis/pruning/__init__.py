"""Pruning: removing small weights or whole filters, and training on (Han et al., 2015).

>>> table = pruning.prune_(network, 0.1)  # the largest tenth of all weights stays
"""

from tin_lib.analysis.pruning.experiment import (
    METHODS,
    arm_name,
    at_once,
    by_method,
    check_shares,
    epochs_to_reach,
    next_step,
    pruning_of,
    retrained,
    same_share,
    split_arms,
    stored,
    trained_on,
)
from tin_lib.analysis.pruning.filters import prune_filters
from tin_lib.analysis.pruning.magnitude import prune_, weight_table
from tin_lib.analysis.pruning.speed import (
    dense_layer_speed,
    inference_speed,
    training_speed,
    with_sparse_layers,
)
from tin_lib.analysis.pruning.start import Pruning, write_pruned
from tin_lib.analysis.pruning.storage import load_sparse, save_sparse, sizes

__all__ = [
    "METHODS",
    "Pruning",
    "arm_name",
    "at_once",
    "by_method",
    "check_shares",
    "dense_layer_speed",
]
__all__ += ["epochs_to_reach", "inference_speed", "load_sparse", "next_step", "prune_"]
__all__ += ["prune_filters", "pruning_of", "retrained", "same_share", "save_sparse", "sizes"]
__all__ += ["split_arms", "stored", "trained_on", "training_speed", "weight_table"]
__all__ += ["with_sparse_layers", "write_pruned"]
