"""The fast way from bytes to tensors gives what the reference gives, bit for bit and word for word."""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.codecs.tfserving import predict_fast_path, predict_requests
from service.api.json import json_arrays
from service.api.json.json_numbers import Numbers
from service.api.validation.schemas import signature_schema
from service.errors import InvalidRequestError
from service.repository.contract import Field, Signature

LIMIT = 4


def signature(name: str, *inputs: Field) -> Signature:
    return Signature(name, inputs, (Field(name="y", dtype="float32", shape=(None,)),))


CONTRACT = {
    s.name: s
    for s in (
        signature("grid", Field(name="g", dtype="float32", shape=(None, 2, 3), maximum=255)),
        signature("half", Field(name="h", dtype="float16", shape=(None, None))),
        signature("double", Field(name="d", dtype="float64", shape=(None, None))),
        signature("byte", Field(name="b", dtype="uint8", shape=(None, 3))),
        signature("long", Field(name="l", dtype="int64", shape=(None, None), minimum=-1e18)),
        signature("huge", Field(name="u", dtype="uint64", shape=None)),
        signature("any", Field(name="a", dtype="float32", shape=None)),
        signature("pick", Field(name="p", dtype="float64", shape=(None, 2), choices=(0, 1, 2.5))),
        signature("fixed", Field(name="f", dtype="float32", shape=(2, 2))),
        signature("flag", Field(name="z", dtype="bool", shape=(None, 2))),
        signature("word", Field(name="w", dtype="string", shape=(None,))),
        signature("column", Field(name="k", dtype="float32", shape=(None, 1), maximum=900)),
        signature("cell", Field(name="e", dtype="int16", shape=(None, 1, 1))),
        signature("brain", Field(name="r", dtype="bfloat16", shape=(None, None))),
        signature("brains", Field(name="i", dtype="bfloat16", shape=(None,), nullable=True)),
        signature(
            "scaled",
            Field(name="v", dtype="float32", shape=(None, 1)),
            Field(name="s", dtype="float64", shape=(None,), default=np.array([2.0])),
        ),
        signature("told", Field(name="o", dtype="int8", shape=(None,), default=np.array([1, 2]))),
        signature(
            "serving_default",
            Field(name="x", dtype="float32", shape=(None, 3), minimum=-100, maximum=1000),
            Field(name="n", dtype="int32", shape=(None,), minimum=0),
            Field(name="m", dtype="float32", shape=(None,), nullable=True, maximum=9),
            Field(name="t", dtype="string", shape=(None,), max_length=40),
            Field(name="c", dtype="string", shape=(None,), choices=("a", "b")),
        ),
        Signature("none", (), ()),
    )
}
SCHEMAS = {name: signature_schema(s, limit=LIMIT) for name, s in CONTRACT.items()}


