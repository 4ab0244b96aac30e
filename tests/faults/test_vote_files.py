"""Files of predictions as people have them: voted over as they are meant, or refused truly."""

import codecs
import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tin_lib.__main__ import main
from tin_lib.analysis import ensemble

NAMES = [f"test_{i}.JPEG" for i in range(12)]
WNIDS = [f"n{1440000 + i:08}" for i in range(12)]
BASE = "".join(f"{name} {wnid}\n" for name, wnid in zip(NAMES, WNIDS))
CSV = BASE.replace(" ", ",")
LINES = BASE.splitlines(True)
HEADERS = [
    "file,label", "Id,Category", "image_name,class_id", "img,target", "fname,pred", "Image,Label",
    "ImageId,ClassId", "filename;wnid", "x,y", ",file,label", "# file,label", "path\tclass",
]  # fmt: skip
READ: dict[str, str | bytes] = {
    "commas": CSV,
    "semicolons": CSV.replace(",", ";"),
    "tabs": CSV.replace(",", "\t"),
    "comma and blank": CSV.replace(",", ", "),
    "CRLF": BASE.replace("\n", "\r\n"),
    "CR": BASE.replace("\n", "\r"),
    "blanks at the ends": BASE.replace("\n", "  \n"),
    "no last line end": BASE.rstrip(),
    "empty lines": "\n\n" + BASE.replace("\n", "\n \n"),
    "comments": f"# made by me\n{BASE}# end\n",
    "double quotes": "".join(f'"{a}","{b}"\n' for a, b in zip(NAMES, WNIDS)),
    "single quotes": "".join(f"'{a}' '{b}'\n" for a, b in zip(NAMES, WNIDS)),
    "another order": "".join(LINES[::-1]),
    "BOM": codecs.BOM_UTF8 + BASE.encode(),
    "BOM and header": codecs.BOM_UTF8 + f"file,label\n{CSV}".encode(),
    "UTF-16": BASE.encode("utf-16"),
    "UTF-16 big endian": codecs.BOM_UTF16_BE + BASE.encode("utf-16-be"),
    "UTF-16, CRLF and header": f"file,label\r\n{CSV}".replace("\n", "\r\n").encode("utf-16"),
}
READ.update({f"header {line}": f"{line}\n{CSV}" for line in HEADERS})


def with_labels(*labels: str) -> str:
    return "".join(f"{name} {labels[i % len(labels)]}\n" for i, name in enumerate(NAMES))


