"""A function in a forked child, so that a bus error is a failed test instead of the end of all."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any


def in_child(function: Callable[[], Any]) -> None:
    """Call the function in a child; AssertionError if that raised, or a signal ended it."""
    with warnings.catch_warnings():
        # Python 3.12 warns of forking beside threads. This child uses none of the parent's.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        child = os.fork()
    if not child:
        status = 1
        try:
            import torch

            torch.set_num_threads(1)
            function()
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ended = signal.Signals(-status).name if status < 0 else f"status {status}"
    assert not status, f"the child ended by {ended}"
