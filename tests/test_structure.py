"""The shape of the library: rooms, sizes, empty ``__init__`` files, names."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "tin_lib"
SOURCES = sorted(LIBRARY.rglob("*.py"))
NOT_CORE = ("analysis", "lab", "runner", "__main__.py")
# The design asks for 5,500 lines of core. Readers of odd layouts and of foreign checkpoints took it
# above that, and so did what survives files that are cut or changed; no later change may add to it.
MOST_LINES, MOST_TEST_LINES, MOST_CORE_LINES = 250, 300, 5_820
# Names of modules and objects before the rooms: none may come back.
OLD_MODULES = (
    "story|words|stamps|shares|plate|knobs|gallery|controls|exciting|randomise|suspects|picture"
    "|ahead|latest|locks"
)
OLD_WORDS = "story|stamps?|knobs|plate|exciting|randomise|suspects|Averaged|run_apart|near_diagonal"


def lines(path: Path) -> int:
    """Number of lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def is_core(path: Path) -> bool:
    """Whether a source belongs to the core."""
    return path.relative_to(LIBRARY).parts[0] not in NOT_CORE


def test_the_core_is_small() -> None:
    count = sum(lines(path) for path in SOURCES if is_core(path))
    assert count <= MOST_CORE_LINES, f"the core has {count:,} lines"


def test_no_file_is_long() -> None:
    long = {str(p.relative_to(ROOT)): lines(p) for p in SOURCES if lines(p) > MOST_LINES}
    assert not long


def test_no_test_file_is_long() -> None:
    tests = sorted((ROOT / "tests").rglob("*.py"))
    long = {str(p.relative_to(ROOT)): lines(p) for p in tests if lines(p) > MOST_TEST_LINES}
    assert tests
    assert not long


def test_an_init_only_exports() -> None:
    for path in LIBRARY.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        defined = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert not defined, f"{path.relative_to(ROOT)} defines {defined[0].name}"


def test_rooms_import_downwards_only() -> None:
    pytest.importorskip("importlinter")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_old_names_are_gone() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    old = re.compile(rf"tin_lib[\w.]*\.(?:{OLD_MODULES})\b|\b(?:{OLD_WORDS})\b|\bshrink\(")
    for name in tracked.stdout.split():
        path = ROOT / name
        assert path.suffix != ".py" or path.stem not in OLD_MODULES.split("|"), name
        if path.suffix not in (".py", ".ipynb", ".md", ".yaml", ".toml") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8") if path != Path(__file__) else ""
        found = old.search(text)
        assert not found, f"{name}: {found.group()}"


def test_every_asset_is_installed() -> None:
    """An editable installation has all files, a wheel those that are listed."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    installed = {
        path
        for package, patterns in listed["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    kept = [
        path
        for path in LIBRARY.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.suffix != ".py"
    ]
    assert kept
    assert [path for path in kept if path not in installed] == []
