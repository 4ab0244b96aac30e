"""Shared by the subcommands: the parser, options for data and networks."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tin_lib.process import DEVICE

MOVED = "where the data are now, if they have moved (default: the recorded folder)"
PAPER = "paper"
NETWORK = "a name below, my_module:build, my_file.py:build, torchvision:NAME or timm:NAME"


class Help(argparse.HelpFormatter):
    """Ends the help of an option that takes a value with its default."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or "", action.default
        if not isinstance(default, str | int | float) or isinstance(default, bool):
            return text  # None has a meaning of its own, which the text says
        named = "default" in text or default == argparse.SUPPRESS
        return text if named else f"{text} (default: %(default)s)"


class Parser(argparse.ArgumentParser):
    """A parser whose help names defaults and can end with text that is slow to make."""

    late_epilog: Callable[[], str] | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"formatter_class": Help} | options))
        self.register("type", None, given)
        self.register("type", Path, lambda text: Path(given(text)))

    def format_help(self) -> str:
        """The help, with what ``late_epilog`` returns at its end."""
        if self.late_epilog is not None:
            self.epilog = self.late_epilog()
        return super().format_help()


def given(text: str) -> str:
    """The text of an argument; none is what a shell gives for a variable that is not set, and as a
    path it would be the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a value")
    return text


def device(text: str) -> str:
    """A device's name, checked before any work; whether there is one shows later."""
    if not DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}: use auto, cpu or cuda")
    return text


def known_names() -> str:
    """The known networks and recipes, as text. Imports torch."""
    from tin_lib import networks, recipes

    return f"networks: {', '.join(networks.names())}; recipes: {', '.join(recipes.names())}"


def add_recipe(parser: Parser, each: str) -> None:
    """Declare network, recipe and device; ``each``: what ``--set`` changes."""
    parser.late_epilog = known_names
    parser.add_argument("network", help=NETWORK)
    parser.add_argument(
        "--recipe",
        help="a name below (default: paper, or resnet18's fast, speednet's hour)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help=f"a field of {each}"
    )
    parser.add_argument("--device", type=device, default="auto", help="auto, cpu or cuda")


def chosen_recipe(args: argparse.Namespace) -> Any:
    """The recipe that ``add_recipe``'s options name, with its fields changed."""
    from tin_lib import networks, recipes

    network = networks.trust(args.network)  # the user names it: it may be imported
    recipe = recipes.get(args.recipe or default_recipe(network), network)
    return recipe.replace(**parse_fields(args.set))


def default_recipe(network: str) -> str:
    """The paper's recipe, unless the network has only others of its own: then the first, with a
    line that names them."""
    from tin_lib import recipes

    own = [name for name, known in recipes.names().items() if network in known]
    if not own or PAPER in own:
        return PAPER
    print(f"recipe {own[0]}; {network} has {', '.join(own)}: --recipe NAME", file=sys.stderr)
    return own[0]


def parse_fields(pairs: list[str]) -> dict[str, Any]:
    """``field=value`` pairs; values as ``sweep.parse_value`` reads them."""
    from tin_lib.runner.jobs.sweep import parse_value

    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or name in fields:
            raise ValueError(f"--set {pair}: write FIELD=VALUE, each field once")
        fields[name] = parse_value(value)
    return fields


def add_data(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say which data."""
    parser.add_argument("--data", default="sample", help="'sample' or a folder of images")
    parser.add_argument(
        "--classes", type=int, help="use this many classes, evenly spread (default: all)"
    )
    parser.add_argument(
        "--per-class", type=int, help="use this many training images per class (default: all)"
    )
    parser.add_argument(
        "--holdout",
        type=float,
        default=0.0,
        help="share of train held out for choosing",
    )


def open_data(args: argparse.Namespace) -> Any:
    """The data that ``add_data``'s options name."""
    from tin_lib import data

    return data.open_data(
        args.data, classes=args.classes, per_class=args.per_class, holdout=args.holdout
    )


def add_folder(parser: argparse.ArgumentParser, metavar: str, text: str) -> None:
    """Declare a folder as the first argument."""
    parser.add_argument("folder", type=Path, metavar=metavar, help=text)
