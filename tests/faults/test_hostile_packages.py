"""Packages and actions of others: vulnerabilities fail CI, workflows take only what is pinned."""

import importlib.util
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PUBLISHING = {"pages": "write", "id-token": "write"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
assert spec
assert spec.loader
audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(audit)

SOUND = {"name": "torch", "version": "2.6", "vulns": []}
MENDED = {"name": "pillow", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
OPEN = {"name": "numpy", "version": "1", "vulns": [{"id": "CVE-2", "fix_versions": []}]}
SKIPPED = {"name": "tornado", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        ([SOUND], 0, "1 of 1 packages asked, 0 found"),
        ([SOUND, MENDED], 1, "pillow 1: CVE-1, mended in 1.1"),
        ([OPEN, SKIPPED], 0, "numpy 1: CVE-2, not mended yet"),
        ([SKIPPED, SKIPPED], 0, "NOT DONE"),
        ([], 0, "NOT DONE"),
    ],
)
def test_what_the_audit_says(
    tmp_path: Path, fault: Callable, packages: list[Any], status: int, words: str
) -> None:
    tool = tmp_path / "pip-audit"
    (tmp_path / "answer.json").write_text(json.dumps({"dependencies": packages}))
    tool.write_text(f"#!/bin/sh\ncat {tmp_path / 'answer.json'}\nexit {status}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    with fault("audit of vulnerable packages", words):
        found, lines = audit.verdict(audit.ask(str(tool)))
        assert found == status
        assert words in "\n".join(lines)


@pytest.mark.parametrize("script", ["", "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho no json\n"])
def test_an_audit_without_an_answer_says_so(tmp_path: Path, fault: Callable, script: str) -> None:
    tool = tmp_path / "pip-audit"
    if script:
        tool.write_text(script)
        tool.chmod(0o755)
    with fault("audit of vulnerable packages", f"no answer: {script!r}"):
        status, lines = audit.verdict(audit.ask(str(tool)))
        assert status == 0
        assert "NOT DONE" in lines[0]


def test_ci_asks() -> None:
    assert ".ci/audit.py" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_pinned_and_may_only_read(path: Path) -> None:
    text = path.read_text()
    used = re.findall(r"^\s*(?:- )?uses:\s*(\S+)(.*)$", text, re.MULTILINE)
    for action, comment in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r"\s+# v\d+\.\d+\.\d+", comment), f"{action}: its version"
    content = yaml.safe_load(text)
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 360
        if "permissions" in job:  # only to publish, and never for others' pull requests
            assert job["permissions"] == {**content["permissions"], **PUBLISHING}
            assert "pull_request" not in text
        for step in job["steps"]:
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
            assert "${{" not in step.get("run", "")  # text of others would become a command
    assert "pull_request_target" not in text


def test_there_is_a_workflow() -> None:
    assert WORKFLOWS
