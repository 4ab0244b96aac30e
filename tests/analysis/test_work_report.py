"""Counted work: lines at most so often, one at the end."""

import pytest

from tin_lib.analysis.work_report import WorkReport


def test_a_log_gets_few_lines_and_one_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with WorkReport("training", 1_200, "fits", every=1e9) as report:
        for _ in range(3):
            report.add(400)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("training: 1,200/1,200 fits  ")
    assert line.endswith("0:00:00 left")
    with WorkReport("features", 4, "images", every=0.0) as report:
        report.add(1)
        report.add(1)
    first, second = capsys.readouterr().out.splitlines()
    assert "features: 1/4 images" in first
    assert "2/4 images" in second


@pytest.mark.parametrize(("done", "complete"), [(2, True), (1, False)])
def test_a_bar_is_completed_only_if_all_is_done(
    monkeypatch: pytest.MonkeyPatch, done: int, complete: bool
) -> None:
    calls: list[object] = []

    class Bar:
        def update(self, count: int) -> None:
            calls.append(count)

        def close(self) -> None:
            calls.append("closed")

    monkeypatch.setattr("tin_lib.progress.interactive", lambda: True)
    monkeypatch.setattr("tin_lib.progress.open_bar", lambda *given, **options: Bar())
    monkeypatch.setattr("tin_lib.progress.complete", lambda bar: calls.append("complete"))
    with WorkReport("training", 2, "fits") as report:
        report.add(done)
    assert calls == [done, "complete" if complete else "closed"]
