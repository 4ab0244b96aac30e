"""A recipe of seconds, and what of a fit must be the same twice."""

from tin_lib import runs
from tin_lib.augment import AugmentSpec
from tin_lib.recipes import Recipe

SMALL = Recipe(
    "vgg_like",
    epochs=4,
    lr=0.003,
    width=0.25,
    batch_size=16,
    momentum=0.9,
    nesterov=True,
    augment=AugmentSpec(mode="paper_copies"),
    penalties="paper",
)


def figures(done: runs.Fit) -> list[tuple[float, ...]]:
    """What must be the same twice: all of the history but times."""
    table = done.history().drop(columns=["seconds", "images_per_second"])
    return list(table.itertuples(index=False, name=None))
