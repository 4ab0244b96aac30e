"""Ask pip-audit for known vulnerabilities in what the environment holds: ``audit.py PIP_AUDIT``.

Fails for a vulnerability that a newer version mends. Without an answer it says so and passes: CI
also runs where no network is. pip-audit itself reports packages that its service does not know as
free of vulnerabilities, therefore its list is read and not its exit status alone.
"""

import json
import subprocess
import sys
import sysconfig
from typing import Any

COMMAND = ("--path", sysconfig.get_path("purelib"), "--skip-editable", "--format", "json")
SECONDS = 300  # for all packages


def ask(pip_audit: str) -> list[dict[str, Any]]:
    """What pip-audit says of each package; empty without an answer."""
    command = [pip_audit, *COMMAND, "--timeout", "10", "--progress-spinner", "off"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        return list(json.loads(answer.stdout)["dependencies"])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []


def verdict(packages: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit status and lines to print."""
    asked = [package for package in packages if "skip_reason" not in package]
    if not asked:
        return 0, ["audit: NOT DONE, the advisory service gave no answer: nothing was checked"]
    lines, status = [], 0
    for package in asked:
        for found in package["vulns"]:
            mended = ", ".join(found["fix_versions"])
            what = f"{package['name']} {package['version']}: {found['id']}"
            lines.append(f"audit: {what}, {'mended in ' + mended if mended else 'not mended yet'}")
            status = 1 if mended else status
    lines.append(f"audit: {len(asked)} of {len(packages)} packages asked, {len(lines)} found")
    return status, lines


if __name__ == "__main__":
    status, lines = verdict(ask(sys.argv[1]))
    print(*lines, sep="\n")
    sys.exit(status)
