"""YAML as people write it: 1e-3 and 010 are numbers, 1:30 and dates text, unlike in YAML 1.1."""

import re
from typing import Any

import yaml

INT, FLOAT, DATE = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))


class Loader(yaml.SafeLoader):
    """Reads decimal numbers only, with or without an exponent."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (INT, FLOAT, DATE)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(INT, re.compile(r"[-+]?\d+$"), list("-+0123456789"))
Loader.add_implicit_resolver(
    FLOAT,
    re.compile(r"[-+]?((\d+\.\d*|\.\d+)([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.inf)$|\.nan$"),
    list("-+.0123456789"),
)
Loader.add_constructor(INT, lambda loader, node: int(node.value))


def parse(text: str) -> Any:
    """The value of a YAML document. Raises ValueError, in one line, for what is none."""
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
