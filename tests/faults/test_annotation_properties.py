"""Properties of val_annotations.txt: whatever is edited, no image gets a wrong label."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_folder import CLASSES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_data import annotation_rows, copied

from tin_lib.data import layout

VAL = "val/val_annotations.txt"
BOTH = (ValueError, OSError)


def labels_of_val(root: Path) -> dict[str, str]:
    """The class of each validation image, as the library reads it, without its pixels."""
    classes = layout.read_classes(root)
    table = layout.read_val(root, classes)
    return dict(zip(table.files, (classes.ids[label] for label in table.labels), strict=True))


@pytest.fixture(scope="module")
def edited(official: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy for the property tests, which write its val_annotations.txt anew."""
    with copied(official, tmp_path_factory.mktemp("edited")) as root:
        yield root


MANY = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
FIELD = st.sampled_from(
    [
        "val_0.JPEG",
        "val_5.JPEG",
        "val_1.jpeg",
        *CLASSES,
        "",
        "0",
        "63",
        "64",
        "-1",
        " ",
        "\ufeff",
        "x",
    ]
)


@MANY
@given(data=st.data())
def test_edits_never_change_a_label(
    fault, official: Path, edited: Path, data: st.DataObject
) -> None:
    """Fields replaced, lines removed, doubled or exchanged: the line's own label, or a message."""
    rows = [list(row) for row in annotation_rows(official)]
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(rows) - 1))
        what = data.draw(st.sampled_from(["field", "field", "remove", "double", "exchange"]))
        if what == "field" and rows[number]:
            rows[number][data.draw(st.integers(0, len(rows[number]) - 1))] = data.draw(FIELD)
        elif what == "remove" and len(rows) > 1:
            del rows[number]
        elif what == "double":
            rows.insert(number, list(rows[number]))
        else:
            rows[number], rows[0] = rows[0], rows[number]
    with fault("randomly edited annotations", "some fields"):
        check_labels(edited, "\n".join("\t".join(row) for row in rows).encode(), rows)


def check_labels(root: Path, content: bytes, rows: list[list[str]]) -> None:
    """Each image has the class of the one line that names it; or there is one message."""
    (root / VAL).write_bytes(content)
    try:
        found, message = labels_of_val(root), ""
    except (ValueError, OSError) as error:
        found, message = {}, str(error)
    if message:
        assert str(root / VAL) in message
        return
    stems = {row[0].lower().split(".")[0]: row[1] for row in rows if len(row) == 6}
    assert len(found) == 6
    for file, wnid in found.items():
        assert stems[file.split(".")[0]] == wnid


@MANY
@given(st.binary(max_size=120))
def test_any_bytes(fault, edited: Path, content: bytes) -> None:
    """Too few to be right: one message, of this file."""
    with fault("randomly edited annotations", "any bytes"):
        (edited / VAL).write_bytes(content)
        with pytest.raises(BOTH, match=re.escape(str(edited / VAL))):
            labels_of_val(edited)


@MANY
@given(
    st.permutations(range(6)),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\t", " ", "   "]),
    st.sampled_from([".JPEG", ".jpeg", ".jpg", ".png", ""]),
    st.booleans(),
)
def test_what_does_not_matter(fault, official, edited, order, end, code, gap, suffix, last) -> None:
    rows = annotation_rows(official)
    text = end.join(gap.join(rows[i]).replace(".JPEG", suffix) for i in order) + end * last
    with fault("randomly edited annotations", "form alone"):
        (edited / VAL).write_bytes(text.encode(code))
        assert labels_of_val(edited) == {row[0]: row[1] for row in rows}