@pytest.fixture(autouse=True, scope="module")
def short_arrays_too() -> Iterator[None]:
    """Lift the shortest arrays, so that small bodies take every turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_arrays, "_SHORTEST", 1)
        yield


def fast(body: bytes) -> predict_requests.PredictRequest:
    return predict_requests.read(
        predict_requests.parse(body), CONTRACT, lambda s: SCHEMAS[s.name], limit=LIMIT
    )


def reference(body: bytes) -> predict_requests.PredictRequest:
    return predict_requests.reference(body, CONTRACT, lambda s: SCHEMAS[s.name], limit=LIMIT)


def outcome(read: Any, body: bytes) -> Any:
    """Return all that can be told of what came of a body."""
    try:
        request = read(body)
    except InvalidRequestError as error:
        return error.message, list((error.details or {}).items())
    tensors = {
        name: (t.dtype, t.shape, t.tolist() if t.dtype == object else t.tobytes())
        for name, t in request.inputs.items()
    }
    return request.signature.name, request.rows, request.instances, request.scalars, tensors


def check(body: bytes) -> None:
    assert outcome(fast, body) == outcome(reference, body)


def body_of(value: Any, name: str = "any", key: str = "inputs") -> bytes:
    return json.dumps({key: value, "signature_name": name}).encode()


# JSON texts of what may stand where a number is expected; the weird are few among the usual.
WEIRD = (
    "-0 -0.0 0.0 1e5 1E-7 1e+2 3.0 1e308 1e309 -1e309 1e-400 5e-324 3.4028235677973366e38 65519.99 "
    "65520 9007199254740992 9007199254740993 9223372036854775807 9223372036854775808 "
    "-9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616 "
    "2.5 0.1000000000000000055511151231257827 1.7976931348623157e308 1.7976931348623159e308 "
    "123456789012345678901234567890 01 +1 .5 1. 1.e3 - -- 1e 0x1 NaN Infinity true false null "
    '"a" "1.5" "[1,2]" {} [] [1] {"b64":"AA=="} [1,2,3] 1,2 1] [1 ]1 [1]2 1\x0c 1\x00 1\xa0'
)
usual = st.one_of(
    st.integers(0, 255).map(str),
    st.integers(-1000, 1000).map(str),
    st.floats(-10, 10, width=32).map(repr),
)
weird = st.one_of(
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(WEIRD.split(" ")),
    st.just(""),
)
spaces = st.sampled_from(["", "", "", " ", "\n", "\t ", "\r\n", " \x0b", "\x0c"])


@st.composite
def arrays(draw: st.DrawFn, shape: tuple[int, ...], odd: float) -> str:
    """Draw the text of an array of a shape, with here and there something odd."""
    # Hypothesis draws where the oddities are at once: for each place it would take long.
    random = Random(draw(st.integers(0, 2**32)))

    def is_odd() -> bool:
        return random.random() < odd

    def render(depth: int) -> str:
        if depth == len(shape):
            return draw(weird if is_odd() else usual)
        size = shape[depth] + (draw(st.sampled_from([-1, 1])) if is_odd() else 0)
        space = draw(spaces) if is_odd() else ""
        return f"[{space}" + f",{space}".join(render(depth + 1) for _ in range(size)) + f"{space}]"

    return render(0)


strings = st.one_of(
    st.text(max_size=6).map(json.dumps),
    st.sampled_from(
        [
            '"a"',
            '"b"',
            '"[1,2,3,4,5,6]"',
            '"\\"[1,2,3,4,5]"',
            '"[1,2,3,4]\\""',
            '"\\\\"',
            '"\\\\[1,2,3]"',
            '"\\[1,2,3]"',
            '"\\\\\\"[1,2],[3]"',
            '"]}],["',
            '"é[1,2]"',
            '"\\u005b1,2]"',
        ]
    ),
)
SHAPES = [(1,), (3,), (2, 3), (1, 3), (2, 2), (2, 2, 3), (1, 2, 3), (3, 1, 1, 2)]


@st.composite
def values(draw: st.DrawFn, odd: float) -> str:
    return draw(arrays(draw(st.sampled_from(SHAPES)), odd))


@st.composite
def objects(draw: st.DrawFn, odd: float, batch: tuple[int, ...]) -> str:
    """Draw an object of the default signature's inputs, of one row or as columns."""

    def texts() -> str:
        found = [draw(strings) for _ in range(batch[0] if batch else 1)]
        return f"[{','.join(found)}]" if batch else found[0]

    items = {
        "x": draw(arrays((*batch, 3), odd)),
        "n": draw(arrays(batch, odd)),
        "m": draw(arrays(batch, odd)),
        "t": texts(),
        "c": '["a","b","a"]' if batch else '"b"',
    }
    if draw(st.floats(0, 1)) < odd * 2:
        del items[draw(st.sampled_from([*items]))]
    pairs = [f'"{name}":{text}' for name, text in items.items()]
    if draw(st.floats(0, 1)) < odd:
        pairs.append(draw(st.sampled_from([pairs[0], '"z":1', '"x":[[1,2,3]]', '"x":null'])))
    return f"{{{','.join(pairs)}}}"


