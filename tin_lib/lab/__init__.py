"""What notebooks show: figures, conclusions, widgets, and the processes that they start."""

import sys
from typing import Any

# Every process of a notebook imports nbformat, and so jsonschema, whose check of IRIs builds a
# grammar for a second. Notebooks have none to check: jsonschema goes without, as if the package
# were not installed.
modules: dict[str, Any] = sys.modules  # type: ignore[assignment]
modules.setdefault("rfc3987_syntax", None)
