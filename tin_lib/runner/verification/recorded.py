"""The digests that a fit records of its files."""

from pathlib import Path

from tin_lib import files
from tin_lib.runner.verification.checks import Different, NotRecorded

OTHERS = ("published.safetensors", "checkpoint.pt")  # files that may lie beside a fit's own
KEY = "files"  # in summary.json: SHA-256 by the name of the file


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 by file name; empty if the fit was made before they were recorded."""
    found = files.read_object(folder / "summary.json").get(KEY)
    return found if isinstance(found, dict) else {}


def compare(folder: Path, name: str) -> str:
    """Raise Different unless the file has its recorded digest, NotRecorded without one."""
    wanted, found = digests(folder).get(name), files.file_digest(folder / name)
    if wanted is None:
        raise NotRecorded("its digest")
    if found != wanted:
        raise Different(f"SHA-256 {wanted[:12]} recorded, {found[:12]} found")
    return f"SHA-256 {found[:12]}"
