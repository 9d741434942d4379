"""CSV and JSONL files of texts with labels."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.owndata import sentences, write_csv, write_jsonl
from training.data.dataset_types import Texts
from training.data.imdb import SENTIMENTS
from training.data.own.bad_rows import BadRows
from training.data.own.text_file import read
from training.errors import TrainingError

GOOD = sentences(60, ["ham", "news", "spam"])


def texts(path: Path, tolerated: float = 1.0) -> tuple[Texts, list[str]]:
    bad = BadRows(tolerated)
    return read(path, bad, standard=SENTIMENTS), bad.lines


def test_csv_and_jsonl_are_the_same(tmp_path: Path) -> None:
    rows = [(number, label, text) for number, (text, label) in enumerate(GOOD)]
    first, _ = texts(write_csv(tmp_path / "a.csv", ["id", "Label", " text"], rows))
    second, _ = texts(write_jsonl(tmp_path / "a.jsonl", GOOD))
    assert first.labels == ("ham", "news", "spam")
    assert (first.train, first.test) == (second.train, second.test)
    assert first.fingerprint == second.fingerprint
    assert (len(first.train), len(first.test)) == (51, 9)
    assert {text.decode() for text in first.train + first.test} == {text for text, _ in GOOD}


def test_the_standard_classes_keep_their_numbers(tmp_path: Path) -> None:
    rows = [(text, "positive" if label == "ham" else "negative") for text, label in GOOD]
    data, _ = texts(write_jsonl(tmp_path / "a.jsonl", rows))
    assert data.labels == SENTIMENTS


def test_quotes_line_breaks_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ["text", "label"], [*GOOD, ('two\nlines, "so"', "ham")])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    data, bad = texts(path)
    assert bad == []
    assert b'two\nlines, "so"' in data.train + data.test


def test_bad_rows_of_csv_are_listed_with_their_lines(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ["text", "label"], [*GOOD])
    with path.open("ab") as file:
        file.write(b'one value\r\n,ham\r\n"a\nb", \r\n\r\na\xff,ham\r\n"x"y,ham\r\na,b,c\r\n')
    _, bad = texts(path)
    assert bad == [
        "line 62: has 1 values, the header 2",
        "line 63: text missing",
        "lines 64 to 65: label missing",
        "line 67: is not UTF-8",
        "line 68: a quotation mark is not closed, or is in the middle of a value (',' expected after '\"')",
        "line 69: has 3 values, the header 2",
    ]


def test_all_lines_that_an_open_quotation_mark_swallows_are_bad(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ["text", "label"], [*GOOD])
    lines = path.read_text().splitlines()
    lines[31] = '"' + lines[31]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(TrainingError) as caught:
        texts(path, tolerated=0.4)
    assert "30 of 60 rows are bad (50 %), more than the 40 %" in str(caught.value)
    assert "lines 32 to 61: a quotation mark is not closed" in str(caught.value)


def test_a_value_that_is_too_long_says_so(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ["text", "label"], [*GOOD, ("win " * 40_000, "spam")])
    _, bad = texts(path)
    assert bad == [
        "line 62: a value has over 131,072 characters, or a quotation mark is not closed"
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"text;label\n", "in 'text;label'. Values must be separated by commas."),
        (b"text\tlabel\n", r"in 'text\tlabel'. Values must be separated by commas."),
        ("text,label\n".encode("utf-16"), "The file must be UTF-8."),
        (b"Grand\xf6\xdfe,label\n", "The file must be UTF-8."),
        (b"label,title\n", "text missing in 'label,title'."),
    ],
)
def test_a_header_of_another_form(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(TrainingError) as caught:
        texts(tmp_path / "a.csv")
    assert str(caught.value).endswith(why)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("text,label,label", "label once, not 2 times: 'label' (column 2), 'label' (column 3)"),
        ("Label,text,label ", "label once, not 2 times: 'Label' (column 1), 'label ' (column 3)"),
        ("\ufefftext,label,TEXT", "text once, not 2 times: 'text' (column 1), 'TEXT' (column 3)"),
        (
            "text,label,\ufefflabel",
            "label once, not 2 times: 'label' (column 2), '\\ufefflabel' (column 3)",
        ),
        (
            "text,label,\uff4cabel",
            "label once, not 2 times: 'label' (column 2), '\uff4cabel' (column 3)",
        ),
    ],
)
def test_a_column_that_stands_twice_is_refused(tmp_path: Path, header: str, told: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\na,b,c\n", encoding="utf-8")
    with pytest.raises(TrainingError) as caught:
        texts(tmp_path / "a.csv")
    assert str(caught.value) == (
        f"{tmp_path / 'a.csv'}, line 1: the header must name the column {told}."
    )


def test_columns_that_are_not_read_may_have_any_names(tmp_path: Path) -> None:
    rows = [("x", text, label, "y", "") for text, label in GOOD]
    data, bad = texts(write_csv(tmp_path / "a.csv", ["id", "text", "label", "id", ""], rows))
    assert (len(data.labels), bad) == (3, [])


def test_bad_rows_of_jsonl_are_listed_with_their_lines(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", GOOD)
    with path.open("ab") as file:
        for line in (
            b"{",
            b"[1]",
            b'{"text": "a"}',
            b'{"text": "a", "label": null}',
            b'{"text": ["a"], "label": "b"}',
            b'{"text": "\xff", "label": "b"}',
            b'{"text": "\\ud800", "label": "b"}',
            b"",
            b"[" * 100_000,
            b'{"text": "a", "label": "b", "label": "c"}',
        ):
            file.write(line + b"\n")
    _, bad = texts(path)
    assert [line.partition(" (")[0][:60] for line in bad] == [
        "line 61: is not JSON: Expecting property name enclosed in do",
        "line 62: is not a JSON object",
        "line 63: label missing",
        "line 64: label missing",
        "line 65: text must be a string, not ['a']",
        "line 66: is not UTF-8",
        "line 67: text has half a character, a lone surrogate",
        "line 69: is not JSON: maximum recursion depth exceeded while",
        "line 70: has the key 'label' twice",
    ]


def test_rows_are_left_to_learn_from_whichever_has_many_copies(tmp_path: Path) -> None:
    ham = [row for row in GOOD if row[1] == "ham"]
    for copied in ham:
        rows = [*GOOD, *[copied] * 200]
        data, _ = texts(write_jsonl(tmp_path / "a.jsonl", rows))
        tested, learned = set(data.test), set(data.train)
        assert (len(learned), len(tested), learned & tested) == (51, 9, set())
        assert set(data.train_labels.tolist()) == set(data.test_labels.tolist()) == {0, 1, 2}


def test_a_fingerprint_tells_of_test_rows_that_the_first_version_did_not_choose(
    tmp_path: Path,
) -> None:
    """Else a run of that version would go on, and be measured with rows that it has learned."""

    def as_at_first(rows: list[tuple[str, str]]) -> str:
        digest = hashlib.sha256()
        for text, label in rows:
            digest.update(hashlib.sha256(b"1:" + text.encode()).hexdigest().encode())
            digest.update(hashlib.sha256(label.encode()).digest())
        return digest.hexdigest()

    data, _ = texts(write_jsonl(tmp_path / "a.jsonl", GOOD))
    assert data.fingerprint == as_at_first(GOOD)
    rows = [*GOOD, *[GOOD[0]] * 200]
    data, _ = texts(write_jsonl(tmp_path / "b.jsonl", rows))
    assert data.fingerprint != as_at_first(rows)


def test_classes_may_be_numbers(tmp_path: Path) -> None:
    lines = [json.dumps({"text": text, "label": len(label)}) for text, label in GOOD]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    data, bad = texts(tmp_path / "a.jsonl")
    assert bad == []
    assert data.labels == ("3", "4")


def test_a_header_that_lacks_a_column(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ["review", "label"], [*GOOD])
    with pytest.raises(TrainingError) as caught:
        texts(path)
    assert str(caught.value) == (
        f"{path}, line 1: the header must name the columns text, label; "
        "text missing in 'review,label'."
    )


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(TrainingError, match="holds nothing to learn from"):
        texts(tmp_path / "a.jsonl")
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(TrainingError, match="the header must name the columns text, label"):
        texts(tmp_path / "a.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_lines_of_another_encoding_are_not_taken_for_some_of_them(
    tmp_path: Path, encoding: str
) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", GOOD)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    with pytest.raises(TrainingError, match="rows are bad"):
        texts(path)