NAMING = "name the classes in the same way"
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "class names": (with_labels("goldfish", "newt"), NAMING),
    "indices": (with_labels("0", "1"), NAMING),
    "NaN": (with_labels("nan"), NAMING),
    "one NaN": (BASE.replace(WNIDS[3], "nan"), f"x.txt labels {NAMES[3]} as 'nan'"),
    "floats": (with_labels("0.0", "1.0"), NAMING),
    "truth values": (with_labels("True"), NAMING),
    "capitals": (BASE.replace("n0", "N0"), NAMING),
    "zero-width blank": (BASE.replace("n0", "\u200bn0"), NAMING),
    "formula": (BASE.replace(WNIDS[1], "=cmd()"), "'=cmd()'"),
    "names of several words": ("".join(f'{a},"a b, c"\n' for a in NAMES), "line 1: expected"),
    "vertical bars": (CSV.replace(",", "|"), "line 1: expected"),
    "probabilities": ("".join(f"{a},0.1,0.9\n" for a in NAMES), "line 1: expected"),
    "table of a fit": ("file,label,predicted,probability,top5\n", "`tin submit` writes"),
    "table with an index": ("".join(f"{i},{x}\n" for i, x in enumerate(CSV.split())), "line 1"),
    "one column": ("\n".join(NAMES), "line 1: expected"),
    "a label missing": (BASE.replace(f" {WNIDS[4]}", " "), "line 5: expected"),
    "empty": ("", "x.txt lists no image"),
    "a header alone": ("file,label\n", "x.txt lists no image"),
    "an image missing": ("".join(LINES[1:]), "a.txt lists 1 images that x.txt does not"),
    "an image more": (f"{BASE}test_99.JPEG n00000001\n", "such as test_99.JPEG"),
    "an image twice": (BASE + LINES[2], "line 13: test_2.JPEG is listed a second time"),
    "folders before names": (BASE.replace("test_", "test/images/test_"), "under the same names"),
    "another suffix": (BASE.replace(".JPEG", ".jpg"), "under the same names"),
    "columns swapped": ("".join(f"{b} {a}\n" for a, b in zip(NAMES, WNIDS)), "lists 12 images"),
    "HTML": ("<!DOCTYPE html>\n<html>\n<p>Sign in, please\n", "line 2: expected"),
    "JSON": ('{"test_0.JPEG": "n01440000"}', "images that"),
    "gzip": (gzip.compress(BASE.encode()), "x.txt is compressed (gzip)"),
    "zip": (b"PK\x03\x04" + bytes(30), "x.txt is compressed (zip)"),
    "latin-1": (BASE.encode() + b"caf\xe9 n0\n", "UTF-8 (line 13)"),
    "UTF-16 without its mark": (BASE.encode("utf-16-le"), "UTF-8"),
    "UTF-32": (BASE.encode("utf-32"), "UTF-8"),
    "a picture": (b"\xff\xd8\xff\xe0" + bytes(40), "UTF-8 (line 1)"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(BASE)
    return tmp_path


def vote(*given: str) -> int:
    return main(["vote", *given, "--fallback", "a.txt", "-o", "out.txt"])


def write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_forms_that_are_read(folder: Path, fault: Callable[..., Any]) -> None:
    for name, content in READ.items():
        with fault("bad prediction file of a vote", name):
            write(folder / "x.txt", content)
            assert vote("x.txt", "a.txt") == 0
            assert sorted((folder / "out.txt").read_text().splitlines(True)) == sorted(LINES)
            (folder / "out.txt").unlink()


def test_forms_that_are_refused(
    folder: Path, fault: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, (content, word) in REFUSED.items():
        for place, given in (("first", ("x.txt", "a.txt")), ("second", ("a.txt", "x.txt"))):
            with fault("bad prediction file of a vote", f"{name}, {place}"):
                write(folder / "x.txt", content)
                assert vote(*given) == 2, name
                text = capsys.readouterr().err
                assert word in text, text
                assert text.startswith("tin: ")
                assert text.count("\n") == 1, text
                assert not (folder / "out.txt").exists()


def test_numbers_do_not_vote_with_names(
    folder: Path, fault: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with fault("bad prediction file of a vote", "numbers and names"):
        write(folder / "a.txt", with_labels("cat", "dog"))
        write(folder / "x.txt", with_labels("0", "1"))
        assert vote("a.txt", "x.txt") == 2
        assert NAMING in capsys.readouterr().err
    with fault("bad prediction file of a vote", "class ids of which some are numbers"):
        write(folder / "a.txt", with_labels("7", "cat"))
        write(folder / "x.txt", with_labels("7"))
        assert vote("a.txt", "x.txt") == 0


def test_files_named_twice_and_pipes(
    folder: Path, fault: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "link.txt").symlink_to("a.txt")
    for other in ("a.txt", "./a.txt", str(folder / "a.txt"), "link.txt"):
        with fault("bad prediction file of a vote", f"a.txt and {other}"):
            assert vote("a.txt", other) == 2
            assert "a.txt, which votes already" in capsys.readouterr().err
    with fault(
        "bad prediction file of a vote", "one file that is its own fallback under another name"
    ):
        assert main(["vote", "a.txt", "--fallback", "./link.txt", "-o", "out.txt"]) == 0
    for fallback in ("pipe", "a.txt"):
        with fault("bad prediction file of a vote", f"a pipe, fallback {fallback}"):
            os.mkfifo("pipe")
            writer = threading.Thread(target=Path("pipe").write_text, args=(CSV,))
            writer.start()
            assert main(["vote", "a.txt", "pipe", "--fallback", fallback, "-o", "out.txt"]) == 0
            writer.join()
            os.unlink("pipe")
            assert Path("out.txt").read_text() == BASE
    for name, word in (("absent.txt", "does not exist"), (".", "is a folder"), ("x" * 300, "")):
        with fault("bad prediction file of a vote", f"no file: {name[:9]}"):
            assert vote("a.txt", name) == 2
            assert word in capsys.readouterr().err
    with fault("bad prediction file of a vote", "the output is an input"):
        assert main(["vote", "a.txt", "--fallback", "a.txt", "-o", "a.txt"]) == 0
        assert Path("a.txt").read_text() == BASE


def test_scores_that_are_no_numbers(fault: Callable[..., Any]) -> None:
    sound = np.zeros((3, 4), np.float32)
    for value in (np.nan, np.inf, -np.inf):
        with fault("NaN or infinite scores", f"{value}"):
            odd = sound.copy()
            odd[1, 2] = value
            with pytest.raises(ValueError, match="network 2 of 2 hold NaN or inf"):
                ensemble.soft_vote([sound, odd])
