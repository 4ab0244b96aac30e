"""Ending a child process together with its kernel and whatever that started."""

import contextlib
import subprocess

GRACE = 5.0  # seconds between asking a process to end and killing it


def kill_children(pid: int) -> None:
    """Kill all processes below ``pid``; a kernel leads a session that no group signal reaches."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def stop_tree(process: subprocess.Popen) -> None:
    """End a child: closing its standard input asks it to; after GRACE it is killed."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        kill_children(process.pid)
        process.kill()
        process.wait()
