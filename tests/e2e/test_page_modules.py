"""Modules of the page that compute, asked by themselves in a real browser."""

import json
from typing import Any

import pytest

from service.api.routes.page import FOLDER

CSV = [
    ("a,b\n1,2\n", ["a", "b"], [(2, ["1", "2"])]),
    ('a,b\r\n"x, ""y""\nz",2\r\n\r\n3,4', ["a", "b"], [(2, ['x, "y"\nz', "2"]), (5, ["3", "4"])]),
    ("\ufeffa;b\n1,5;2", ["a", "b"], [(2, ["1,5", "2"])]),
    ("a\tb\n1\t2", ["a", "b"], [(2, ["1", "2"])]),
    ("only\n\n", ["only"], []),
]
BOUNDS = [0.001, 0.01, 0.1]


@pytest.fixture(scope="module")
def modules(browser: Any) -> Any:
    """A page on which the modules can be imported; nothing serves it but this process."""

    def answer(route: Any) -> None:
        name = route.request.url.rpartition("/")[2]
        if name.endswith(".js"):
            body = (FOLDER / name).read_text()
            route.fulfill(body=body, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>modules</title>", content_type="text/html")

    page = browser.new_page()
    page.route("**/*", answer)
    page.goto("http://page.invalid/")
    return page


def ask(page: Any, module: str, expression: str, *values: Any) -> Any:
    """Return what an expression over a module's exports ``m`` and the ``values`` comes to."""
    script = (
        f"async (values) => {{ const m = await import('/ui/{module}.js'); return {expression}; }}"
    )
    return page.evaluate(script, list(values))


@pytest.mark.parametrize(("text", "header", "rows"), CSV)
def test_csv_is_read_as_spreadsheets_write_it(
    modules: Any, text: str, header: list[str], rows: list[tuple[int, list[str]]]
) -> None:
    found = ask(modules, "csv", "m.parseCsv(values[0])", text)
    assert found["header"] == header
    assert [(row["line"], row["cells"]) for row in found["rows"]] == rows


def test_what_is_written_as_csv_is_read_again_and_no_formula(modules: Any) -> None:
    lines = [["a", "b"], ['x, "y"\nz', 2.5], ["=1+1", None], [[1, 2], True]]
    found = ask(modules, "csv", "m.parseCsv(m.toCsv(values[0]))", lines)
    cells = [row["cells"] for row in found["rows"]]
    assert cells == [['x, "y"\nz', "2.5"], ["'=1+1", ""], ["[1,2]", "true"]]


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        ({"dtype": "float32", "shape": [None]}, " 1.5 ", 1.5),
        ({"dtype": "float32", "shape": [None]}, "", ""),
        ({"dtype": "float32", "shape": [None], "nullable": True}, "", None),
        ({"dtype": "float32", "shape": [None]}, "many", "many"),
        ({"dtype": "bool", "shape": [None]}, "TRUE", True),
        ({"dtype": "string", "shape": [None]}, "007", "007"),
        ({"dtype": "float32", "shape": [None, 2]}, "[1, 2]", [1, 2]),
    ],
)
def test_a_cell_is_what_its_field_takes(
    modules: Any, field: dict[str, Any], cell: str, value: Any
) -> None:
    assert ask(modules, "csv", "m.cellValue(values[0], values[1])", field, cell) == value


EXACT = '{"key": 9007199254740993, "list": [-9223372036854775808, 1], "text": "9007199254740993"}'


def test_json_is_written_as_it_was_read(modules: Any) -> None:
    for text in (EXACT, "[1.5, 1e+21, 0.1, 12345678, null, true]"):
        found = ask(modules, "json", "m.stringify(m.parse(values[0]), 1)", text)
        assert "".join(found.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("9007199254740993", "bigint"),
        (" -9223372036854775808 ", "bigint"),
        ("12", "number"),
        ("1.5e3", "number"),
        ("1e400", "string"),
        ("", "string"),
        (" ", "string"),
        ("many", "string"),
    ],
)
def test_a_text_is_the_number_that_it_says(modules: Any, text: str, kind: str) -> None:
    value, found = ask(modules, "json", "(n => [String(n), typeof n])(m.numberIn(values[0]))", text)
    assert found == kind
    assert value == (text if kind == "string" else text.strip().replace("1.5e3", "1500"))


