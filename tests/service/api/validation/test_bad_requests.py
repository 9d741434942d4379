"""A table of bad requests and their exact answers: status, sentence, code, messages by path.

The models are toys of every kind, and those of this repository. What the service says is part of
what it promises: who changes a sentence changes it here.
"""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.api.bad_requests import (
    AFFINE,
    CAR,
    IMAGE,
    JSON,
    MAX_ROWS,
    TYPES,
    Case,
    affine,
    car,
    columns,
    image,
    merged,
    path,
    raw,
    shapes,
    types,
)

IN_METRES = "Expected a number from -100 to 100 m, not {}."
CHOICE = "Expected one of 'quiet', 'loud', not {}."
OBJECT = "Expected an object with x, text, shift, not {}."
SMALL = "Expected a whole number from -128 to 127, not {}."
BIG = "Expected a whole number from 0 to 18446744073709551615, not {}."
WHOLE = "Expected a whole number of at least 0 pieces, not {}."
GREY = "Expected a number from 0 to 255, not {}."
GRADE = "Expected one of 1, 2, 3, not {}."
LEVEL = "Expected one of 0.5, 1, 2, not {}."
NOTE = "Expected a string of at most 8 bytes, not {}."
STRING_OR_B64 = 'Expected a string or {{"b64": "<base64>"}}, not {}.'
ENVELOPE = "Unknown field; the body takes signature_name, and instances or inputs."
ORIGIN = "Expected one of 'usa', 'europe', 'japan', not {}."
SIGNATURES = "there are: only_y, serving_default."
PARSE = "JSON Parse error: "
NO_NAN = " JSON has no NaN and no Infinity."
MODELS = "there are: affine, clothing, kinds, mpg, sentiment, shapes, types."


