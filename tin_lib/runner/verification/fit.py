"""The checks of one fit's folder."""

import contextlib
import functools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tin_lib import files, networks, predict, runs
from tin_lib.analysis import ensemble
from tin_lib.analysis.arms import DIVERGED
from tin_lib.data import Split, TinyImageNet, open_data
from tin_lib.runner.verification import predicting, recorded
from tin_lib.runner.verification.checks import (
    SPLITS,
    UNKNOWN,
    Calls,
    Check,
    Different,
    NotChecked,
    NotRecorded,
    close,
    make_check,
    make_checks,
    same,
)

MADE_OF = ("source", "versions", "fingerprint", "data", "device", "precision", "threads", "command")
ROUNDED = 1.5e-6  # between two probabilities that are rounded to six digits


def check_fit(folder: Path, data: str | None = None, quick: bool = False) -> Iterator[Check]:
    """Check a fit's folder, finished or diverged.

    ``data``: the folder of the data if they have moved. ``quick``: do not open the data, and
    predict nothing.
    """
    if not (folder / "summary.json").is_file() and (folder / DIVERGED).is_file():
        yield make_check(
            DIVERGED, lambda: f"in epoch {files.read_object(folder / DIVERGED)['epoch']}"
        )
        return
    fit = FitChecks(runs.Fit(folder), data)
    if not (folder / "summary.json").is_file():
        yield make_check("summary.json", lambda: str(runs.open_fit(folder)))
        return
    yield from make_checks(fit.files())
    for name in fit.unknown():
        yield Check(name, UNKNOWN, "no file of a fit")
    yield from make_checks(fit.tables())
    if quick:
        yield make_check("data", fit.not_asked)
    else:
        yield from make_checks(fit.from_data())


