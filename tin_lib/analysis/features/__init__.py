"""Features of all images from one network, computed once and kept; linear probes on them."""

from tin_lib.analysis.features.backbone import Backbone, Preprocessing
from tin_lib.analysis.features.extraction import Options, extract, keep
from tin_lib.analysis.features.imagenet import head_scores, imagenet_rows
from tin_lib.analysis.features.pretrained import downloaded, open_backbone
from tin_lib.analysis.features.results import Curve, compare, figures, learning_curve
from tin_lib.analysis.features.store import Features, open_features

__all__ = ["Backbone", "Curve", "Features", "Options", "Preprocessing", "compare", "downloaded"]
__all__ += ["extract", "figures", "head_scores", "imagenet_rows", "keep", "learning_curve"]
__all__ += ["open_backbone", "open_features"]
