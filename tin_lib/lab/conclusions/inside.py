"""Whether noisy filters go with little regularisation."""

import pandas as pd

from tin_lib import catalog, runs
from tin_lib.lab.formatting import percent, titles


def filters(compared: pd.DataFrame, run: runs.Run) -> str:
    """Whether the trained filters are smoother than untrained ones, by ``filters.compare``."""
    said = []
    for place in ("first", "last"):
        rough = roughness(compared, place)
        trained = [name for name in run.fits if name in rough.index]
        smoother = [n for n in trained if rough.high[n] < rough.low.get(f"{n} (untrained)", 0)]
        told = ", ".join(f"{catalog.title(n)} {rough['mean'][n]:.2f}" for n in trained)
        said.append(
            f"Roughness of the {place} convolution's kernels (white noise: 1): "
            f"{told or 'not measured'}; clearly smoother than untrained: "
            f"{titles(smoother) or 'none'}."
        )
    return " ".join([*said, dead(compared, run)])


def roughness(compared: pd.DataFrame, place: str) -> pd.DataFrame:
    """Rows of the kernels' roughness in one place, by network."""
    mask = (compared.place == place) & (compared.figure == "kernel_roughness")
    return compared[mask].dropna(subset=["mean", "low", "high"]).set_index("network")


def dead(compared: pd.DataFrame, run: runs.Run) -> str:
    """Where most filters answer to nothing."""
    rows = compared[(compared.figure == "dead") & compared.network.isin(list(run.fits))]
    rows = rows.dropna(subset=["mean"])
    if rows.empty:
        return ""
    worst = rows.iloc[int(rows["mean"].to_numpy().argmax())]
    if not worst["mean"]:
        return "No filter of these layers is dead."
    return (
        f"The largest share of dead filters among these layers is {percent(worst['mean'])} "
        f"({catalog.title(worst.network)}, {worst.layer})."
    )


def filter_pair(paired: pd.DataFrame, fits: dict[str, runs.Fit]) -> str:
    """Whether the unregularised twin has the rougher filters."""
    said = []
    for place in ("first", "last"):
        rough = roughness(paired, place)
        if not {"penalised", "unregularised"} <= set(rough.index):
            said.append(f"In the {place} convolution there is no roughness to compare.")
            continue
        with_, without = rough.loc["penalised"], rough.loc["unregularised"]
        verdict = "the intervals overlap, so this pair does not decide it"
        if without.low > with_.high:
            verdict = "the unregularised one is rougher, as the paper supposes"
        elif without.high < with_.low:
            verdict = "the penalised one is rougher, against what the paper supposes"
        said.append(
            f"In the {place} convolution, roughness is {with_['mean']:.2f} ({with_.low:.2f} to "
            f"{with_.high:.2f}) with penalties and {without['mean']:.2f} ({without.low:.2f} to "
            f"{without.high:.2f}) without regularisation: {verdict}."
        )
    told = " and ".join(
        f"{percent(fit.summary['val_accuracy'])} ({kind})" for kind, fit in fits.items()
    )
    return " ".join(said) + f" Their validation accuracies are {told}."
