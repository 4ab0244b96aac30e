"""``tin completion``."""

import argparse
from pathlib import Path
from typing import Any

SHELLS = ("bash", "zsh", "fish")
WHERE = """\
once for each shell, then open a new one:
  bash  tin completion bash > ~/.local/share/bash-completion/completions/tin
  zsh   tin completion zsh > DIR/_tin, where DIR is a folder of $fpath
  fish  tin completion fish > ~/.config/fish/completions/tin.fish
"""


def add_completion(verbs: Any) -> None:
    """``tin completion SHELL``"""
    p = verbs.add_parser(
        "completion",
        help="print the script for shell completion",
        description="Print the script by which a shell completes subcommands, options, files, "
        "profiles, recipes and networks.",
        epilog=WHERE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    p.set_defaults(call=completion)


def completion(args: argparse.Namespace) -> None:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise ValueError("tin completion needs shtab: pip install shtab") from None
    known = words()
    for verb in args.root._subparsers._group_actions[0].choices.values():
        for action in verb._actions:
            if action.type is Path:
                action.complete = shtab.FILE
            elif action.choices is None and action.dest in known:
                action.choices = known[action.dest]
    print(shtab.complete(args.root, args.shell))


def words() -> dict[str, list[str]]:
    """What is offered for arguments that take these names and other text, too."""
    from tin_lib import networks, recipes
    from tin_lib.runner.workbook import spec

    return {
        "network": networks.names(),
        "recipe": list(recipes.names()),
        "profile": [*spec.load_workbook(spec.default_folder()).profiles, "pretrained"],
        "device": ["auto", "cpu", "cuda"],
    }
