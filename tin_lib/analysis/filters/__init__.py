"""What a network's filters look for: kernels, maximising images, top activations, and figures.

>>> images = filters.images_of_split(data.val, fit.mean, fit.std)
>>> best = filters.maximise(network, "last", (fit.mean, fit.std))
>>> table = filters.filter_table(network, "last", images, best)
"""

from tin_lib.analysis.filters.comparisons import (
    against_untrained,
    compare_arms,
    roughness_by_seed,
)
from tin_lib.analysis.filters.images import Images, evenly_spread, images_of_split
from tin_lib.analysis.filters.kernels import first_layer, kernel_images
from tin_lib.analysis.filters.maximise import Maximised, Options, maximise
from tin_lib.analysis.filters.measure import (
    FIGURES,
    compare,
    describe,
    filter_table,
    image_roughness,
    kernel_roughness,
    nearest,
    roughness,
    summarise,
    untrained,
)
from tin_lib.analysis.filters.receptive_field import Field, receptive_field
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.analysis.filters.top_activations import (
    Survey,
    patch,
    patches,
    preferred_classes,
    selectivity,
    survey,
)
from tin_lib.analysis.layers import activation, conv_layers, filter_count, find_layer, weight

__all__ = [
    "FIGURES",
    "Field",
    "FilterStore",
    "Images",
    "Maximised",
    "Options",
    "Survey",
    "activation",
    "against_untrained",
    "compare",
    "compare_arms",
    "conv_layers",
    "describe",
    "evenly_spread",
    "filter_count",
    "filter_table",
    "find_layer",
    "first_layer",
    "image_roughness",
    "images_of_split",
    "kernel_images",
    "kernel_roughness",
    "maximise",
    "nearest",
    "patch",
    "patches",
    "preferred_classes",
    "receptive_field",
    "roughness",
    "roughness_by_seed",
    "selectivity",
    "summarise",
    "survey",
    "untrained",
    "weight",
]