@st.composite
def bodies(draw: st.DrawFn, odd: float) -> str:
    name = draw(st.sampled_from([*CONTRACT, "serving_default", "serving_default"]))
    key = draw(st.sampled_from(["instances", "inputs"]))
    names = [field.name for field in CONTRACT[name].inputs]
    if name == "serving_default":
        if key == "inputs":
            value = draw(objects(odd, (3,)))
        else:
            value = f"[{','.join(draw(objects(odd, ())) for _ in range(draw(st.integers(1, 3))))}]"
    elif name == "word":
        value = f"[{','.join(draw(st.lists(strings, min_size=1, max_size=3)))}]"
    else:
        value = draw(values(odd))
        how = draw(st.integers(0, 2))
        if how and names:
            value = f'{{"{names[0]}":{value}}}'
            if key == "instances":
                value = f"[{','.join([value] * how)}]"
    pairs = [f'"{key}":{value}', f'"signature_name":"{name}"']
    if draw(st.floats(0, 1)) < odd:
        pairs.append(draw(st.sampled_from([*pairs, '"inputs":[[1,2,3]]', '"rows":[1,2,3]'])))
    space = draw(spaces) if draw(st.floats(0, 1)) < odd else ""
    return f"{space}{{{space}{f',{space}'.join(draw(st.permutations(pairs)))}}}{space}"


@settings(max_examples=100, deadline=None)
@given(bodies(0.0))
def test_bodies_of_usual_numbers(body: str) -> None:
    check(body.encode())


@settings(max_examples=150, deadline=None)
@given(bodies(0.1))
def test_bodies_with_oddities(body: str) -> None:
    check(body.encode("utf-8", "surrogatepass"))


@settings(max_examples=150, deadline=None)
@given(bodies(0.02), st.data())
def test_broken_bodies(body: str, data: st.DataObject) -> None:
    text = bytearray(body.encode("utf-8", "surrogatepass"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(text) - 1)))
        match data.draw(st.integers(0, 3)):
            case 0:
                del text[at]
            case 1:
                text[at:at] = data.draw(st.sampled_from(b'[]{}",:\\ 0-.eE')).to_bytes()
            case 2:
                text[at] = data.draw(st.integers(0, 255))
            case 3:
                del text[at:]
        if not text:
            break
    check(bytes(text))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text('[]{}",:\\ 1-.eE', max_size=40).map(str.encode))
def test_any_bytes(body: bytes) -> None:
    check(body)
    check(b'{"inputs":' + body + b',"signature_name":"any"}')


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs":[[1,2],[3,4]],"signature_name":"any"}',
        b'{"instances":[[[1,2,3],[4,5,6]]],"signature_name":"grid"}',
        b'{"instances":[{"g":[[1,2,3],[4,5,6]]},{"g":[[1,2,3],[4,5,6]]}],"signature_name":"grid"}',
        b' { "inputs" : { "g" : [ [ [1, 2.5e1, 3], [4, 5, 6 ] ] ] } , "signature_name" : "grid" } ',
        b'{"instances":[[1,2.5],[0,0]],"signature_name":"pick"}',
        b'{"inputs":[[1,2],[255,0]],"signature_name":"long"}',
        b'{"instances":[{"x":[1,2,3],"n":1,"m":null,"t":"\\"[1]\\\\","c":"a"},'
        b'{"x":[1,2,3.5],"n":1,"m":2,"t":"\xc3\xa9","c":"b"}]}',
        b'{"inputs":{"x":[[1,2,3]],"n":[1],"t":["[1,2,3]"],"c":["b"]}}',
        b'{"inputs":[[1,2],[3,4]],"signature_name":"fixed"}',
        b'{"instances":["a","b"],"signature_name":"word"}',
        b'{"instances":[{"b64":"AA=="},{"b64":""}],"signature_name":"word"}',
        b'{"instances":[{"w":"a"}],"signature_name":"word"}',
        b'{"instances":[1,2.5],"signature_name":"column"}',
        b'{"instances":[{"k":1},{"k":2}],"signature_name":"column"}',
        b'{"inputs":[[1],[2.5]],"signature_name":"column"}',
        b'{"inputs":{"e":[1,2]},"signature_name":"cell"}',
        b'{"inputs":[[1,2.5],[3,4]],"signature_name":"brain"}',
        b'{"inputs":[1,null,0.1],"signature_name":"brains"}',
        b'{"instances":[{"v":1},{"v":2}],"signature_name":"scaled"}',
        b'{"instances":[{"v":1,"s":1},{"v":2,"s":3}],"signature_name":"scaled"}',
        b'{"inputs":{"v":[[1]]},"signature_name":"scaled"}',
        b'{"inputs":{},"signature_name":"told"}',
        b'{"instances":[{},{}],"signature_name":"told"}',
        b'{"inputs":{"x":[[1,2,3]],"n":[1],"t":["a"],"c":["b"]},"signature_name":""}',
    ],
)
def test_clean_bodies_take_the_fast_way(body: bytes) -> None:
    assert predict_fast_path.read(predict_requests.parse(body), CONTRACT) is not None
    assert not isinstance(outcome(fast, body)[0], InvalidRequestError)
    check(body)


