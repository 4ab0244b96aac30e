"""What pruning costs in accuracy, which way of pruning is best, and what it saves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tin_lib.lab.conclusions.effects import effect
from tin_lib.lab.formatting import count_noun, join_and, percent, rows

FASTER = 1.05  # a ratio of speeds that counts as faster: at least 5 %
QUESTIONS = {  # method that is compared: what is asked of it
    "iterative": "Does pruning step by step keep more accuracy than pruning at once?",
    "per layer": "Does pruning every layer by the same share keep more accuracy than pruning the "
    "network's smallest weights?",
    "filters": "Does removing filters keep more accuracy than removing the same share of single "
    "weights?",
}
WORDS = {"untested": "not tested (both at chance level, or no finished fits in common)"}
FLIPPED = {"yes": "no", "no": "yes"}


@dataclass(frozen=True)
class Verdict:
    """The answer to one question: an outcome for every share of the weights that is kept."""

    question: str
    shares: dict[str, tuple[float, ...]]  # by outcome: yes, no, undecided or untested
    largest: tuple[float, str] | None  # share and text of the largest decided effect

    @property
    def outcome(self) -> str:
        """yes or no if that is decided for some share and its opposite for none; else undecided."""
        decided = [word for word in ("yes", "no") if word in self.shares]
        return decided[0] if len(decided) == 1 else "undecided"


def judge(question: str, table: pd.DataFrame, flip: bool = False) -> Verdict:
    """The verdict of a table's rows (of ``arms.compare`` and ``pruning.split_arms``).

    ``flip``: the question asks whether the arms are worse.
    """
    shares: dict[str, list[float]] = {}
    for row in rows(table):
        word = FLIPPED.get(row.outcome, row.outcome) if flip else row.outcome
        shares.setdefault("untested" if pd.isna(row.p_adjusted) else word, []).append(row.keep)
    decided = table[table["outcome"].isin(["yes", "no"])]
    largest = None
    if len(decided):
        row = decided.iloc[int(decided["difference"].abs().to_numpy().argmax())]
        largest = (float(row["keep"]), effect(row))
    return Verdict(question, {word: tuple(kept) for word, kept in shares.items()}, largest)


def verdict_text(verdict: Verdict) -> str:
    """The verdict as one paragraph; its outcome comes first, in bold."""
    found = {
        word: f"with {join_and(f'{100 * share:g} %' for share in verdict.shares[word])} kept"
        for word in dict.fromkeys((verdict.outcome, "yes", "no", "undecided", "untested"))
        if word in verdict.shares
    }
    first = found.pop(verdict.outcome, "overall")
    parts = [f"**{verdict.outcome.capitalize()}** {first}"]
    parts += [f"{WORDS.get(word, word)} {where}" for word, where in found.items()]
    text = f"{verdict.question} {'; '.join(parts)}."
    if verdict.largest:
        text += (
            f" The largest difference: {100 * verdict.largest[0]:g} % kept, {verdict.largest[1]}."
        )
    return text


def losses(table: pd.DataFrame) -> str:
    """Down to which share each method costs accuracy.

    ``table``: of ``arms.compare``, every pruned arm against the dense network that was trained on
    for as long, and ``pruning.split_arms``.
    """
    compared = table[table["against"] != ""]
    asked = "Does pruning ({}) cost accuracy, compared with the dense network trained as long?"
    return "\n\n".join(
        verdict_text(judge(asked.format(method), part, flip=True))
        for method, part in compared.groupby("method", sort=False)
    )


def methods(table: pd.DataFrame) -> str:
    """Whether iterative, per-layer or filter pruning is better than one-shot global pruning.

    ``table``: of ``arms.compare``, those arms against one-shot pruning, and ``split_arms``.
    """
    compared = table[table["against"] != ""]
    parts = {method: compared[compared["method"] == method] for method in QUESTIONS}
    verdicts = [judge(QUESTIONS[name], part) for name, part in parts.items() if len(part)]
    return "\n\n".join(map(verdict_text, verdicts))


def speed_outcome(row: Any) -> str:
    """Whether an arm is at least 5 % faster, from the range of its ratios."""
    if row.low > FASTER:
        return "yes"
    return "no" if row.high < FASTER else "undecided"


def speeds(tables: Mapping[str, pd.DataFrame]) -> str:
    """Whether each arm is at least 5 % faster than the first of its table, as a list.

    ``tables``: of ``pruning.training_speed`` and the like, by what was measured.
    """
    lines = [
        f"- {what}, {row.arm}: **{speed_outcome(row)}** ({row.ratio:.2f} times as fast, "
        f"{row.low:.2f} to {row.high:.2f} over {row.rounds} rounds)"
        for what, table in tables.items()
        for row in rows(table.iloc[1:])
    ]
    head = "Is it at least 5 % faster than the dense network? (Measured on one machine.)"
    zeros = [
        r
        for t in tables.values()
        for r in rows(t)
        if r.arm.endswith("%") and r.arm.startswith("zeros")
    ]
    if zeros and not any(speed_outcome(row) == "yes" for row in zeros):
        lines += [
            "",
            "Zeros were not shown to save time: they are multiplied like other numbers.",
        ]
    return "\n".join([head, "", *lines])


def sizes(table: pd.DataFrame) -> str:
    """What one-shot pruned networks and those without filters take to store; emptied layers.

    ``table``: of ``pruning.stored``; its first row is the dense network.
    """
    whole = table["dense"].iloc[0]
    parts = [
        f"{row.arm}: {percent(row.dense / whole)} uncompressed, {percent(row.compressed / whole)} "
        f"compressed, {percent(row.sparse / whole)} in the sparse format"
        for row in rows(table[table["method"].isin(["one-shot", "filters"])])
    ]
    text = f"File sizes, as shares of the dense network's {whole:,} bytes: {'; '.join(parts)}."
    emptied = [f"{row.arm} ({row.emptied})" for row in rows(table) if row.emptied]
    if emptied:
        text += f" Layers with no weight left, through which no signal passes: {join_and(emptied)}."
    return text


def training_time(reached: pd.DataFrame, dense_epochs: int) -> str:
    """After how many epochs the retrained networks regained the dense networks' accuracy.

    ``reached``: of ``pruning.epochs_to_reach``. ``dense_epochs``: of the dense training.
    """
    parts = []
    for arm, part in reached.groupby("arm", sort=False):
        found = part["epoch"].dropna()
        after = f" (median epoch {found.median():g})" if len(found) else ""
        parts.append(f"{arm}: {len(found)} of {len(part)}{after}")
    return (
        "Does pruning shorten the training, as the paper hoped? By design it cannot: it needs "
        f"the weights of the whole dense training ({count_noun(dense_epochs, 'epoch')}), and "
        "retraining comes on top; whether an epoch of the pruned network is faster is measured "
        "above. Retrained networks that regained their dense network's accuracy: "
        f"{'; '.join(parts)}."
    )
