"""One line instead of a traceback where a cell is interrupted in a call of this library.

Importing this in IPython sets it up. ``%tb`` still shows the whole traceback.
"""

import sys
from types import TracebackType
from typing import Any

LIBRARY = __name__.partition(".")[0]


def call_in(traceback: TracebackType | None) -> str:
    """The name of the first function of this library in ``traceback``; empty if there is none."""
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_globals.get("__name__", "").partition(".")[0] == LIBRARY:
            name = frame.f_code.co_qualname.removesuffix(".__init__")
            return "an import" if name == "<module>" else name
        traceback = traceback.tb_next
    return ""


def show(shell: Any, _: type, error: BaseException, traceback: TracebackType, **__: Any) -> None:
    """Show an interrupt; one in other code, or with a line of its own, as IPython does."""
    call = call_in(traceback)
    if call and not hasattr(error, "_render_traceback_"):
        vars(error)["_render_traceback_"] = lambda: [f"Stopped in {call}; run the cell again"]
    shell.showtraceback(running_compiled_code=True)
    vars(error).pop("_render_traceback_", None)


def set_up() -> None:
    """Show interrupts by ``show``, in IPython only."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if shell is not None:
        shell.set_custom_exc((KeyboardInterrupt,), show)


set_up()
