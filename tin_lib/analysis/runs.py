"""A workbook run: its fits, and checking that what is read belongs together."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tin_lib import catalog, files
from tin_lib.data import TinyImageNet, open_data
from tin_lib.progress import say
from tin_lib.runs import PREDICTED, Fit, locate, open_fit

__all__ = [
    "PREDICTED",
    "Fit",
    "Run",
    "check_target",
    "check_together",
    "locate",
    "open_fit",
    "open_run",
]


@dataclass(frozen=True, eq=False)
class Run:
    """A workbook run: its folder and its finished fits, in the paper's order."""

    path: Path
    fits: dict[str, Fit]

    @property
    def first(self) -> Fit:
        """Any fit: all have the same classes, data and normalisation."""
        return next(iter(self.fits.values()))

    def fit(self, name: str) -> Fit:
        """A network's fit; ValueError lists the networks that the run has."""
        if name in self.fits:
            return self.fits[name]
        raise ValueError(f"{self.path}: no network {name!r}; the run has {', '.join(self.fits)}")

    def present(self, names: Iterable[str]) -> list[str]:
        """Those of the named networks that the run has; a line names the others.

        If it has none of them, its first network takes their place. ValueError for a name that is
        no network's.
        """
        names = list(names)
        absent = [name for name in names if name not in self.fits]
        for name in absent:
            if name not in catalog.TITLES:
                self.fit(name)  # raises
        found = [name for name in names if name in self.fits]
        if absent:
            found = found or [self.first.name]
            say(f"{', '.join(absent)}: not in this run; used: {', '.join(found)}")
        return found

    def data(self, folder: str | Path | None = None) -> TinyImageNet:
        """Open the fits' data, in ``folder`` if they have moved; ValueError for other images."""
        request = self.first.meta["data"] | ({"data": str(folder)} if folder else {})
        opened = open_data(**request)
        if opened.fingerprint != self.first.meta["fingerprint"]:
            other = f"{opened.root} has other images than {self.path} was trained on"
            raise ValueError(f"{other}; pass the right folder as data, or train again")
        return opened


def open_run(path: str | Path) -> Run:
    """Open a workbook run, and give each fit's folder name its network's title.

    Raises FileNotFoundError if there is no finished fit, and ValueError if two fits were made from
    different data or with different class orders.
    """
    path = Path(path)
    finished = [summary.parent.name for summary in (path / "networks").glob("*/summary.json")]
    if not finished:
        raise FileNotFoundError(
            f"{path} holds no trained network; run notebooks 02 to 05, or `tin run --run {path}`"
        )
    fits = {name: open_fit(path / "networks" / name) for name in catalog.ordered(finished)}
    check_together(list(fits.values()))
    if missing := failed(path):
        say(f"{path} is without {', '.join(missing)}, which failed")
    for name, fit in fits.items():
        network = fit.meta.get("network", name)
        if catalog.folder_name(network) == name:  # else the user named the folder
            catalog.TITLES.setdefault(name, catalog.title(network))
    return Run(path, fits)


def failed(path: Path) -> list[str]:
    """Steps of ``tin run``, such as ``03_vgg_like``, that failed and left no network."""
    found = []
    for record in sorted((path / "steps").glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError):  # a damaged record
            facts = files.read_object(record)
            missing = [glob for glob in facts.get("missing", ()) if glob.startswith("networks/")]
            if facts.get("status") == "failed" and not all(any(path.glob(g)) for g in missing):
                found.append(record.stem)
    return found


def check_together(fits: list[Fit]) -> None:
    """Raise ValueError unless all fits share class order and data fingerprint."""
    for fit in fits[1:]:
        wrong = "data" if fit.meta["fingerprint"] != fits[0].meta["fingerprint"] else ""
        wrong = "class orders" if fit.class_ids != fits[0].class_ids else wrong
        if wrong:
            raise ValueError(f"{fit.path} and {fits[0].path} have different {wrong}; train again")


def check_target(fit: Fit, path: Path) -> None:
    """Raise ValueError if weights made from the fit cannot be written to ``path``: it is a folder,
    does not end in .safetensors, or is the fit's own file of weights."""
    own = fit.path / "weights.safetensors"
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: the file's name must end in .safetensors")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file")
    if path.resolve() == own.resolve() or (path.exists() and own.exists() and path.samefile(own)):
        raise ValueError(f"{path} is the fit's own file of weights; choose another")