@pytest.mark.parametrize(
    "body",
    [
        # A string that only looks like the arrays around it, with and without escapes.
        b'{"inputs":"[[1,2,3],[4,5,6]]","signature_name":"word"}',
        b'{"instances":["[1,2,3]","\\"","[1,2,3]"],"signature_name":"word"}',
        b'{"instances":["\\\\[1,2,3]","\\\\"],"signature_name":"word"}',
        # What is no JSON until an array becomes a string.
        b'{"inputs":"abc\\[1,2,3]"}',
        b'{"inputs":"abc\\[1,2,3],"signature_name":"word"}',
        b'{[1,2,3]:1,"inputs":[1],"signature_name":"any"}',
        b'{"inputs":1[1,2,3],"signature_name":"any"}',
        b'{"inputs":[1,2,3]1,"signature_name":"any"}',
        b'{"inputs":[1,2,3][4],"signature_name":"any"}',
        b'{"inputs":[1,2,3]"a","signature_name":"any"}',
        # The last of equal keys counts, but the first must be JSON too.
        b'{"inputs":[1,2,3],"inputs":[4,5],"signature_name":"any"}',
        b'{"inputs":[1 2,3],"inputs":[4,5],"signature_name":"any"}',
        b'{"instances":[{"g":[[1,2,3],[4,5,6]],"g":[[0,0,0],[4,5,6]]}],"signature_name":"grid"}',
        # Texts that together would be a rectangle, and alone are none.
        b'{"inputs":{"x":[[1,2,3],"n":[4]],"m":[[5,6,7]]},"signature_name":"serving_default"}',
        b'{"a":[[1],"b":[2]],[[3],[4]]}',
        # Nesting that flattening would hide.
        b'{"inputs":[[1,2],3,[4,5]],"signature_name":"any"}',
        b'{"inputs":[[1,2],[]],"signature_name":"any"}',
        b'{"inputs":[[1],[2,3],[]],"signature_name":"any"}',
        b'{"inputs":[[1,2],[[3,4]]],"signature_name":"any"}',
        b'{"inputs":[[1,2]3,[,4]],"signature_name":"any"}',
        b'{"inputs":[[],[]],"signature_name":"any"}',
        b'{"inputs":[[1],[ ]],"signature_name":"any"}',
        b'{"inputs":[[1,],[,2]],"signature_name":"any"}',
        # A document that is an array, or more than one.
        b"[[1,2,3],[4,5,6]]",
        b'{"inputs":[1,2,3],"signature_name":"any"}{"inputs":[1,2,3]}',
        # float64 cannot tell these from the choice and the bound.
        b'{"inputs":[[2.5,9007199254740993]],"signature_name":"pick"}',
        b'{"inputs":[[-1000000000000000001]],"signature_name":"long"}',
        b'{"inputs":[[9007199254740993]],"signature_name":"long"}',
        # A value without its list among those with it, and a default in some rows only.
        b'{"instances":[1,[2]],"signature_name":"column"}',
        b'{"instances":[[1],2],"signature_name":"column"}',
        b'{"instances":[{"k":1},{"k":[2]}],"signature_name":"column"}',
        b'{"instances":[1,null],"signature_name":"column"}',
        b'{"instances":[1,901],"signature_name":"column"}',
        b'{"instances":[[[1]],2],"signature_name":"cell"}',
        b'{"instances":[[1],[2]],"signature_name":"cell"}',
        b'{"inputs":1,"signature_name":"column"}',
        b'{"inputs":[],"signature_name":"column"}',
        b'{"instances":[{"v":1,"s":1},{"v":2}],"signature_name":"scaled"}',
        b'{"instances":[{"v":1},{"v":2,"s":1}],"signature_name":"scaled"}',
        b'{"instances":[{"v":1,"s":null}],"signature_name":"scaled"}',
        b'{"instances":[{"v":1,"s":1},7],"signature_name":"scaled"}',
        b'{"instances":[{},{"v":1}],"signature_name":"scaled"}',
        b'{"inputs":{"s":[1]},"signature_name":"scaled"}',
        b'{"inputs":[[3.4e38]],"signature_name":"brain"}',
        b'{"inputs":[[3.3961775292304951e38,1]],"signature_name":"brain"}',
        b'{"inputs":[[3.3961775292304947e38,1]],"signature_name":"brain"}',
        b'{"inputs":[3.4e38,null],"signature_name":"brains"}',
        # Rounded to float64 and then to float32, it is one step lower than at once.
        b'{"inputs":[[9007199791611905]],"signature_name":"any"}',
    ],
)
def test_bodies_that_a_careless_reader_would_mistake(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("depth", [1, 17, 32, 33, 500, 1020, 1100])
def test_arrays_far_down(depth: int) -> None:
    check(b'{"signature_name":"any","inputs":' + b"[" * depth + b"1,2" + b"]" * depth + b"}")
    for inner in (1, 31, 32):
        array = b"[" * inner + b"1,2,3" + b"]" * inner
        outer = b'[{"a":' * (depth // 2) + array + b"}]" * (depth // 2)
        check(b'{"signature_name":"any","inputs":' + outer + b"}")


@pytest.mark.parametrize("shape", [(3, 7, 400), (5000,), (400, 1, 2, 5), (1, 1, 1, 9000)])
@pytest.mark.parametrize("make", [np.int64, np.float32])
def test_long_arrays(shape: tuple[int, ...], make: type) -> None:
    array = (np.random.default_rng(0).random(shape) * 1000).astype(make)
    body = body_of(array.tolist())
    assert type(predict_requests.parse(body)["inputs"]) is Numbers
    check(body)
    np.testing.assert_array_equal(fast(body).inputs["a"], array.astype(np.float32))
    for old, new in ((b"]", b",3]"), (b"[", b"[[1],"), (b",", b" "), (b",", b",,"), (b",", b",x")):
        at = len(body) // 2
        check(body[:at] + body[at:].replace(old, new, 1))
        check(body[:at].replace(old, new, 1) + body[at:])


def test_many_arrays_among_many_strings() -> None:
    found = [{"x": [i, i + 0.5, i], "n": i, "m": None, "t": f'"{i}\\', "c": "a"} for i in range(99)]
    body = body_of(found, "serving_default", "instances")
    assert type(predict_requests.parse(body)["instances"][98]["x"]) is Numbers
    check(body)
    check(body.replace(b"50.5", b'"50.5"'))
    check(body.replace(b"50.5", b"50.5]"))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"inputs": 1}, "inputs: Expected an empty object, not 1."),
        ({"inputs": {"x": 1}}, "inputs.x: Unknown field; signature 'none' takes no inputs."),
        ({"instances": [1]}, "instances[0]: Expected an empty object, not 1."),
        (
            {"instances": [{"x": 1}]},
            "instances[0].x: Unknown field; signature 'none' takes no inputs.",
        ),
    ],
)
def test_a_signature_without_inputs(body: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(sentence)):
        fast(json.dumps({"signature_name": "none", **body}).encode())


@pytest.mark.parametrize("value", [1e39, -1e39, 1e300])
def test_infinity_is_within_no_bounds(value: float) -> None:
    fields = [
        Field(name=name, dtype="float32", shape=(None,), minimum=-1e300, maximum=1e300)
        for name in "ab"
    ]
    contract = {"serving_default": signature("serving_default", *fields)}
    for body in ({"instances": [{"a": 1, "b": value}]}, {"inputs": {"a": [1], "b": [value]}}):
        assert (
            predict_fast_path.read(predict_requests.parse(json.dumps(body).encode()), contract)
            is None
        )
