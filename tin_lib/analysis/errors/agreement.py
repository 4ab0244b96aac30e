"""Errors that all networks share, and those that only one makes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tin_lib.analysis import ensemble

Tables = Mapping[str, pd.DataFrame]  # predictions tables of the same images, by network


def by_image(tables: Tables) -> pd.DataFrame:
    """How the networks fare on each image.

    ``tables``: predictions by network, as from ``ensemble.predictions``. Columns: row, file, label,
    wrong (how many networks err), only_wrong (the one network that errs, else empty), only_right
    (the one that does not, else empty; both need three networks or more), same_label (all networks
    err and give the same label), and each network's prediction (wnid) under its name.
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
    """Number of images that 0, 1, ... M networks get wrong, beside what independence would give.

    Columns: wrong (0..M), images, share (0..1), independent (expected number of images if each
    network erred at its own rate, on images chosen independently of the others).
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
    """Errors of each network, from a ``by_image`` table.

    Columns: network, errors, shared_by_all, only_wrong (errors that no other network makes),
    only_right (images that no other network gets right).
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
