"""The progress of the command line's long work."""

from typing import Any

from tin_lib import progress


def percent_bar(title: str) -> Any:
    """A ``progress(done, total)``: a tqdm bar for a person, a line each tenth in a log."""
    bar: Any = None
    tenth = 0

    def report(done: int, total: int) -> None:
        nonlocal bar, tenth
        if progress.interactive():
            bar = progress.open_bar(total, title, unit_scale=True) if bar is None else bar
            bar.update(done - bar.n)
            if done >= total > 0:
                progress.complete(bar)
        elif total and done * 10 // total > tenth:
            tenth = done * 10 // total
            progress.say(f"{title}: {done:,} of {total:,} ({tenth * 10} %)")

    return report
