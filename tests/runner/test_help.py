"""The help: a version, a default for every option, completion in shells."""

import argparse
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import tin_lib
from tin_lib.__main__ import build_parser, main

SOURCE = """
source {script}
COMP_WORDS=(tin {words})
COMP_CWORD={last}
COMPREPLY=()
_shtab_tin
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def verbs() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    (action,) = build_parser()._subparsers._group_actions
    return dict(action.choices)


def test_version(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"tin {tin_lib.__version__}\n"


@pytest.mark.parametrize("verb", verbs())
def test_every_help_names_the_default_of_each_option(verb: str) -> None:
    parser = verbs()[verb]
    shown = parser._get_formatter()
    for action in parser._actions:
        takes_a_value = action.option_strings and action.nargs != 0
        if not takes_a_value or action.required or isinstance(action, argparse._AppendAction):
            continue
        text = shown._expand_help(action)
        assert "default" in text, action.option_strings
        if action.default is not None:
            assert str(action.default) in text


def test_flags_and_given_defaults_are_left_as_they_are() -> None:
    parser = verbs()["run"]
    actions = {
        action.dest: parser._get_formatter()._expand_help(action) for action in parser._actions
    }
    assert "default" not in actions["force"]
    assert actions["data"].count("default") == 1


def complete(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    code = SOURCE.format(script=script, words=" ".join(words), last=len(words))
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_verbs_options_and_names(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "tin"
    script.write_text(capsys.readouterr().out)
    assert complete(script, "ver") == ["verify"]
    assert complete(script, "train", "res") == ["resnet18"]
    assert complete(script, "train", "resnet18", "--recipe", "la") == ["laptop"]
    assert complete(script, "run", "--pro") == ["--profile"]
    assert set(complete(script, "run", "--profile", "p")) == {"paper", "pretrained"}


@pytest.mark.parametrize(("shell", "first"), [("zsh", "#compdef tin"), ("fish", "#")])
def test_other_shells_have_a_script(shell: str, first: str, capsys: Any) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert script.startswith(first)
    assert "--profile" in script or "-l profile" in script
