"""Errors that all networks share, and those that only one makes."""

import numpy as np
import pandas as pd

from tin_lib.analysis import ensemble
from tin_lib.analysis.ensemble import Tables


def by_image(tables: Tables) -> pd.DataFrame:
    """Which networks are wrong on each image.

    ``tables``: predictions by network, from ``ensemble.predictions``. Columns: row, file, label,
    wrong (number of networks that are wrong), only_wrong (the only network that is wrong, else
    empty), only_right (the only one that is right, else empty; both need three networks or more),
    same_label (all networks are wrong and give the same label), and each network's prediction
    (wnid) under its name.
    """
    wrong = ensemble.errors(tables)
    count = wrong.sum(axis=1).to_numpy()
    networks = np.array(list(tables))
    many = len(networks) > 2
    first = next(iter(tables.values()))
    given = {name: table.predicted.to_numpy(str) for name, table in tables.items()}
    same = np.all([labels == given[networks[0]] for labels in given.values()], axis=0)
    image = {"row": range(len(first)), "file": first.file, "label": first.label, "wrong": count}
    alone = {
        "only_wrong": np.where(many & (count == 1), networks[wrong.to_numpy().argmax(axis=1)], ""),
        "only_right": np.where(
            many & (count == len(networks) - 1), networks[wrong.to_numpy().argmin(axis=1)], ""
        ),
        "same_label": same & (count == len(networks)),
    }
    return pd.DataFrame({**image, **alone, **given})


def agreement(tables: Tables) -> pd.DataFrame:
    """Number of images that 0, 1, ... M networks get wrong, and the number under independence.

    Columns: wrong (0..M), images, share (0..1), independent (expected number of images if the
    networks' errors were independent, each network keeping its own error rate).
    """
    wrong = ensemble.errors(tables)
    images = np.bincount(wrong.sum(axis=1), minlength=len(tables) + 1)
    chance = np.ones(1)
    for rate in wrong.mean():
        chance = np.convolve(chance, [1 - rate, rate])
    counts = {"wrong": range(len(tables) + 1), "images": images}
    return pd.DataFrame(
        {**counts, "share": images / max(len(wrong), 1), "independent": chance * len(wrong)}
    )


def by_network(images: pd.DataFrame, networks: list[str]) -> pd.DataFrame:
    """Number of errors of each network, from a ``by_image`` table.

    Columns: network, errors, shared_by_all, only_wrong (images on which only it is wrong),
    only_right (images on which only it is right).
    """
    all_wrong = int((images.wrong == len(networks)).sum())
    rows = [
        {
            "network": name,
            "errors": int((images[name] != images.label).sum()),
            "shared_by_all": all_wrong,
            "only_wrong": int((images.only_wrong == name).sum()),
            "only_right": int((images.only_right == name).sum()),
        }
        for name in networks
    ]
    return pd.DataFrame(rows)
