"""One of the processes that ``fit`` starts: ``python -m tin_lib.train REQUEST``."""

import json
import sys
import traceback
from typing import Any

from tin_lib.data import open_data
from tin_lib.process import end_with_parent
from tin_lib.progress import say
from tin_lib.recipes import Recipe
from tin_lib.train import distributed, fit


def main(request: dict[str, Any]) -> int:
    """Take part in the fit; 1 after an error, reported in one line."""
    end_with_parent()
    try:
        recipe, data = Recipe.from_dict(request["recipe"]), open_data(**request["data"])
        fit(recipe, data, request["out"], device=request["device"])
        distributed.leave()
    except Exception as error:  # whatever it is: the other processes report only a lost one
        if not isinstance(error, (ValueError, OSError, ArithmeticError)):
            traceback.print_exc()
        reason = " ".join(str(error).splitlines()) or type(error).__name__
        say(f"{distributed.ERROR}{reason}\n", end="")  # at once: others write to the same pipe
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