class FitChecks:
    """The checks of one finished fit; each returns a detail for its line, or raises."""

    def __init__(self, fit: runs.Fit, data: str | None) -> None:
        self.fit, self.folder, meta = fit, data, {}
        with contextlib.suppress(Exception):  # of any kind: the line of meta.json says why
            meta = fit.meta
        self.published = bool(meta.get("published"))
        images = meta.get("images")
        images = images if isinstance(images, dict) else {"train": 0, "val": 0}
        self.splits = [name for name in SPLITS if name in images]  # that have predictions
        if self.published:  # predicted here, of those that the data here have
            there = {path.name for path in fit.path.glob("predictions_*.csv")}
            self.splits = [n for n in self.splits if n == "val" or f"predictions_{n}.csv" in there]

    def expected(self) -> list[str]:
        """The files of a fit."""
        names = ["recipe.json", "meta.json", "weights.safetensors", "summary.json"]
        names += [] if self.published else ["history.jsonl"]
        names += [f"predictions_{split}.csv" for split in self.splits]
        return names + [f"logits_{split}.npy" for split in self.splits if split in ("val", "test")]

    def files(self) -> Calls:
        """Each file's digest, where one is recorded."""
        return {name: functools.partial(self.file, name) for name in self.expected()}

    def file(self, name: str) -> str:
        """Compare a file with its recorded SHA-256."""
        path = self.fit.path / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; train again")
        if name == "summary.json":  # the one that holds the digests
            return f"{len(recorded.digests(self.fit.path))} digests; its figures are checked below"
        return recorded.compare(self.fit.path, name)

    def unknown(self) -> list[str]:
        """Files in the folder that no fit writes; hidden ones are locks."""
        known = {*self.expected(), *recorded.OTHERS}
        names = sorted(path.name for path in self.fit.path.iterdir())
        return [name for name in names if name not in known and not name.startswith(".")]

    def tables(self) -> Calls:
        """What the files of the folder say about each other."""
        calls = {"made of": self.made_of, "weights and recipe": self.weights}
        if not self.published:
            calls["history and summary"] = self.history
        for name in self.splits:
            calls[f"{name} accuracy"] = functools.partial(self.accuracy, name)
            if name in ("val", "test"):
                calls[f"{name} scores and predictions"] = functools.partial(self.from_scores, name)
        return calls

    def made_of(self) -> str:
        """What made the fit is recorded."""
        lacking = [name for name in MADE_OF if name not in self.fit.meta]
        if lacking:
            raise NotRecorded(f"{', '.join(lacking)} in meta.json (an older version trained this)")
        meta = self.fit.meta
        versions = ", ".join(f"{name} {version}" for name, version in meta["versions"].items())
        return f"source {meta['source']}; {versions}; {meta['device']}; {meta['precision']}"

    def weights(self) -> str:
        """The weights' header, meta.json, recipe.json and summary.json name one network."""
        fit, header = self.fit, networks.weights.read_meta(self.fit.path / "weights.safetensors")
        for name in ("network", "num_classes", "width", "class_ids", "fingerprint"):
            if name in header and not (name == "fingerprint" and self.published):
                same(f"{name} in meta.json", fit.meta.get(name), header[name])
        asked, built = fit.meta["options"], json.loads(json.dumps(header["options"]))
        same("options in meta.json", asked, {name: built.get(name) for name in asked})
        for name in ("network", "width", "seed"):
            same(f"{name} in recipe.json", fit.recipe.get(name), fit.meta.get(name))
        same("network in summary.json", fit.summary.get("network"), header["network"])
        same("precision in summary.json", fit.summary.get("precision"), fit.meta.get("precision"))
        count = networks.parameter_count(fit.network())
        same("parameters in summary.json", fit.summary.get("parameters"), count)
        return f"{header['network']}, {count:,} parameters"

    def history(self) -> str:
        """The epochs are whole, and the kept one has the summary's accuracies."""
        table, summary = self.fit.history(), self.fit.summary
        same("the list of epochs", list(table.epoch), list(range(1, len(table) + 1)))
        same("epochs in summary.json", summary["epochs"], len(table))
        close("seconds", summary["seconds"], float(table.seconds.sum()), 1e-6)
        images = float((table.seconds * table.images_per_second).sum())
        close("images_per_second", summary["images_per_second"], images / summary["seconds"], 1e-3)
        kept = table.iloc[summary["best_epoch"] - 1]
        # Evaluated at another size, by several processes or on a GPU, a score may be rounded
        # otherwise than in the predictions at the end.
        alone = self.fit.meta.get("processes", 1) == 1
        exact = alone and str(summary["device"]).startswith("cpu")
        if kept["size"] == 64:
            for name in [str(n) for n in table if str(n).endswith(("_accuracy", "_top5"))]:
                if name != "train_accuracy":  # of augmented images
                    close(name, summary[name], kept[name], 1e-9 if exact else 5e-3)
        return f"{len(table)} epochs"

    def accuracy(self, split: str) -> str:
        """The summary's accuracies follow from the table of predictions."""
        table = self.fit.predictions(split)
        codes = {name: self.fit.codes(table[name]) for name in ("label", "predicted")}
        if (codes["predicted"] < 0).any() or (split != "test" and (codes["label"] < 0).any()):
            raise Different(f"predictions_{split}.csv has classes that the fit does not have")
        if split == "test":
            raise NotChecked("test images have no labels")
        found = float((codes["label"] == codes["predicted"]).mean())
        close(f"{split}_accuracy", self.fit.summary[f"{split}_accuracy"], found)
        top5 = ensemble.top5_accuracy(table)
        close(f"{split}_top5", self.fit.summary[f"{split}_top5"], top5)
        return f"{found:.4f} from {len(table):,} predictions"

    def from_scores(self, split: str) -> str:
        """The table of predictions follows from the scores."""
        logits, table = np.array(self.fit.logits(split)), self.fit.predictions(split)
        same("the number of scores' rows", len(logits), len(table))
        if not np.isfinite(logits).all():
            raise Different(f"logits_{split}.npy holds NaN or infinite scores")
        labels = np.full(len(table), -1)
        stand_in = Split(split, labels, labels, table.file.to_numpy(), labels, labels)
        found = predict.table(stand_in, logits, self.fit.class_ids)
        wrong = (table.predicted != found.predicted) | (table.top5 != found.top5)
        wrong |= ~((table.probability - found.probability).abs() <= ROUNDED)
        if wrong.any():
            first = table.file[wrong.to_numpy().argmax()]
            raise Different(f"{int(wrong.sum()):,} of {len(table):,} rows, the first of {first}")
        return f"{len(table):,} rows"

    def not_asked(self) -> str:
        """The line of a quick check."""
        raise NotChecked("left out by --quick: the data, and the predictions from the weights")

    def from_data(self) -> Calls:
        """What the data say, and what the weights predict from them."""
        calls = {"data": self.data}
        for name in self.splits:
            calls[f"{name} images"] = functools.partial(self.images, name)
        return calls | {"val predicted again": self.predict}

    def opened(self) -> TinyImageNet:
        """The fit's data; ValueError or OSError says what to do without them."""
        request = self.fit.meta.get("data")
        if not request:
            raise NotRecorded("the data were not opened from a folder")
        return open_again(json.dumps(request | ({"data": self.folder} if self.folder else {})))

    def data(self) -> str:
        """The data are those that the fit was trained on, with the same class order."""
        try:
            data = self.opened()
        except OSError as error:
            raise OSError(f"{error} (if the data have moved: --data DIR; else --quick)") from None
        meta = self.fit.meta
        if data.fingerprint != meta["fingerprint"]:
            raise Different(f"{data.root} has other images than the fit was trained on; --data DIR")
        same("the class order", list(meta["class_ids"]), list(data.class_ids))
        same("the class names", list(meta["class_names"]), list(data.class_names))
        if not self.published:
            for name in ("mean", "std"):
                for channel in range(3):
                    close(
                        f"{name}[{channel}]",
                        meta[name][channel],
                        float(getattr(data, name)[channel]),
                    )
            found = {name: len(split) for name, split in data.splits.items() if len(split)}
            same("the number of images", meta["images"], found)
        return f"{data.num_classes} classes, fingerprint {data.fingerprint[:12]}"

    def images(self, split: str) -> str:
        """A table of predictions lists the split's images with their labels, in order."""
        table, there = self.fit.predictions(split), self.opened().split(split)
        same("the number of images", len(table), len(there))
        labels = self.fit.codes(table.label)
        wrong = (table.file.to_numpy(str) != there.files) | (labels != there.labels)
        if wrong.any():
            first = table.file[wrong.argmax()]
            raise Different(f"{int(wrong.sum()):,} rows name other images or labels, first {first}")
        return f"{len(table):,} names and labels as in the data"

    def predict(self) -> str:
        """The recorded scores follow from the weights and the data."""
        return predicting.check(self.fit, self.opened())


@functools.lru_cache(maxsize=2)
def open_again(request: str) -> TinyImageNet:
    """The data that ``open_data``'s arguments, as JSON, name; fits of one run share them."""
    return open_data(**json.loads(request))
