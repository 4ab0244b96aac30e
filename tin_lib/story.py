"""Sentences for the notebooks, made from the numbers of a run (Markdown text)."""

from typing import Any

import pandas as pd

from tin_lib import augment, paper, runs
from tin_lib.data import Audit, TinyImageNet, identical_groups
from tin_lib.ensemble import mean_correlation
from tin_lib.errors import short_names


def percent(share: float) -> str:
    """0.4551 as ``45.5 %``."""
    return f"{100 * share:.1f} %"


def rows(table: pd.DataFrame) -> list[Any]:
    """The rows, whose columns are attributes."""
    return list(table.itertuples())


def training(fit: runs.Fit) -> str:
    """What training one network came to."""
    s, history = fit.summary, fit.history()
    gap = s["train_accuracy"] - s["val_accuracy"]
    best = history.iloc[int(history.val_accuracy.to_numpy().argmax())]
    sentences = [
        f"**{paper.title(s['network'])}** ({s['parameters']:,} parameters) trained "
        f"{s['epochs']} epochs in {s['seconds']:,.0f} s, {s['images_per_second']:,.0f} images/s "
        f"on {s['device']}.",
        f"It names {percent(s['train_accuracy'])} of the training images and "
        f"**{percent(s['val_accuracy'])} of the validation images** correctly "
        f"({percent(s['val_top5'])} among its top five); guessing would give "
        f"{percent(1 / len(fit.class_ids))}.",
        overfitting(gap),
        f"While training, validation accuracy was highest in epoch {best.epoch:.0f} "
        f"({percent(best.val_accuracy)}).",
        beside_paper(fit),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def overfitting(gap: float) -> str:
    """What a gap between training and validation accuracy says."""
    points = f"{100 * gap:.1f} points"
    if gap > 0.15:
        return f"Training is ahead of validation by {points}: it overfits."
    if gap > 0.03:
        return f"Training is ahead of validation by {points}, a mild overfit."
    return f"Training and validation differ by {points}: more capacity or more training may help."


def beside_paper(fit: runs.Fit) -> str:
    """The paper's figure, when the fit saw data of the same 200 classes."""
    theirs = paper.RESULTS.get(fit.summary["network"])
    if theirs is None or len(fit.class_ids) != 200:
        return "The paper's figures are for 200 classes of real images and cannot be compared."
    difference = 100 * (fit.summary["val_accuracy"] - theirs["val"])
    return (
        f"The paper reports {percent(theirs['val'])} on validation: "
        f"this is {abs(difference):.1f} points {'above' if difference >= 0 else 'below'} it."
    )


def recipe_table(recipe: Any) -> pd.DataFrame:
    """A recipe's fields as a table, those at their default left out."""
    values = recipe.to_dict()
    default = type(recipe)(recipe.network, recipe.epochs, recipe.lr).to_dict()
    shown = ("network", "epochs", "lr", "batch_size", "optimizer", "momentum", "width", "seed")
    kept = {k: v for k, v in values.items() if k in shown or v != default[k]}
    kept["augment"] = values["augment"]["mode"]
    return pd.DataFrame({"value": {k: str(v) for k, v in kept.items()}}).rename_axis("field")


def penalty_share(fit: runs.Fit) -> str:
    """How much of the loss the penalties on weights and activations are."""
    history = fit.history()
    first, last = history.iloc[0], history.iloc[-1]
    shares = [row.penalty / (row.penalty + row.train_loss) for row in (first, last)]
    if not last.penalty:
        return "This recipe uses no penalties on weights or activations."
    return (
        f"The penalties are {percent(shares[0])} of the loss in the first epoch and "
        f"{percent(shares[1])} in the last ({last.penalty:.3f} beside a cross-entropy of "
        f"{last.train_loss:.3f})."
    )


def data(opened: TinyImageNet) -> str:
    """How many images of how many classes there are."""
    return (
        f"{len(opened.train):,} training and {len(opened.val):,} validation images of "
        f"{opened.num_classes} classes."
    )


def mistakes(wrong: pd.DataFrame, data: TinyImageNet) -> list[str]:
    """Titles for pictures of mistakes: what it is → what it was taken for, and how surely."""
    names = short_names(data.class_ids, data.class_names)
    return [
        f"{names[row.label]}<br>→ {names[row.predicted]}<br>{percent(row.probability)}"
        for row in rows(wrong)
    ]


def normalisation(data: TinyImageNet) -> str:
    """The constants that images are normalised with."""
    lines = [
        f"| {name} | {m:.3f} | {s:.3f} |"
        for name, m, s in zip(("red", "green", "blue"), data.mean, data.std, strict=True)
    ]
    head = "| channel | mean (0–255) | standard deviation |\n|---|---|---|\n"
    return head + "\n".join(lines)


def technique_counts(plan: augment.EpochPlan) -> pd.DataFrame:
    """Items of an epoch by augmentation technique."""
    counts = plan.technique.bincount(minlength=len(augment.Technique)).tolist()
    names = [technique.name.lower().replace("_", " ") for technique in augment.Technique]
    table = pd.DataFrame({"technique": [*names, "all"], "items": [*counts, sum(counts)]})
    return table.set_index("technique")


def audit(found: Audit, data: TinyImageNet) -> str:
    """What the audit found."""
    splits = found.splits.set_index("split")
    counts = ", ".join(f"{row.images:,} {name}" for name, row in splits.iterrows())
    groups = identical_groups(found.identical)
    return (
        f"The data hold {counts} images of {data.num_classes} classes. "
        f"{splits.grayscale.sum():,} files are grayscale "
        f"({percent(splits.grayscale.sum() / splits.images.sum())}). "
        f"There are {len(groups)} groups of byte-identical files; in {int(groups.conflict.sum())} "
        f"of them the labels contradict each other. Half of the training boxes cover less than "
        f"{percent(found.boxes.share[found.boxes.split == 'train'].median())} of their image."
    )


def ensemble(table: pd.DataFrame, correlation: pd.DataFrame, errors: pd.DataFrame) -> str:
    """Whether voting paid, and why."""
    networks, votes = table[table.kind == "network"], table[table.kind == "vote"]
    best = networks.iloc[int(networks.accuracy.to_numpy().argmax())]
    said = [
        f"The best single network is {paper.title(best['name'])} with {percent(best.accuracy)}."
    ]
    for vote in rows(votes):
        points = 100 * (vote.accuracy - best.accuracy)
        verb = "gains" if points >= 0 else "loses"
        said.append(
            f"The {vote.name} reaches **{percent(vote.accuracy)}** (95 % interval "
            f"{percent(vote.low)} to {percent(vote.high)}): it {verb} {abs(points):.1f} points."
        )
    mean = mean_correlation(correlation)
    said.append(
        f"The networks' errors correlate with {mean:.3f} on average (the paper's figure: "
        f"{paper.ERROR_CORRELATION}); all of them miss {percent(errors.all(axis=1).mean())} of the "
        f"images, and at least one finds {percent(1 - errors.all(axis=1).mean())}."
    )
    return " ".join(said)


def filters(compared: pd.DataFrame, run: runs.Run) -> str:
    """Whether noisy filters go with little regularisation, by ``filters.compare`` tables."""
    said = []
    for place in ("first", "last"):
        rough = compared[(compared.place == place) & (compared.figure == "kernel_roughness")]
        rough = rough.set_index("network")
        trained = [name for name in run.fits if name in rough.index]
        smoother = [n for n in trained if rough.high[n] < rough.low.get(f"{n} (untrained)", 0)]
        told = ", ".join(f"{paper.title(n)} {rough['mean'][n]:.2f}" for n in trained)
        said.append(
            f"Roughness of the {place} convolution's kernels (white noise: 1): {told}; clearly "
            f"smoother than untrained: {', '.join(map(paper.title, smoother)) or 'none'}."
        )
    dead = compared[(compared.figure == "dead") & compared.network.isin(list(run.fits))]
    worst = dead.iloc[int(dead["mean"].to_numpy().argmax())]
    said.append(
        f"The largest share of dead filters is {percent(worst['mean'])} "
        f"({paper.title(worst.network)}, {worst.layer})."
    )
    return " ".join(said)


def filter_pair(paired: pd.DataFrame, fits: dict[str, runs.Fit]) -> str:
    """Whether the unregularised twin has the rougher filters."""
    said = []
    for place in ("first", "last"):
        rough = paired[(paired.place == place) & (paired.figure == "kernel_roughness")]
        rough = rough.set_index("network")
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


def class_errors(
    ends: pd.DataFrame, pairs: pd.DataFrame, verdict: list[str], doubtful: pd.DataFrame
) -> str:
    """Best and worst classes, the commonest confusion, the verdict on the boxes."""
    best, worst = ends[ends.end == "best"].iloc[0], ends[ends.end == "worst"].iloc[0]
    said = [
        f"Best class: **{best['name']}** ({best.errors} errors of {best.images}); worst: "
        f"**{worst['name']}** ({worst.errors} of {worst.images}), mostly taken for "
        f"{worst.taken_for or 'nothing'}."
    ]
    if len(pairs):
        pair = pairs.iloc[0]
        said.append(
            f"The commonest confusion is {pair.label_name} taken for {pair.predicted_name} "
            f"({pair['count']} of {pair.images} images)."
        )
    said.append(f"Labels worth a second look: {len(doubtful)}.")
    return " ".join(said) + "\n\n" + "\n".join(f"- {sentence}" for sentence in verdict)


def named_prediction(run: runs.Run, network: str, row: int) -> str:
    """A network's label of a validation image, with its probability, in a row's label."""
    fit = run.fits[network]
    names = short_names(fit.class_ids, fit.class_names)
    table = fit.predictions("val").iloc[row]
    mark = "✓" if table.label == table.predicted else "✗"
    return f"<br>{names[table.predicted]} {percent(table.probability)} {mark}"


def saliency(measures: pd.DataFrame, checked: pd.DataFrame) -> str:
    """Whether the maps beat chance, and whether they depend on what was learnt."""
    beyond = measures[measures.measure == "beyond the box"].set_index(["network", "method"])
    said = []
    for method in dict.fromkeys(measures[measures.kind == "method"].method):
        part = beyond.xs(method, level="method")
        edges, centre = (beyond.xs(name, level="method") for name in ("edges", "centre"))
        above = [n for n in part.index if part.low[n] > max(edges.high[n], centre.high[n])]
        told = ", ".join(f"{paper.title(n)} {100 * part['mean'][n]:+.1f}" for n in part.index)
        said.append(
            f"- **{method}** puts this many points more of its map into the box than the box has "
            f"of the image: {told}; clearly more than an edge detector and a blob in the middle: "
            f"{', '.join(map(paper.title, above)) or 'for no network'}."
        )
    reset = checked[checked.layers == "all layers"].groupby("method")["mean"].mean()
    told = ", ".join(f"{method} {value:.2f}" for method, value in reset.items())
    said.append(
        "- With all layers set back to random, maps keep this rank correlation with the trained "
        f"network's, averaged over the networks: {told} (0 would be none)."
    )
    return "\n".join(said)
