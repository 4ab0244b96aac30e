"""The exercises of notebooks 01 to 09: each function marks one answer.

It takes the answer, None if there is none yet, and what the notebook has computed, and returns one
line: that it is right, or what to look at. The right answers are computed, not stored; solutions to
hand out are in docs/teaching.
"""

from tin_lib.lab.exercises.errors import accuracy_from_counts, no_errors, odds_of_a_unit
from tin_lib.lab.exercises.explanations import (
    active_filters,
    brightest_row,
    occluded_positions,
    seeds_agree,
    striped_kernel,
    uniform_map,
)
from tin_lib.lab.exercises.images import always_one_class, black_pixel, unchanged_of_100
from tin_lib.lab.exercises.training import (
    adamw_megabytes,
    author_weights,
    dense_share,
    first_weights,
    last_penalty_share,
    lowest_loss,
    map_side,
    square_seen,
    three_small_for_one_large,
    untrained_loss,
    updates_made,
)
from tin_lib.lab.exercises.votes import best_of_any, one_of_two, three_voters

__all__ = [
    "accuracy_from_counts",
    "active_filters",
    "adamw_megabytes",
    "always_one_class",
    "author_weights",
    "best_of_any",
    "black_pixel",
    "brightest_row",
    "dense_share",
    "first_weights",
    "last_penalty_share",
    "lowest_loss",
    "map_side",
    "no_errors",
    "occluded_positions",
    "odds_of_a_unit",
    "one_of_two",
    "seeds_agree",
    "square_seen",
    "striped_kernel",
    "three_small_for_one_large",
    "three_voters",
    "unchanged_of_100",
    "uniform_map",
    "untrained_loss",
    "updates_made",
]