CASES = [
    # What is no JSON.
    raw(b"", f"{PARSE}The document is empty."),
    raw(b" \r\n\t ", f"{PARSE}The document is empty."),
    raw(b'{"instances": [', f"{PARSE}unexpected end of data: line 1 column 16 (char 15)."),
    raw(
        b'{"instances": [[NaN, 1]]}',
        f"{PARSE}unexpected character, expected a JSON value: line 1 column 17 (char 16).{NO_NAN}",
    ),
    raw(
        b'{"instances": [[1, Infinity]]}',
        f"{PARSE}unexpected character, expected a JSON value: line 1 column 20 (char 19).{NO_NAN}",
    ),
    raw(
        b'{"instances": [[1, -Infinity]]}',
        f"{PARSE}no digit after sign: line 1 column 21 (char 20).{NO_NAN}",
    ),
    raw(
        b'{"instances": [nan]}',
        f"{PARSE}invalid literal, expected 'null': line 1 column 16 (char 15).{NO_NAN}",
    ),
    raw(
        b'{"instances": [None]}',
        f"{PARSE}unexpected character, expected a JSON value: line 1 column 16 (char 15).",
    ),
    raw(
        b'{"instances": [1e999]}',
        f"{PARSE}number is infinity when parsed as double: line 1 column 16 (char 15).",
    ),
    raw(
        b'{"instances": [' + b"9" * 400 + b"]}",
        f"{PARSE}number is infinity when parsed as double: line 1 column 16 (char 15).",
    ),
    raw(
        b'{"instances": [01]}',
        f"{PARSE}number with leading zero is not allowed: line 1 column 16 (char 15).",
    ),
    raw(
        b'{"instances": [1,]}',
        f"{PARSE}trailing comma is not allowed: line 1 column 17 (char 16).",
    ),
    raw(
        b"{'instances': [1]}",
        f"{PARSE}unexpected character, expected a string key: line 1 column 2 (char 1).",
    ),
    raw(
        b'{"instances": [1]} {}',
        f"{PARSE}unexpected content after document: line 1 column 20 (char 19).",
    ),
    raw(b'{"instances": ["\xff"]}', f"{PARSE}the body is not UTF-8: byte 16 is 0xff."),
    raw("{'é': 1}".encode("latin-1"), f"{PARSE}the body is not UTF-8: byte 2 is 0xe9."),
    raw('{"é": 1}'.encode("utf-16"), f"{PARSE}the body is not UTF-8: byte 0 is 0xff."),
    raw(b'{"instances": ["\xed\xa0\x80"]}', f"{PARSE}the body is not UTF-8: byte 16 is 0xed."),
    raw(
        b'{"instances": ["\\ud800"]}',
        f"{PARSE}no low surrogate in string: line 1 column 17 (char 16).",
    ),
    raw(
        b'{"instances": ["\\ud800\\u0041"]}',
        f"{PARSE}invalid low surrogate in string: line 1 column 17 (char 16).",
    ),
    raw(
        b'{"instances": ["a\nb"]}',
        f"{PARSE}unexpected control character in string: line 1 column 18 (char 17).",
    ),
    raw(
        b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        f"{PARSE}depth limit exceeded: line 1 column 1039 (char 1038).",
    ),
    raw(b"instances=1", f"{PARSE}unexpected character, expected a JSON value: line 1 column 1 (char 0)."),
    raw(b"<p>", f"{PARSE}unexpected character, expected a JSON value: line 1 column 1 (char 0)."),
    # What surrounds the values.
    Case("affine:predict", [], "Expected a JSON object with 'instances' or 'inputs', not a list of 0 values."),
    Case("affine:predict", None, "Expected a JSON object with 'instances' or 'inputs', not null."),
    Case("affine:predict", "x", "Expected a JSON object with 'instances' or 'inputs', not 'x'."),
    Case("affine:predict", 5, "Expected a JSON object with 'instances' or 'inputs', not 5."),
    Case("affine:predict", False, "Expected a JSON object with 'instances' or 'inputs', not false."),
    Case("affine:predict", {}, {"body": "Missing 'inputs' or 'instances' key."}),
    Case("affine:predict", {"instance": [AFFINE]}, {"instance": ENVELOPE, "body": "Missing 'inputs' or 'instances' key."}),
    Case("affine:predict", {"instances": [AFFINE], "inputs": {}}, {"body": "Expected only one of 'inputs' and 'instances', not both."}),
    Case("affine:predict", {"instances": [AFFINE], "rows": 1}, {"rows": ENVELOPE}),
    Case("affine:predict", {"instances": [AFFINE], "Instances": 1}, {"Instances": ENVELOPE}),
    Case("affine:predict", {"instances": [AFFINE], "": 1}, {'""': ENVELOPE}),
    Case("affine:predict", {"instances": [AFFINE], "k" * 500: 1}, {"k" * 100: ENVELOPE}),
    Case("affine:predict", {"instances": [AFFINE], "signature_name": 3}, {"signature_name": "Expected a string, not 3."}),
    Case("affine:predict", {"instances": [AFFINE], "signature_name": None}, {"signature_name": "Expected a string, not null."}),
    Case("affine:predict", {"instances": [AFFINE], "signature_name": ["only_y"]}, {"signature_name": "Expected a string, not a list of 1 value."}),
    Case("affine:predict", {"instances": [AFFINE], "signature_name": True}, {"signature_name": "Expected a string, not true."}),
    Case("affine:predict", {"instances": [AFFINE], "signature_name": "x"}, f'Serving signature name: "x" not found in signature def; {SIGNATURES}'),
    Case("affine:predict", {"instances": [AFFINE], "signature_name": "é" * 500}, f'Serving signature name: "{"é" * 100}" not found in signature def; {SIGNATURES}'),
    Case("shapes:predict", {"instances": [1]}, 'Serving signature name: "serving_default" not found in signature def; there are: any_shape, decode, grid, logarithm, scalar, two_of_any_shape, words.'),
    Case("shapes:predict", {"signature_name": "complex_only", "instances": [1]}, 'Serving signature name: "complex_only" not found in signature def; there are: any_shape, decode, grid, logarithm, scalar, two_of_any_shape, words. Signature \'complex_only\' cannot be served: Input \'z\' is of dtype complex64; supported dtypes: float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool, string.'),
    # How many rows.
    Case("affine:predict", {"instances": []}, {"instances": "Expected a list of at least 1 instance, not a list of 0 values."}),
    Case("affine:predict", {"instances": {}}, {"instances": "Expected a list of at least 1 instance, not an object."}),
    Case("affine:predict", {"instances": AFFINE}, {"instances": "Expected a list of at least 1 instance, not an object."}),
    Case("affine:predict", {"instances": None}, {"instances": "Expected a list of at least 1 instance, not null."}),
    Case("affine:predict", {"instances": "x"}, {"instances": "Expected a list of at least 1 instance, not 'x'."}),
    Case("affine:predict", {"instances": [AFFINE] * 51}, {"instances": "Expected at most 50 rows in one request, not 51; divide it."}),
    Case("affine:predict", {"instances": ["x"] * 1000}, {"instances": "Expected at most 50 rows in one request, not 1000; divide it."}),
    Case("affine:predict", {"signature_name": "only_y", "instances": [[1.5, 2]] * 500}, {"instances": "Expected at most 50 rows in one request, not 500; divide it."}),
    Case("affine:predict", {"signature_name": "only_y", "inputs": [[1, 2]] * 51}, {"body": "Expected at most 50 rows in one request, not 51; divide it."}),
    Case("affine:predict", {"inputs": {"x": [[1, 2]] * 60, "text": ["quiet"] * 60}}, {"body": "Expected at most 50 rows in one request, not 60; divide it."}),
    Case("sentiment:predict", {"instances": ["good"] * 51}, {"instances": "Expected at most 50 rows in one request, not 51; divide it."}),
    Case("affine:predict", {"inputs": {"x": [], "text": []}}, {"inputs.x": "Expected a list of at least 1 value, not a list of 0 values.", "inputs.text": "Expected a list of at least 1 value, not a list of 0 values."}),
    Case("affine:predict", {"signature_name": "only_y", "inputs": []}, {"inputs": "Expected a list of at least 1 value, not a list of 0 values."}),
    # Rows that are no rows.
    Case("affine:predict", {"instances": [1]}, {"instances[0]": OBJECT.format("1")}),
    Case("affine:predict", {"instances": [None]}, {"instances[0]": OBJECT.format("null")}),
    Case("affine:predict", {"instances": [[1, 2]]}, {"instances[0]": OBJECT.format("a list of 2 values")}),
    affine({"instances[1]": OBJECT.format("'quiet'")}, {}, "quiet"),
    affine({"instances[1]": OBJECT.format("null"), "instances[2]": OBJECT.format("a list of 0 values")}, {}, None, []),
    affine({"instances[0]": OBJECT.format("true")}, True),
    # Names.
    affine({"instances[0].z": "Unknown field; signature 'serving_default' takes x, text, shift."}, {"z": 1}),
    affine({"instances[0].X": "Unknown field; signature 'serving_default' takes x, text, shift."}, {"X": [1, 2]}),
    affine({f"instances[0].{'n' * 100}": "Unknown field; signature 'serving_default' takes x, text, shift."}, {"n" * 1000: 1}),
    Case("affine:predict", {"instances": [{}]}, {"instances[0].x": IN_METRES.replace("Expected", "Missing; expected").replace(", not {}", ""), "instances[0].text": "Missing; expected one of 'quiet', 'loud'."}),
    Case("affine:predict", {"instances": [AFFINE, {"x": [1, 2]}]}, {"instances[1].text": "Missing; expected one of 'quiet', 'loud'."}),
    Case("affine:predict", {"instances": [{"b64": "AA=="}]}, {"instances[0].b64": "Unknown field; signature 'serving_default' takes x, text, shift.", "instances[0].x": "Missing; expected a number from -100 to 100 m.", "instances[0].text": "Missing; expected one of 'quiet', 'loud'."}),
    Case("affine:predict", {"inputs": {"x": [[1, 2]]}}, {"inputs.text": "Missing; expected one of 'quiet', 'loud'."}),
    Case("affine:predict", {"inputs": {"x": [[1, 2]], "text": ["quiet"], "z": 1}}, {"inputs.z": "Unknown field; signature 'serving_default' takes x, text, shift."}),
    Case("affine:predict", {"inputs": 1}, {"inputs": OBJECT.format("1")}),
    Case("affine:predict", {"inputs": [AFFINE]}, {"inputs": OBJECT.format("a list of 1 value")}),
    Case("affine:predict", {"inputs": None}, {"inputs": OBJECT.format("null")}),
    # Numbers within bounds.
    affine({"instances[0].x[1]": IN_METRES.format("'2'")}, {"x": [1, "2"]}),
    affine({"instances[0].x[1]": IN_METRES.format("'1.5'")}, {"x": [1, "1.5"]}),
    affine({"instances[0].x[0]": IN_METRES.format("true")}, {"x": [True, 1]}),
    affine({"instances[0].x[0]": IN_METRES.format("null")}, {"x": [None, 1]}),
    affine({"instances[0].x[0]": IN_METRES.format('{"b64": "AA=="}')}, {"x": [{"b64": "AA=="}, 1]}),
    affine({"instances[0].x[0]": IN_METRES.format("a list of 1 value")}, {"x": [[1], 1]}),
    affine({"instances[0].x[1]": IN_METRES.format("100.0001")}, {"x": [1, 100.0001]}),
    affine({"instances[0].x[1]": IN_METRES.format("-101")}, {"x": [1, -101]}),
    affine({"instances[0].x[1]": IN_METRES.format("1e+300")}, {"x": [1, 1e300]}),
    affine({"instances[0].x[1]": IN_METRES.format("1e+30")}, {"x": [1, 10**30]}),
    affine({"instances[0].x[0]": IN_METRES.format("''")}, {"x": ["", 1]}),
    affine({"instances[0].x[0]": IN_METRES.format("'NaN'")}, {"x": ["NaN", 1]}),
    affine({"instances[0].x[0]": IN_METRES.format("'" + "y" * 56 + "...")}, {"x": ["y" * 100_000, 1]}),
    # Lists.
    affine({"instances[0].x": "Expected a list of 2 values, not a list of 1 value."}, {"x": [1]}),
    affine({"instances[0].x": "Expected a list of 2 values, not a list of 3 values."}, {"x": [1, 2, 3]}),
    affine({"instances[0].x": "Expected a list of 2 values, not a list of 0 values."}, {"x": []}),
    affine({"instances[0].x": "Expected a list of 2 values, not 1."}, {"x": 1}),
    affine({"instances[0].x": "Expected a list of 2 values, not null."}, {"x": None}),
    affine({"instances[0].x": "Expected a list of 2 values, not '12'."}, {"x": "12"}),
    affine({"instances[0].x": "Expected a list of 2 values, not an object."}, {"x": {"0": 1, "1": 2}}),
    affine({"instances[1].x": "Expected a list of 2 values, not a list of 1 value."}, {}, {"x": [1]}, {}),
    Case("affine:predict", {"signature_name": "only_y", "instances": [[1, 2], [1]]}, {"instances[1]": "Expected a list of 2 values, not a list of 1 value."}),
    Case("affine:predict", {"signature_name": "only_y", "instances": [{"b64": "AA=="}]}, {"instances[0]": 'Expected a list of 2 values, not {"b64": "AA=="}.'}),
    Case("affine:predict", {"signature_name": "only_y", "instances": [1, 2]}, {"instances[0]": "Expected a list of 2 values, not 1.", "instances[1]": "Expected a list of 2 values, not 2."}),
    Case("affine:predict", {"signature_name": "only_y", "inputs": [[1, []]]}, {"inputs[0][1]": "Expected a number within float32, not a list of 0 values."}),
    Case("affine:predict", {"signature_name": "only_y", "inputs": [[1, 1e39]]}, {"inputs[0][1]": "Expected a number within float32, not 1e+39."}),
    Case("affine:predict", {"signature_name": "only_y", "inputs": [1, 2]}, {"inputs[0]": "Expected a list of 2 values, not 1.", "inputs[1]": "Expected a list of 2 values, not 2."}),
    Case("affine:predict", {"inputs": {"x": [[1, 2], [3]], "text": ["quiet", "quiet"]}}, {"inputs.x[1]": "Expected a list of 2 values, not a list of 1 value."}),
    Case("affine:predict", {"inputs": {"x": [[1, 2]], "text": ["quiet", "loud"]}}, {"inputs.text": "Expected 1 row, as many as 'x' has, not 2."}),
    Case("affine:predict", {"inputs": {"x": [[1, 2]] * 2, "text": ["loud"], "shift": [1, 2, 3]}}, {"inputs.text": "Expected 2 rows, as many as 'x' has, not 1.", "inputs.shift": "Expected 2 rows, as many as 'x' has, not 3."}),
    Case("affine:predict", {"inputs": {"x": [[1, 2]], "text": "quiet"}}, {"inputs.text": "Expected a list, not 'quiet'."}),
    # Choices and nulls.
    affine({"instances[0].text": CHOICE.format("'shout'")}, {"text": "shout"}),
    affine({"instances[0].text": CHOICE.format("'Quiet'")}, {"text": "Quiet"}),
    affine({"instances[0].text": CHOICE.format("''")}, {"text": ""}),
    affine({"instances[0].text": CHOICE.format("null")}, {"text": None}),
    affine({"instances[0].text": CHOICE.format("3")}, {"text": 3}),
    affine({"instances[0].text": CHOICE.format("a list of 1 value")}, {"text": ["quiet"]}),
    affine({"instances[0].text": CHOICE.format('{"b64": "c2hvdXQ="}')}, {"text": {"b64": "c2hvdXQ="}}),
    affine({"instances[0].shift": "Expected a number within float32 or null, not '1'."}, {"shift": "1"}),
    affine({"instances[0].shift": "Expected a number within float32 or null, not false."}, {"shift": False}),
    affine({"instances[0].shift": "Expected a number within float32 or null, not a list of 1 value."}, {"shift": [None]}),
    Case("affine:predict", {"inputs": {"x": [[1, 2]], "text": None}}, {"inputs.text": "Expected a list, not null."}),
    # Whole numbers.
    types({"instances[0].small": SMALL.format("128")}, {"small": 128}),
    types({"instances[0].small": SMALL.format("-129")}, {"small": -129}),
    types({"instances[0].small": SMALL.format("3.7")}, {"small": 3.7}),
    types({"instances[0].small": SMALL.format("3.0")}, {"small": 3.0}),
    types({"instances[0].small": SMALL.format("true")}, {"small": True}),
    types({"instances[0].small": SMALL.format("'3'")}, {"small": "3"}),
    types({"instances[0].small": SMALL.format("null")}, {"small": None}),
    types({"instances[0].big": BIG.format("-1")}, {"big": -1}),
    types({"instances[0].big": BIG.format("1.8446744073709552e+19")}, {"big": 2**64}),
    types({"instances[0].whole": WHOLE.format("-1")}, {"whole": -1}),
    types({"instances[0].whole": WHOLE.format("9223372036854775808")}, {"whole": 2**63}),
    types({"instances[0].whole": WHOLE.format("1e+100")}, {"whole": 1e100}),
    # Other numbers.
    types({"instances[0].half": "Expected a number within float16, not 70000."}, {"half": 70_000}),
    types({"instances[0].half": "Expected a number within float16, not '1'."}, {"half": "1"}),
    types({"instances[0].double": "Expected a number, not null."}, {"double": None}),
    types({"instances[0].double": "Expected a number, not true."}, {"double": True}),
    types({"instances[0].grade": GRADE.format("4")}, {"grade": 4}),
    types({"instances[0].grade": GRADE.format("2.0")}, {"grade": 2.0}),
    types({"instances[0].grade": GRADE.format("true")}, {"grade": True}),
    types({"instances[0].level": LEVEL.format("1.5")}, {"level": 1.5}),
    types({"instances[0].level": LEVEL.format("'1'")}, {"level": "1"}),
    # True and false.
    types({"instances[0].flag": "Expected true or false, not 1."}, {"flag": 1}),
    types({"instances[0].flag": "Expected true or false, not 'true'."}, {"flag": "true"}),
    types({"instances[0].flag": "Expected true or false, not null."}, {"flag": None}),
    # Strings.
    types({"instances[0].note": NOTE.format("9 bytes: 'aaaaaaaaa'")}, {"note": "a" * 9}),
    types({"instances[0].note": NOTE.format("10 bytes: 'ééééé'")}, {"note": "é" * 5}),
    types({"instances[0].note": NOTE.format(f"100000 bytes: '{'a' * 56}...")}, {"note": "a" * 100_000}),
    types({"instances[0].note": NOTE.format('12 bytes: {"b64": "MTIzNDU2Nzg5MDEy"}')}, {"note": {"b64": "MTIzNDU2Nzg5MDEy"}}),
    types({"instances[0].note": NOTE.format("5")}, {"note": 5}),
    types({"instances[0].note": NOTE.format("a list of 1 value")}, {"note": ["a"]}),
    types({"instances[0].tags[1]": STRING_OR_B64.format('{"b64": "?"}')}, {"tags": ["a", {"b64": "?"}]}),
    types({"instances[0].tags[1]": STRING_OR_B64.format('{"b64": "YQ="}')}, {"tags": ["a", {"b64": "YQ="}]}),
    types({"instances[0].tags[1]": STRING_OR_B64.format("an object")}, {"tags": ["a", {"b64": 3}]}),
    types({"instances[0].tags[1]": STRING_OR_B64.format("an object")}, {"tags": ["a", {"b64": "YQ==", "x": 1}]}),
    types({"instances[0].tags[1]": STRING_OR_B64.format("an object")}, {"tags": ["a", {"B64": "YQ=="}]}),
    types({"instances[0].tags[0]": "Expected a string, not null."}, {"tags": [None, "a"]}),
    # Free dimensions.
    types({"instances[1].series": "Expected a list of 0 values, as many as its neighbours have, not a list of 1 value."}, {"series": []}, {"series": [1]}),
    types({"instances[0].series": "Expected a list, not 1."}, {"series": 1}),
    types({"instances[1].series": "Expected a list of 2 values, as many as its neighbours have, not a list of 3 values."}, {}, {"series": [1, 2, 3]}),
    types({"instances[0].series[1]": "Expected a number of at most 9, not 10."}, {"series": [1, 10]}),
    types({"instances[0].gaps[1]": "Expected a number within float32 or null, not 'x'."}, {"gaps": [None, "x"]}),
    types({"instances[0].gaps": "Expected a list of 2 values, not null."}, {"gaps": None}),
    Case("types:predict", columns(small=[1, 2]), {"inputs.big": "Expected 2 rows, as many as 'small' has, not 1."} | {f"inputs.{name}": "Expected 2 rows, as many as 'small' has, not 1." for name in ("whole", "half", "double")}, more=True),
    Case("types:predict", columns(flag=[[True]]), {"inputs.flag[0]": "Expected true or false, not a list of 1 value."}),
    Case("types:predict", columns(flag=True), {"inputs.flag": "Expected a list, not true."}),
    # Several problems at once, and more than are listed.
    affine({"instances[0].x[1]": IN_METRES.format("500"), "instances[1].text": CHOICE.format("3"), "instances[2].shift": "Expected a number within float32 or null, not 'no'."}, {"x": [1, 500]}, {"text": 3}, {"shift": "no"}),
    affine({f"instances[{i}].x[0]": IN_METRES.format(200 + i) for i in range(4)}, *({"x": [200 + i, 0]} for i in range(4))),
    types({"instances[0].small": SMALL.format("1.5"), "instances[0].flag": "Expected true or false, not 0.", "instances[0].grade": GRADE.format("0"), "instances[0].note": NOTE.format("null")}, {"small": 1.5, "flag": 0, "grade": 0, "note": None}),
    types({"instances[0].small": SMALL.format("1.5"), "instances[0].flag": "Expected true or false, not 0.", "instances[0].grade": GRADE.format("0"), "instances[0].note": NOTE.format("null")}, {"small": 1.5, "flag": 0, "grade": 0, "note": None, "gaps": 1}, more=True),
    # Shapes of other kinds: no batch, unknown rank, nested strings.
    shapes("scalar", {"inputs": {"count": 3}}, {"inputs.twice": "Missing; expected true or false."}),
    shapes("scalar", {"inputs": {"count": [3], "twice": True}}, {"inputs.count": "Expected a whole number from -2147483648 to 2147483647, not a list of 1 value."}),
    shapes("scalar", {"inputs": {"count": 3.5, "twice": 1}}, {"inputs.count": "Expected a whole number from -2147483648 to 2147483647, not 3.5.", "inputs.twice": "Expected true or false, not 1."}),
    shapes("grid", {"instances": [[[1, 2, 3], [4, 5, 256]]]}, {"instances[0][1][2]": "Expected a whole number from 0 to 255, not 256."}),
    shapes("grid", {"instances": [[[1, 2, 3], [4, 5, -1]]]}, {"instances[0][1][2]": "Expected a whole number from 0 to 255, not -1."}),
    shapes("grid", {"instances": [[[1, 2, 3], [4, 5]]]}, {"instances[0][1]": "Expected a list of 3 values, not a list of 2 values."}),
    shapes("grid", {"instances": [[1, 2, 3, 4, 5, 6]]}, {"instances[0]": "Expected a list of 2 values, not a list of 6 values."}),
    shapes("grid", {"instances": [[[1, 2], [3, 4], [5, 6]]]}, {"instances[0]": "Expected a list of 2 values, not a list of 3 values."}),
    shapes("words", {"instances": [["a"], ["b", "c"]]}, {"instances[1]": "Expected a list of 1 value, as many as its neighbours have, not a list of 2 values."}),
    shapes("words", {"instances": ["a"]}, {"instances[0]": "Expected a list, not 'a'."}),
    shapes("words", {"instances": [["a", 1]]}, {"instances[0][1]": "Expected a string, not 1."}),
    shapes("any_shape", {"inputs": [[1, 2], [3]]}, {"inputs[1]": "Expected a list of 2 values, as many as its neighbours have, not a list of 1 value."}),
    shapes("any_shape", {"inputs": [1, [2]]}, {"inputs[1]": "Expected a number, not a list of 1 value."}),
    shapes("any_shape", {"inputs": [[1], 2]}, {"inputs[1]": "Expected a list, not 2."}),
    shapes("any_shape", {"inputs": "x"}, {"inputs": "Expected a number, not 'x'."}),
    shapes("any_shape", {"inputs": []}, {"inputs": "Expected a list of at least 1 value, not a list of 0 values."}),
    shapes("any_shape", {"inputs": json.loads("[" * 40 + "1" + "]" * 40)}, {"inputs": "Expected at most 32 lists in each other."}),
    shapes("any_shape", {"instances": [1, 2]}, "Output 'sum' has shape [], not a row for each of the 2 instances; send 'inputs' instead of 'instances'."),
    # This repository's own models.
    image([[0] * 28] * 27, {"instances[0]": "Expected a list of 28 values, not a list of 27 values."}),
    image([[0] * 56] * 14, {"instances[0]": "Expected a list of 28 values, not a list of 14 values."}),
    image([0] * 784, {"instances[0]": "Expected a list of 28 values, not a list of 784 values."}),
    image([IMAGE], {"instances[0]": "Expected a list of 28 values, not a list of 1 value."}),
    image([*IMAGE[:27], [0] * 27], {"instances[0][27]": "Expected a list of 28 values, not a list of 27 values."}),
    image([*IMAGE[:27], [0] * 27 + [256]], {"instances[0][27][27]": GREY.format("256")}),
    image([*IMAGE[:27], [0] * 27 + [255.5]], {"instances[0][27][27]": GREY.format("255.5")}),
    image([[-0.5] + [0] * 27, *IMAGE[1:]], {"instances[0][0][0]": GREY.format("-0.5")}),
    image([["0"] * 28] * 28, {f"instances[0][0][{i}]": GREY.format("'0'") for i in range(4)}, more=True),
    image([[[0]] * 28] * 28, {f"instances[0][0][{i}]": GREY.format("a list of 1 value") for i in range(4)}, more=True),
    image({"b64": "iVBORw0KGgo="}, {"instances[0]": 'Expected a list of 28 values, not {"b64": "iVBORw0KGgo="}.'}),
    image("shoe.png", {"instances[0]": "Expected a list of 28 values, not 'shoe.png'."}),
    image({"picture": IMAGE}, {"instances[0].picture": "Unknown field; signature 'serving_default' takes image.", "instances[0].image": "Missing; expected a number from 0 to 255."}),
    Case("clothing:predict", {"inputs": IMAGE}, {f"inputs[0][{i}]": "Expected a list of 28 values, not 0." for i in range(4)}, more=True),
    Case("clothing:predict", {"instances": [IMAGE, IMAGE[:1]]}, {"instances[1]": "Expected a list of 28 values, not a list of 1 value."}),
    Case("types:predict", {"signature_name": "picture", "instances": [[[0] * 56] * 14]}, {"instances[0]": "Expected a list of 28 values, not a list of 14 values."}),
    Case("sentiment:predict", {"instances": [5]}, {"instances[0]": "Expected a string of at most 50000 bytes, not 5."}),
    Case("sentiment:predict", {"instances": [["good"]]}, {"instances[0]": "Expected a string of at most 50000 bytes, not a list of 1 value."}),
    Case("sentiment:predict", {"instances": ["bad " * 12_501]}, {"instances[0]": f"Expected a string of at most 50000 bytes, not 50004 bytes: '{('bad ' * 20)[:56]}...."}),
    Case("sentiment:predict", {"instances": [{"review": "good"}]}, {"instances[0].review": "Unknown field; signature 'serving_default' takes text.", "instances[0].text": "Missing; expected a string of at most 50000 bytes."}),
    car({"instances[0].weight": "Expected a number from 1000 to 7000 lb, not 'heavy'."}, {"weight": "heavy"}),
    car({"instances[0].weight": "Expected a number from 1000 to 7000 lb, not 999."}, {"weight": 999}),
    car({"instances[0].model_year": "Expected a number from 70 to 82, not 1970."}, {"model_year": 1970}),
    car({"instances[0].horsepower": "Expected a number from 30 to 400 hp or null, not '?'."}, {"horsepower": "?"}),
    car({"instances[0].origin": ORIGIN.format("'Europe'")}, {"origin": "Europe"}),
    car({"instances[0].origin": ORIGIN.format("2")}, {"origin": 2}),
    car({"instances[0].mpg": "Unknown field; signature 'serving_default' takes cylinders, displacement, horsepower, weight, acceleration, model_year, origin."}, {"mpg": 18}),
    # Other verbs take the same values.
    Case("kinds:classify", {"examples": [{"grid": [[1, 2], [3, 10]], "bonus": "1"}]}, {"examples[0].grid[1][1]": "Expected a number of at most 9, not 10.", "examples[0].bonus": "Expected a number within float32, not '1'."}),
    Case("kinds:classify", {"examples": [{}] * 51}, {"examples": "Expected at most 50 rows in one request, not 51; divide it."}),
    Case("mpg:regress", {"examples": [{}], "context": CAR | {"weight": 1}}, {"examples[0].weight": "Expected a number from 1000 to 7000 lb, not 1."}),
    # Paths, methods, headers.
    path("nope:predict", f"There is no model 'nope'; {MODELS}"),
    path("affine/versions/9:predict", "Version 9 of model 'affine' does not serve; these do: 1."),
    path("affine/versions/-1:predict", "Malformed request: POST /v1/models/affine/versions/-1:predict; GET /v1/models lists the models."),
    path("affine/versions/one:predict", "Malformed request: POST /v1/models/affine/versions/one:predict; GET /v1/models lists the models."),
    path(f"affine/versions/{'9' * 20}:predict", f"Version {'9' * 20} of model 'affine' does not serve; these do: 1."),
    path(f"affine/versions/{2**63 - 1}:predict", f"Version {2**63 - 1} of model 'affine' does not serve; these do: 1."),
    path(f"affine/versions/{'9' * 41}:predict", f"Malformed request: POST /v1/models/affine/versions/{'9' * 41}:predict; GET /v1/models lists the models."),
    path("affine/labels/new:predict", "Model 'affine' has no label 'new'; its labels: none."),
    path("affine/label/new:predict", "Malformed request: POST /v1/models/affine/label/new:predict; GET /v1/models lists the models."),
    path("affine:guess", "Malformed request: POST /v1/models/affine:guess; GET /v1/models lists the models."),
    path("affine:predict/", "Malformed request: POST /v1/models/affine:predict/; GET /v1/models lists the models."),
    path("affine:predict", "GET is not allowed here; allowed: OPTIONS, POST.", 405, "GET"),
    path("affine:classify", "DELETE is not allowed here; allowed: OPTIONS, POST.", 405, "DELETE"),
    path("affine", "POST is not allowed here; allowed: GET, HEAD, OPTIONS.", 405),
    path("affine/metadata", "PUT is not allowed here; allowed: GET, HEAD, OPTIONS.", 405, "PUT"),
    Case("affine:predict", b"<p>quiet</p>", "Expected a body of Content-Type application/json or application/x-npy, not 'text/html'.", status=415, headers={"Content-Type": "text/html; charset=utf-8"}),
    Case("affine:regress", b"<x>1</x>", "Expected a body of Content-Type application/json, not 'application/xml'.", status=415, headers={"Content-Type": "application/xml"}),
    path("affine:predict", "Expected a Content-Encoding of gzip, deflate or identity, not 'br'.", 415, **{"Content-Encoding": "br"}),
    path("affine:predict", "The body is not gzip, as its Content-Encoding says.", 400, **{"Content-Encoding": "gzip"}),
    path("affine:predict", "X-Request-Timeout-Ms: expected a number of milliseconds above 0, not 'soon'.", 400, **{"X-Request-Timeout-Ms": "soon"}),
    path("affine:predict", "X-Request-Timeout-Ms: expected a number of milliseconds above 0, not '-1'.", 400, **{"X-Request-Timeout-Ms": "-1"}),
    raw(b" " * 200_001, "The body is larger than 200000 bytes."),
]  # fmt: skip
CASES[-1].status = 413


def send(client: FlaskClient, case: Case) -> Any:
    body = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
    headers = {"Content-Type": JSON} | case.headers
    path = f"/v1/models/{case.target}"
    return client.open(path, method=case.method, data=body, headers=headers)


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.target)
def test_a_bad_request_gets_exactly_this_answer(everything: FlaskClient, case: Case) -> None:
    response = send(everything, case)
    assert json.loads(response.data) == case.answer()
    assert response.status_code == case.status
    assert response.content_type == JSON
    assert response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("affine:predict", {"instances": merged(AFFINE, [{}, {"shift": None}])}),
        ("affine:predict", {"instances": [AFFINE] * MAX_ROWS}),
        ("types:predict", {"instances": [TYPES]}),
        ("types:predict", columns()),
        ("mpg:predict", {"instances": [CAR]}),
        ("mpg:regress", {"examples": [{}], "context": CAR}),
        ("clothing:predict", {"instances": [IMAGE]}),
        ("sentiment:classify", {"examples": [{"text": "good"}]}),
    ],
)
def test_what_the_table_varies_is_good(everything: FlaskClient, target: str, body: Any) -> None:
    response = everything.post(f"/v1/models/{target}", json=body)
    assert response.status_code == 200, response.json
