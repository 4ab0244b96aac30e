"""Submission files: writing, reading what others wrote, voting."""

import os
import threading
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tin_lib.analysis import submission


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_write_then_read(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    submission.write_submission(path, ["test_1.JPEG", "test_0.JPEG"], ["n2", "n1"])
    assert path.read_bytes() == b"test_1.JPEG n2\ntest_0.JPEG n1\n"
    labels = submission.read_submission(path)
    assert labels.to_dict() == {"test_1.JPEG": "n2", "test_0.JPEG": "n1"}
    assert list(labels.index) == ["test_1.JPEG", "test_0.JPEG"]
    assert [each.name for each in tmp_path.iterdir()] == ["out.txt"]  # nothing temporary left


@given(st.dictionaries(st.from_regex(r"test_\d{1,4}\.JPEG", fullmatch=True), st.integers(0, 9)))
@settings(deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, labels: dict[str, int]) -> None:
    if not labels:
        return
    path = tmp_path_factory.mktemp("round") / "a.txt"
    wnids = [f"n{number:08d}" for number in labels.values()]
    submission.write_submission(path, list(labels), wnids)
    assert submission.read_submission(path).to_dict() == dict(zip(labels, wnids))


def test_reads_what_others_write(tmp_path: Path) -> None:
    text = "\ufefftest_0.JPEG\tn1\t \r\n\r\n  test_1.JPEG   n2\r\ntest_2.JPEG n3"
    labels = submission.read_submission(write(tmp_path / "a.txt", text))
    assert labels.to_dict() == {"test_0.JPEG": "n1", "test_1.JPEG": "n2", "test_2.JPEG": "n3"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "t_0.JPEG,00001\nt_1.JPEG,12\n",
        "file,label\r\nt_0.JPEG,00001\r\nt_1.JPEG,12\r\n",
        'Id;Category\n"t_0.JPEG";"00001"\n"t_1.JPEG";"12"\n',
    ],
)
def test_reads_tables_with_headers_and_other_encodings(
    tmp_path: Path, text: str, encoding: str
) -> None:
    labels = submission.read_submission(write(tmp_path / "a.csv", text, encoding))
    assert labels.to_dict() == {"t_0.JPEG": "00001", "t_1.JPEG": "12"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_read_once_and_may_decide_ties(tmp_path: Path) -> None:
    a, pipe = write(tmp_path / "a.txt", "t_0 n1\nt_1 n1\n"), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=write, args=(pipe, "t_0 n2\nt_1 n1\n"))
    writer.start()
    winner = submission.vote_files([a, pipe], pipe, tmp_path / "out.txt")
    writer.join()
    assert winner.to_dict() == {"t_0": "n2", "t_1": "n1"}


def test_labels_of_different_lengths_are_not_cut(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / name, f"t_0 {label}\n")
        for name, label in (("a", "1"), ("b", "00001"), ("c", "a_long_class_name"))
    ]
    for fallback, label in zip(paths, ("1", "00001", "a_long_class_name")):
        submission.vote_files(paths, fallback, tmp_path / "out.txt")
        assert (tmp_path / "out.txt").read_text() == f"t_0 {label}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.JPEG n1\na.JPEG n1\n", r"a\.txt, line 2: a\.JPEG is listed a second time"),
        ("a.JPEG n1\n\nb.JPEG\n", r"a\.txt, line 3: expected"),
        ("a.JPEG n1 0.9\n", r"a\.txt, line 1: expected"),
        ("", r"a\.txt lists no image"),
        (" \r\n\n", r"a\.txt lists no image"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        submission.read_submission(write(tmp_path / "a.txt", text))


def test_no_file_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="tin submit"):
        submission.read_submission(tmp_path / "absent.txt")
    with pytest.raises(ValueError, match="is a folder"):
        submission.read_submission(tmp_path)
    (tmp_path / "image.JPEG").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ValueError, match=r"image\.JPEG is not a text file"):
        submission.read_submission(tmp_path / "image.JPEG")


@pytest.mark.parametrize(
    ("files", "wnids"), [([], []), (["a"], ["n1", "n2"]), (["a b"], ["n1"]), (["a"], [""])]
)
def test_write_refuses_what_cannot_be_read(
    tmp_path: Path, files: list[str], wnids: list[str]
) -> None:
    with pytest.raises(ValueError):
        submission.write_submission(tmp_path / "out.txt", files, wnids)
    assert not list(tmp_path.iterdir())


def vote_of_three(folder: Path) -> list[Path]:
    return [
        write(folder / "a.txt", "t_0 n1\nt_1 n1\nt_2 n1\n"),
        write(folder / "b.txt", "t_2 n2\nt_1 n1\nt_0 n2\n"),
        write(folder / "c.txt", "t_0 n2\nt_1 n3\nt_2 n3\n"),
    ]


def test_vote_takes_the_majority_else_the_fallback(tmp_path: Path) -> None:
    paths = vote_of_three(tmp_path)
    submission.vote_files(paths, paths[2], tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == "t_0 n2\nt_1 n1\nt_2 n3\n"
    submission.vote_files(paths[1:] + paths[:1], paths[0], tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == "t_2 n1\nt_1 n1\nt_0 n2\n"


def test_fallback_from_outside_decides_ties_but_does_not_vote(tmp_path: Path) -> None:
    a, b = (
        write(tmp_path / name, f"t_0 n1\nt_1 {label}\n")
        for name, label in (("a", "n1"), ("b", "n2"))
    )
    outside = write(tmp_path / "d.txt", "t_1 n9\nt_0 n9\n")
    winner = submission.vote_files([a, b], outside, tmp_path / "out.txt")
    assert winner.to_dict() == {"t_0": "n1", "t_1": "n9"}


def test_files_of_other_images_are_refused(tmp_path: Path) -> None:
    paths = vote_of_three(tmp_path)
    short = write(tmp_path / "short.txt", "t_0 n1\nt_1 n1\n")
    with pytest.raises(ValueError, match=r"a\.txt lists 1 images that .*short\.txt.*t_2"):
        submission.vote_files([*paths, short], paths[0], tmp_path / "out.txt")
    with pytest.raises(ValueError, match=r"short\.txt"):
        submission.vote_files(paths, short, tmp_path / "out.txt")
    with pytest.raises(ValueError, match="at least one"):
        submission.vote_files([], paths[0], tmp_path / "out.txt")
    assert not (tmp_path / "out.txt").exists()
