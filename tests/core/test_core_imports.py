"""What the core needs to be imported: a few packages, and nothing that only Unix has; slow packages
are imported where they are needed."""

import subprocess
import sys

CORE = """
import importlib, sys
from pathlib import Path
import tin_lib

def import_core():
    root = Path(tin_lib.__file__).parent
    paths = [path.relative_to(root).with_suffix("") for path in root.rglob("*.py")]
    core = [p for p in paths if p.parts[0] not in ("analysis", "lab", "runner", "__main__")]
    assert len(core) > 50
    for path in core:
        importlib.import_module(".".join(("tin_lib", *path.parts)).removesuffix(".__init__"))
"""
# The core's own packages, and what these need.
ALLOWED = """
torch torchvision numpy pandas PIL safetensors tqdm filelock
torchgen functorch jinja2 markupsafe sympy mpmath networkx fsspec typing_extensions triton
dateutil pytz tzdata six
"""
PACKAGES = f"""
from importlib.machinery import PathFinder
ALLOWED = {{"tin_lib", *sys.stdlib_module_names, *'''{ALLOWED}'''.split()}}

class Allowed:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in ALLOWED or name.startswith("_"):
            return PathFinder.find_spec(name, path, target)

sys.meta_path = [Allowed if finder is PathFinder else finder for finder in sys.meta_path]
import tin_lib.data, tin_lib.networks, tin_lib.runs, tin_lib.train
assert not {{"torchvision", "torch._dynamo"}} & set(sys.modules), "they take as long as torch"
import_core()
"""
WINDOWS = """
import os
import torch.distributed, torch.distributed.elastic, torch.distributed.run, torch.utils.data
import pandas, torchvision, filelock
for name in ("fcntl", "resource", "pwd", "grp", "termios", "_posixsubprocess"):
    sys.modules[name] = None
for name in ("sched_getaffinity", "sched_setaffinity", "fork", "pwrite", "readv", "getuid"):
    if hasattr(os, name):
        delattr(os, name)
import_core()
from tin_lib.process import usable_cores
assert usable_cores()
"""


def run(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", CORE + program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_core_needs_few_packages() -> None:
    run(PACKAGES)


def test_the_core_imports_on_windows() -> None:
    run(WINDOWS)
