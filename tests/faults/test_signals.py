"""Signals and errors at the command line: a clean stop, one message, a traceback only on demand."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tin_lib import __main__ as command
from tin_lib.runner.commands import data, signals
from tin_lib.runner.commands.signals import STOP


def failing(error: BaseException) -> Callable:
    def call(args: object) -> None:
        raise error

    return call


def run(monkeypatch: pytest.MonkeyPatch, call: Callable, *more: str) -> int:
    monkeypatch.setattr(data, "sample", call)
    return command.main(["sample", "somewhere", *more])


@pytest.mark.parametrize("number", STOP, ids=lambda number: number.name)
def test_a_signal_stops_a_command_and_says_what_to_run(
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    fault: Callable,
) -> None:
    before = [signal.getsignal(each) for each in STOP]
    with fault("interrupted", f"{number.name} during a command"):
        assert run(monkeypatch, lambda args: signal.raise_signal(number)) == 128 + number
        assert capsys.readouterr().err == (
            "tin: interrupted; run the same command again to resume\n"
        )
    assert [signal.getsignal(each) for each in STOP] == before


def test_an_error_that_follows_from_a_signal_is_no_cause(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, fault: Callable
) -> None:
    """A batch system ends all processes at once: that a child was killed explains nothing."""

    def call(args: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise OSError("a decoding process was killed") from None

    with fault("interrupted", "SIGTERM to all processes"):
        assert run(monkeypatch, call) == 128 + signal.SIGTERM
        said = capsys.readouterr().err
        assert said == "tin: interrupted; run the same command again to resume\n"


@pytest.mark.parametrize("number", STOP, ids=lambda number: number.name)
def test_a_second_signal_ends_the_process_at_once(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, fault: Callable
) -> None:
    """In a child, whose default action then applies; twice at the same time counts as once."""
    for seconds, statuses in ((-1.0, (-number,)), (60.0, (0,))):
        monkeypatch.setattr(signals, "REPEATED", seconds)
        with fault(
            "interrupted", f"a second {number.name}, {'later' if seconds < 0 else 'at once'}"
        ):
            child = os.fork()
            if not child:
                with contextlib.suppress(KeyboardInterrupt), signals.stop_signals():
                    try:
                        signal.raise_signal(number)
                    except KeyboardInterrupt:  # while the command cleans up
                        signal.raise_signal(number)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) in statuses


def test_an_ignored_hangup_stays_ignored(monkeypatch: pytest.MonkeyPatch, fault: Callable) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with fault("interrupted", "SIGHUP under nohup"):
            assert run(monkeypatch, lambda args: signal.raise_signal(signal.SIGHUP)) == 0
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_nothing_is_installed_outside_the_main_thread(
    monkeypatch: pytest.MonkeyPatch, fault: Callable
) -> None:
    status: list[int] = []
    with fault("interrupted", "a command in a thread"):
        thread = threading.Thread(target=lambda: status.append(run(monkeypatch, lambda args: None)))
        thread.start()
        thread.join()
        assert status == [0]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("lr: must be positive"), 2),
        (FileNotFoundError("x.csv does not exist"), 2),
        (ZeroDivisionError("division by zero"), 1),
        (TypeError("unsupported operand"), 1),
        (IndexError("list index out of range"), 1),
        (RuntimeError("shapes cannot be multiplied"), 1),
        (MemoryError("no memory"), 1),
        (RecursionError("too deep"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("debug", [False, True])
def test_a_traceback_is_shown_only_on_demand(
    error: Exception,
    status: int,
    debug: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    fault: Callable,
) -> None:
    with fault("unexpected error", f"{type(error).__name__}, debug {debug}"):
        assert run(monkeypatch, failing(error), *(["--debug"] if debug else [])) == status
        said = capsys.readouterr().err
        assert ("Traceback" in said) == debug
        assert str(error) in said.splitlines()[-1]
        assert said.splitlines()[-1].startswith("tin: ")
        if not debug:
            assert len(said.splitlines()) == 1
            assert ("--debug" in said) == (status == 1)


def test_debug_may_stand_before_the_verb(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    assert command.main(["--debug", "pack", str(tmp_path / "none")]) == 2
    assert "Traceback" in capsys.readouterr().err