def test_numbers_of_both_kinds_are_compared(modules: Any) -> None:
    script = "m.difference(m.numberIn(values[0]), m.numberIn(values[1]))"
    assert ask(modules, "json", script, "9007199254740993", "9007199254740992") == 1
    assert ask(modules, "json", script, "9007199254740994", "2") == 2**53
    assert ask(modules, "json", script, "1.5", "2") == -0.5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9007199254740993", "9,007,199,254,740,993"),
        ("1234567890", "1,234,567,890"),
        ("1234567890.5", "1.23e+9"),
        ("27.25664", "27.26"),
        ("0.00001234", "1.23e-5"),
        ("0", "0"),
    ],
)
def test_whole_numbers_are_shown_whole(modules: Any, text: str, shown: str) -> None:
    script = "m.shortNumber((await import('/ui/json.js')).parse(values[0]))"
    assert ask(modules, "dom", script, text) == shown


def times(*buckets: int, failures: int = 0) -> dict[str, Any]:
    return {"requests": sum(buckets), "failures": failures, "buckets": list(buckets)}


def test_rates_are_of_what_was_counted_between_readings(modules: Any) -> None:
    readings = [
        [0, {"1": times(10, 0, 0, 0)}],
        [10, {"1": times(10, 20, 0, 0, failures=2)}],
        # Another version serves, and the first one's counters have begun anew.
        [20, {"1": times(5, 0, 0, 0), "2": times(0, 0, 5, 0)}],
    ]
    script = (
        "(() => { const h = new m.History(); "
        "for (const [at, t] of values[0]) h.add(at, t); return [h.figures(values[1]), h.rates]; })()"
    )
    figures, rates = ask(modules, "rates", script, readings[:2], BOUNDS)
    assert rates == [2]
    assert (figures["requests"], figures["failures"]) == (20, 2)
    assert 0.001 < figures["p50"] < 0.01
    _, rates = ask(modules, "rates", script, readings, BOUNDS)
    assert rates == [2, 1]


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([0, 0, 0, 0], 0.5, None),
        ([10, 0, 0, 0], 0.5, 0.0005),
        ([0, 10, 0, 0], 0.5, 0.0055),
        ([50, 0, 49, 1], 0.99, 0.1),
        ([0, 0, 0, 5], 0.5, 0.1),
    ],
)
def test_quantiles(modules: Any, counts: list[int], share: float, expected: float | None) -> None:
    found = ask(
        modules, "rates", "m.quantile(values[0], values[1], values[2])", counts, BOUNDS, share
    )
    assert found == (expected if expected is None else pytest.approx(expected))


LABEL = {"name": "label", "dtype": "string", "shape": [None], "choices": ["no", "yes"]}
SHARE = {"name": "p", "dtype": "float32", "shape": [None], "minimum": 0, "maximum": 1}


@pytest.mark.parametrize(
    ("row", "of_yes"),
    [
        ({"label": "yes", "p": 0.9}, 0.9),
        ({"label": "no", "p": 0.1}, 0.1),  # It is the second class' probability.
        ({"label": "no", "p": 0.9}, 0.1),  # It is that of the label.
    ],
)
def test_one_probability_of_two_classes(modules: Any, row: dict[str, Any], of_yes: float) -> None:
    signature = {"outputs": [LABEL, SHARE]}
    found = ask(modules, "outputs", "m.readOutputs(values[0], values[1])", signature, row)
    assert {each["name"]: each["share"] for each in found["classes"]} == {
        "no": pytest.approx(1 - of_yes),
        "yes": pytest.approx(of_yes),
    }
    assert found["others"] == []


def test_problems_are_sorted_by_field(modules: Any) -> None:
    answer = {
        "ok": False,
        "error": "...",
        "details": {
            "instances[0].a": ["Expected a number."],
            "instances[0].a.b[2]": ["Too large."],
            "instances[0].c": ["Unknown."],
            "body": ["Expected JSON."],
        },
    }
    expression = "JSON.stringify([...m.problemsByField(values[0], values[1])])"
    found = dict(json.loads(ask(modules, "editor", expression, answer, ["a", "a.b"])))
    assert found["a"] == ["Expected a number."]
    assert found["a.b"] == ["[2]: Too large."]
    assert found[""] == ["c: Unknown.", "body: Expected JSON."]
