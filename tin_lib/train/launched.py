"""What each process of ``launch`` runs: ``python -m tin_lib.train.launched FIELDS``."""

import json
import sys
import traceback
from pathlib import Path

from tin_lib.data import open_data
from tin_lib.process import end_with_parent
from tin_lib.recipes import Recipe
from tin_lib.train import distributed, fit
from tin_lib.train.launcher import ERROR


def main(fields: dict) -> int:
    """Open the data and take part in the fit; 1 after an error, told in a line."""
    end_with_parent()
    try:
        take_part(fields)
    except Exception as error:  # whatever it is: the other processes only tell of a loss
        if not isinstance(error, (ValueError, OSError, ArithmeticError)):
            traceback.print_exc()
        told = " ".join(str(error).splitlines()) or type(error).__name__
        sys.stdout.write(f"{ERROR}{told}\n")  # in one piece, beside what the others write
        sys.stdout.flush()
        return 1
    return 0


def take_part(fields: dict) -> None:
    """Open the data and train."""
    recipe, data = Recipe.from_dict(fields["recipe"]), open_data(**fields["data"])
    with distributed.losses_explained(Path(fields["out"])):
        fit(recipe, data, fields["out"], device=fields["device"])
        distributed.leave()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
