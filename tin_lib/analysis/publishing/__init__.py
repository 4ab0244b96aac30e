"""Publishing a fit's weights as one file with its card, and using such a file without training.

>>> publishing.publish(runs.open_fit("runs/x/networks/vgg16"))  # writes published.safetensors
>>> publishing.import_network("published.safetensors", open_data("tiny-imagenet-200"), "runs/y")
"""

from tin_lib.analysis.publishing.card import card_text, loading_lines, read_card
from tin_lib.analysis.publishing.importing import import_network
from tin_lib.analysis.publishing.writing import check_request, publish

__all__ = ["card_text", "check_request", "import_network", "loading_lines", "publish", "read_card"]
