"""A Jupyter kernel run by this Python, whatever kernels are installed."""

import json
import os
import sys
from pathlib import Path

from tin_lib.lab.process import path_list


def use_own_kernel(folder: Path) -> None:
    """Let the kernel name ``python3`` mean this interpreter, in this process and its children.

    Writes the kernel's description into ``folder``, which must outlive the kernels, and puts it
    first in JUPYTER_PATH.
    """
    described = folder / "kernels" / "python3"
    described.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python"}
    (described / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    os.environ["JUPYTER_PATH"] = path_list(folder, "JUPYTER_PATH")
