"""What a network's filters look for: kernels, maximising images, exciting patches, and figures.

>>> images = filters.of_split(data.val, fit.mean, fit.std)
>>> best = filters.maximise(network, "last", (fit.mean, fit.std))
>>> table = filters.filter_table(network, "last", images, best)
"""

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
from tin_lib.analysis.filters.top_activations import (
    Survey,
    favourites,
    patch,
    patches,
    selectivity,
    survey,
)
from tin_lib.networks.inspect import (
    Field,
    Images,
    activation,
    conv_layers,
    filter_count,
    find_layer,
    of_split,
    receptive_field,
    spread,
    weight,
)

__all__ = [
    "FIGURES",
    "Field",
    "Images",
    "Maximised",
    "Options",
    "Survey",
    "activation",
    "compare",
    "conv_layers",
    "describe",
    "favourites",
    "filter_count",
    "filter_table",
    "find_layer",
    "first_layer",
    "image_roughness",
    "kernel_images",
    "kernel_roughness",
    "maximise",
    "nearest",
    "of_split",
    "patch",
    "patches",
    "receptive_field",
    "roughness",
    "selectivity",
    "spread",
    "summarise",
    "survey",
    "untrained",
    "weight",
]
