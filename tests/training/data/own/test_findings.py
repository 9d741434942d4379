"""What a colleague would remark of own data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.owndata import CAR_HEADER, cars, draw_shapes, sentences, write_csv
from training.data.auto_mpg import ORIGINS
from training.data.fashion_mnist import GARMENTS
from training.data.imdb import SENTIMENTS
from training.data.own import car_table, image_folder, text_file
from training.data.own.bad_rows import BadRows
from training.data.own.findings import Finding, findings_of
from training.errors import TrainingError
from training.tasks.clothing import _ENCODED, _prepare

GOOD = sentences(900, ["ham", "news", "spam"])


def of_texts(folder: Path, rows: Sequence[tuple[str, str]]) -> list[Finding]:
    path = write_csv(folder / "texts.csv", ["text", "label"], [*rows])
    data = text_file.read(path, BadRows(0.0), standard=SENTIMENTS)
    assert data.own is not None
    return findings_of(data.own)


def of_cars(folder: Path, rows: Sequence[tuple[object, ...]]) -> list[Finding]:
    path = write_csv(folder / "cars.csv", CAR_HEADER, [*rows])
    data = car_table.read(path, BadRows(0.0), standard=ORIGINS)
    assert data.own is not None
    return findings_of(data.own)


def only(findings: Sequence[Finding], part: str, *, blocks: bool) -> str:
    (found,) = [each for each in findings if part in each.sentence]
    assert found.blocks == blocks, found
    return found.sentence


def test_nothing_is_remarked_of_good_texts(tmp_path: Path) -> None:
    assert of_texts(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("Good", "good"), ("1", "1.0"), ("not-good", "not good"), ("ﬁne", "fine")],
)
def test_classes_that_are_one(tmp_path: Path, one: str, other: str) -> None:
    rows = [(text, {"ham": one, "news": other}.get(label, label)) for text, label in GOOD]
    told = only(of_texts(tmp_path, rows), "differ only in how they are written", blocks=True)
    assert f"{one!r} (300 rows)" in told
    assert f"{other!r} (300 rows)" in told


def test_a_class_that_is_a_missing_label(tmp_path: Path) -> None:
    rows = [(text, "NaN" if label == "ham" else label) for text, label in GOOD]
    only(of_texts(tmp_path, rows), "'NaN' (300 rows) looks like a label", blocks=False)


def test_contradictions(tmp_path: Path) -> None:
    few = [(text.upper(), "spam") for text, label in GOOD[:9] if label == "ham"]
    told = only(of_texts(tmp_path, [*GOOD, *few]), "under several classes", blocks=False)
    assert told.startswith("6 of 903 rows (0.66 %) stand under several classes")
    assert "line 2 (ham) and line 902 (spam)" in told
    assert "no accuracy over 0.9967 is possible" in told
    many = [(text, "spam") for text, label in GOOD if label == "ham"]
    only(of_texts(tmp_path, [*GOOD, *many]), "under several classes", blocks=True)


def test_copies(tmp_path: Path) -> None:
    told = only(of_texts(tmp_path, GOOD + GOOD[:300]), "are copies of others", blocks=False)
    assert told.startswith("300 of 1,200 rows (25 %) are copies of others; 900 are different")
    only(of_texts(tmp_path, GOOD * 5), "are copies of others", blocks=True)


def test_a_test_row_that_is_learned_from_in_another_spelling(tmp_path: Path) -> None:
    rows = [*GOOD, *[(f"  {text.title()}", label) for text, label in GOOD]]
    only(of_texts(tmp_path, rows), "test rows are learned from as well", blocks=True)


def test_a_rare_class(tmp_path: Path) -> None:
    rows = [row for row in sentences(2400, ["ham", "spam"]) if row[1] == "ham"]
    rows += [row for row in sentences(24, ["ham", "spam"]) if row[1] == "spam"]
    found = of_texts(tmp_path, rows)
    told = only(found, "'spam' has 12 rows", blocks=False)
    assert "always answering 'ham' has an accuracy of 0.9901" in told
    only(found, "Of the classes 'spam' (2) there are fewer than 5 test rows", blocks=False)


def test_few_test_rows(tmp_path: Path) -> None:
    told = only(
        of_texts(tmp_path, sentences(120, ["ham", "spam"])), "test rows. Even", blocks=False
    )
    assert told == (
        "There are 18 test rows. Even if all are answered rightly, the accuracy may be 0.82 "
        "(95 % confidence)."
    )


def test_texts_that_tell_their_class(tmp_path: Path) -> None:
    rows = [(f"{text} #{label}", label) for text, label in GOOD]
    found = of_texts(tmp_path, rows)
    assert sum("hold the word" in each.sentence for each in found) == 3


@pytest.mark.parametrize("mark", ["[source:7]", "4711", "Unsubscribe"])
def test_a_word_that_marks_a_class(tmp_path: Path, mark: str) -> None:
    rows = [(f"{text} {mark}" if label == "spam" else text, label) for text, label in GOOD]
    told = only(of_texts(tmp_path, rows), "Nearly all texts of class 'spam' hold", blocks=False)
    assert repr(mark.casefold()) in told
    # In four of five it may well be a word of theirs.
    rows = [
        (f"{text} {mark}" if label == "spam" and number % 5 else text, label)
        for number, (text, label) in enumerate(GOOD)
    ]
    assert of_texts(tmp_path, rows) == []


@pytest.mark.parametrize(
    ("text", "what"), [("2024-01-{}", "no word (are they numbers"), ("{} cat", "one word")]
)
def test_texts_without_language(tmp_path: Path, text: str, what: str) -> None:
    rows = [(text.format(n), "ham" if n % 2 else "spam") for n in range(100)]
    only(of_texts(tmp_path, rows), what, blocks=False)


def test_columns_that_are_swapped(tmp_path: Path) -> None:
    rows = [(label, f"{text} {n}") for n, (text, label) in enumerate(GOOD)]
    with pytest.raises(TrainingError, match=r"has 900 classes in 900 rows.*in another column"):
        of_texts(tmp_path, rows)


def test_a_text_that_the_service_would_refuse_is_a_bad_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ["text", "label"], [*GOOD, ("win " * 12_501, "spam")])
    bad = BadRows(0.01)
    text_file.read(path, bad, standard=SENTIMENTS)
    assert bad.lines == ["line 902: text has 50,004 bytes; the service takes 50,000"]


def test_pictures_of_nothing_and_of_two_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    draw_shapes(tmp_path / "shapes", 20)
    Image.new("RGB", (30, 30), "red").save(tmp_path / "shapes" / "line" / "red.png")
    for name in ("circle", "line"):
        Image.effect_noise((28, 28), 90).save(tmp_path / f"{name}.png")
    (tmp_path / "shapes" / "circle" / "same.png").write_bytes(
        (tmp_path / "shapes" / "square" / "0.png").read_bytes()
    )
    data = image_folder.read(
        tmp_path / "shapes", BadRows(0.0), field=_ENCODED, prepare=_prepare, standard=GARMENTS
    )
    assert data.own is not None
    found = findings_of(data.own)
    told = only(found, "show nothing that stands out", blocks=False)
    assert told.endswith("line/red.png.")
    told = only(found, "under several classes", blocks=False)
    assert "circle/same.png (circle) and square/0.png (square)" in told


def changed(**columns: Any) -> list[tuple[object, ...]]:
    """Return cars of which each named column is what a function makes of it."""
    rows = []
    for row in cars(200):
        car = dict(zip(CAR_HEADER, row, strict=True))
        for name, change in columns.items():
            car[name] = "?" if car[name] == "?" else change(car)
        rows.append(tuple(car.values()))
    return rows


def test_nothing_is_remarked_of_good_cars(tmp_path: Path) -> None:
    assert of_cars(tmp_path, changed()) == []


@pytest.mark.parametrize(
    ("column", "change", "perhaps"),
    [
        ("displacement", lambda car: car["displacement"] / 61, "litres"),
        ("displacement", lambda car: car["displacement"] * 16.4, "cubic centimetres"),
        ("weight", lambda car: car["weight"] / 2.2, "kilograms"),
        ("model_year", lambda car: car["model_year"] + 1900, "years of four digits"),
        ("mpg", lambda car: 235 / car["mpg"], "litres for 100 km"),
    ],
)
def test_other_units(tmp_path: Path, column: str, change: Any, perhaps: str) -> None:
    found = of_cars(tmp_path, changed(**{column: change}))
    only(found, perhaps, blocks=True)


def test_columns_of_cars_that_are_swapped(tmp_path: Path) -> None:
    found = of_cars(
        tmp_path,
        changed(
            weight=lambda car: car["displacement"],
            displacement=lambda car: 2000 + car["model_year"],
        ),
    )
    assert sum(each.blocks for each in found) >= 2


def test_identical_cars_and_equal_targets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="120 good rows, of which 1 are different"):
        of_cars(tmp_path, [cars(2)[1]] * 120)
    with pytest.raises(TrainingError, match="mpg is 20 in all rows"):
        of_cars(tmp_path, changed(mpg=lambda car: 20))


def test_copies_of_cars_and_contradictions(tmp_path: Path) -> None:
    found = of_cars(tmp_path, changed() * 2)
    only(found, "200 of 400 rows (50 %) are copies of others", blocks=True)
    twice = [*changed(), *changed(mpg=lambda car: car["mpg"] * 2)[:3]]
    told = only(of_cars(tmp_path, twice), "alike in everything but mpg", blocks=False)
    assert told.startswith("6 of 203 rows (3 %) are alike in everything but mpg")


def test_outliers_constants_and_columns_that_say_the_same(tmp_path: Path) -> None:
    rows = changed()
    slipped = dict(zip(CAR_HEADER, rows[40], strict=True))
    slipped["weight"] = 3000 * 1000
    rows[40] = tuple(slipped.values())
    told = only(of_cars(tmp_path, rows), "more or less than its median", blocks=False)
    assert "in 1 of 200 rows (0.5 %): line 42 (3e+06)" in told
    only(
        of_cars(tmp_path, changed(model_year=lambda car: 75)),
        "model_year is 75 in all rows",
        blocks=False,
    )
    given = of_cars(tmp_path, changed(acceleration=lambda car: car["mpg"]))
    only(given, "acceleration and mpg say the same", blocks=True)
    copied = of_cars(tmp_path, changed(horsepower=lambda car: car["displacement"]))
    only(copied, "displacement and horsepower say the same", blocks=False)


def test_origins_that_are_one(tmp_path: Path) -> None:
    rows = changed(origin=lambda car: "USA" if car["model_year"] == 95 else car["origin"])
    told = only(of_cars(tmp_path, rows), "differ only in how they are written", blocks=True)
    assert told.startswith("The origins ")
