"""What each process of ``launch`` runs: ``python -m tin_lib.train.launched FIELDS``."""

import json
import sys
from pathlib import Path

from tin_lib.data import open_data
from tin_lib.recipes import Recipe
from tin_lib.train import distributed, fit
from tin_lib.train.launcher import ERROR


def main(fields: dict) -> int:
    """Open the data and take part in the fit; 1 after an error, told in a line."""
    try:
        take_part(fields)
    except (ValueError, OSError, ArithmeticError) as error:
        print(f"{ERROR}{error}", flush=True)
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
