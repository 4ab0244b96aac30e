"""README and docs/: links and anchors lead somewhere, commands are understood, tables agree."""

import functools
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from tin_lib.__main__ import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "docs" / "teaching" / "README.md",
    *sorted((ROOT / "results").rglob("README.md")),
    ROOT / "benchmarks" / "README.md",
]
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ROW = re.compile(r"^\| \**(.+?)\** \| (\d+) \| (\d+) \|", re.MULTILINE)
PARSER = build_parser()


def name(page: Path) -> str:
    """A page's name for pytest."""
    return str(page.relative_to(ROOT))


@functools.cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    found = set(re.findall(r'<a id="([^"]+)">', text))
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_anchors_resolve(page: Path) -> None:
    for link in LINK.findall(text_of(page)):
        if re.match(r"https?://", link):
            continue
        file, _, anchor = unquote(link).partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{name(page)}: {link}"
        assert target.is_relative_to(ROOT), f"{name(page)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name(page)}: {link}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(text_of(PAGES[0]))}
    assert set((ROOT / "docs").glob("*.md")) <= linked
    assert {ROOT / "LICENSE", ROOT / "CITATION.cff"} <= linked
    assert len(text_of(PAGES[0]).splitlines()) <= 130


def commands(page: Path) -> list[str]:
    """What follows ``tin`` on the lines of a page's shell blocks and in its inline code."""
    text = text_of(page)
    lines = "\n".join(SHELL.findall(text)).splitlines()
    lines += [code for code in re.findall(r"`([^`\n]+)`", text) if code.startswith("tin ")]
    found = [re.search(r"(?:^|/bin/|-m )tin(?:_lib)? (.+)", line) for line in lines]
    return [re.sub(r"  #.*| > .*", "", match[1]) for match in found if match]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_understood(page: Path) -> None:
    for command in commands(page):
        words = shlex.split(command, comments=True)
        if "…" in command or "..." in command:
            continue  # shortened
        if words == ["--version"]:
            continue  # an option of tin, not a verb
        if len(words) == 1:
            verbs = PARSER._subparsers._group_actions[0].choices
            assert words[0] in {*verbs, *PARSER._option_string_actions}, command
        else:
            PARSER.parse_args(words)  # ends with status 2 if it does not understand


def test_the_readmes_commands_are_found() -> None:
    every = [command for page in PAGES for command in commands(page)]
    assert sum(command.startswith("run ") for command in every) >= 5
    assert {"train", "sweep", "publish", "verify", "browse"} <= {c.split()[0] for c in every}


def test_make_targets_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"^make ([\w-]+)", "\n".join(SHELL.findall(text_of(page))), re.M))
        named |= set(re.findall(r"`make ([\w-]+)", text_of(page)))
        assert named <= targets, f"{name(page)}: {named - targets}"


def test_the_readmes_faults_are_those_of_the_table() -> None:
    page = text_of(ROOT / "docs" / "FAULTS.md")
    table = {kind: (int(tried), int(well)) for kind, tried, well in ROW.findall(page)}
    total = table.pop("all")
    assert total == tuple(map(sum, zip(*table.values(), strict=True)))
    groups = {
        group: kinds.split(", ")
        for group, kinds in re.findall(r"^- \*\*(.+)\*\*: (.+)$", page, re.M)
    }
    assert sorted(kind for kinds in groups.values() for kind in kinds) == sorted(table)
    sums = {
        group: tuple(map(sum, zip(*(table[kind] for kind in kinds), strict=True)))
        for group, kinds in groups.items()
    }
    shown = {kind: (int(tried), int(well)) for kind, tried, well in ROW.findall(text_of(PAGES[0]))}
    assert shown == {**sums, "all": total}


def test_the_citation_is_that_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "MIT"
    assert f'version = "{citation["version"]}"' in (ROOT / "pyproject.toml").read_text()
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
