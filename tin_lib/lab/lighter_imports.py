"""Keeps an import out of every notebook's process, on being imported.

Each of them imports nbformat, and so jsonschema, whose check of IRIs builds a grammar for a second.
Notebooks have no IRIs to check: jsonschema goes without, as if the package were not installed.
"""

import sys
from typing import Any

modules: dict[str, Any] = sys.modules  # type: ignore[assignment]
modules.setdefault("rfc3987_syntax", None)
