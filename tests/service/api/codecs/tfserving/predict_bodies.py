"""Bodies of ``:predict``, usual and odd, and what both ways of reading make of them."""

import json
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from service.api.codecs.tfserving import predict_requests
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


def fast(body: bytes) -> predict_requests.PredictRequest:
    return predict_requests.read_request(
        predict_requests.parse_json(body), CONTRACT, lambda s: SCHEMAS[s.name], limit=LIMIT
    )


def reference(body: bytes) -> predict_requests.PredictRequest:
    return predict_requests.reference_request(
        body, CONTRACT, lambda s: SCHEMAS[s.name], limit=LIMIT
    )


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
