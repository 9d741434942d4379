"""Tables that are none, or are not the model's."""

import pytest
from flask.testing import FlaskClient

from tests.service.api.error_bodies import assert_rejected
from tests.service.api.plain_bodies import BAD_BODY, HEADER, TABLE, BadBody, post

WHOLE = "Expected a number of at least 0 lb"
BAD: list[BadBody] = [
    ("cars", "text/csv", b"", 400, "Expected a text, not nothing.", []),
    ("cars", "text/csv", HEADER.encode(), 400, "Expected at least 1 row below the header.", []),
    ("cars", "text/csv", b"\xff", 400, "Expected a text in utf-8, not byte 0xff at offset 0.", []),
    (
        "cars",
        "text/csv",
        b"doors;weight\n1;2\n",
        400,
        "line 1, doors;weight: Unknown column; expected doors, weight, power, origin, fresh. (The first of 5 problems.)",
        [
            "line 1, doors;weight",
            "line 1, doors",
            "line 1, weight",
            "line 1, origin",
            "line 1, fresh",
        ],
    ),
    (
        "cars",
        "text/csv",
        b"\n" + HEADER.replace("power", "doors").encode() + b"1,2,3,usa,true",
        400,
        "line 2, doors: Expected a column once, not twice.",
        ["line 2, doors"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,2,3,usa\n").encode(),
        400,
        "line 2: Expected 5 values, as many as the header has names, not 4.",
        ["line 2"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + '1,2,3,"us"a,true\n').encode(),
        400,
        "line 2: Expected CSV; ',' expected after '\"'.",
        [],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + '1,2,3,"usa\n').encode(),
        400,
        "line 2: Expected CSV; unexpected end of data.",
        [],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,2,3," + "x" * 131_073).encode(),
        400,
        "line 2: Expected CSV; field larger than field limit (131072).",
        [],
    ),
    (
        "cars",
        "text/csv",
        (TABLE + "1,2,3,france,true").encode(),
        400,
        "line 6, origin: Expected one of 'usa', 'japan', not 'france'.",
        ["line 6, origin"],
    ),
    (
        "cars",
        "text/csv",
        (TABLE + "1.5,2,,usa,true").encode(),
        400,
        "line 6, doors: Expected a whole number from 0 to 9, not '1.5'.",
        ["line 6, doors"],
    ),
    (
        "cars",
        "text/csv",
        (TABLE + "10,2,,usa,true").encode(),
        400,
        "line 6, doors: Expected a whole number from 0 to 9, not 10.",
        ["line 6, doors"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,,,usa,true").encode(),
        400,
        f"line 2, weight: {WHOLE}, not ''.",
        ["line 2, weight"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,nan,,usa,true").encode(),
        400,
        f"line 2, weight: {WHOLE}, not 'nan'.",
        ["line 2, weight"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,1_0,,usa,true").encode(),
        400,
        f"line 2, weight: {WHOLE}, not '1_0'.",
        ["line 2, weight"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,1e999,,usa,true").encode(),
        400,
        f"line 2, weight: {WHOLE}, not inf.",
        ["line 2, weight"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,2,,usa,yes").encode(),
        400,
        "line 2, fresh: Expected true or false, not 'yes'.",
        ["line 2, fresh"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + '"1",-2,,"u\ns",true\nx,1,,usa,1').encode(),
        400,
        f"line 2, weight: {WHOLE}, not -2.0. (The first of 4 problems.)",
        ["line 2, weight", "line 2, origin", "line 4, doors", "line 4, fresh"],
    ),
]


@pytest.mark.parametrize(BAD_BODY, BAD)
def test_bad_tables_are_explained(
    plain: FlaskClient,
    model: str,
    content_type: str,
    body: bytes,
    status: int,
    sentence: str,
    places: list[str],
) -> None:
    assert_rejected(post(plain, model, content_type, body), status, sentence, places)
