"""No request makes the service fail, whatever it is."""

import copy
import json
from typing import Any

import hypothesis
from flask.testing import FlaskClient
from hypothesis import strategies as st

from tests.service.api.bad_requests import AFFINE, CAR, JSON, MAX_ERRORS, TYPES

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["quiet", "serving_default", "only_y"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["x", "text", "shift", "b64", "instances", "inputs", "examples"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TARGETS = st.sampled_from(
    [
        *(f"{model}:predict" for model in ("affine", "types", "shapes", "mpg", "clothing")),
        "kinds:classify",
        "kinds:regress",
    ]
)
SIGNATURES_THERE = ["only_y", "any_shape", "words", "grid", "scalar", "of_two", "bounds", "picture"]


def assert_explained(response: Any) -> None:
    """Check that an answer is one, or a refusal in the one form."""
    assert response.status_code in (200, 400)
    assert response.content_type == JSON
    if response.status_code == 400:
        body = json.loads(response.data)
        assert body.keys() <= {"error", "code", "details"}
        assert body["error"].endswith((".", ".)"))
        assert len(body.get("details", {})) <= MAX_ERRORS
        assert len(response.data) < 5000


@hypothesis.given(target=TARGETS, body=ANYTHING)
@hypothesis.settings(max_examples=150, deadline=None)
def test_no_json_makes_the_service_fail(everything: FlaskClient, target: str, body: Any) -> None:
    assert_explained(everything.post(f"/v1/models/{target}", json=body))


@hypothesis.given(
    target=TARGETS,
    key=st.sampled_from(["instances", "inputs", "examples"]),
    value=ANYTHING,
    name=st.none() | st.sampled_from(SIGNATURES_THERE),
)
@hypothesis.settings(max_examples=250, deadline=None)
def test_no_values_make_the_service_fail(
    everything: FlaskClient, target: str, key: str, value: Any, name: str | None
) -> None:
    body = {key: value} | ({} if name is None else {"signature_name": name})
    assert_explained(everything.post(f"/v1/models/{target}", json=body))


@hypothesis.given(target=TARGETS, body=st.binary(max_size=60))
@hypothesis.settings(max_examples=100, deadline=None)
def test_no_bytes_make_the_service_fail(everything: FlaskClient, target: str, body: bytes) -> None:
    assert_explained(everything.post(f"/v1/models/{target}", data=body))


GOOD = [
    ("affine", AFFINE),
    ("types", TYPES),
    ("mpg", CAR),
]


@hypothesis.given(model=st.sampled_from(GOOD), data=st.data())
@hypothesis.settings(max_examples=250, deadline=None)
def test_no_change_to_a_good_row_makes_the_service_fail(
    everything: FlaskClient, model: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    name, good = model
    row = copy.deepcopy(good)
    for key in data.draw(st.sets(st.sampled_from(sorted(good)), min_size=1, max_size=3)):
        row[key] = data.draw(ANYTHING)
    response = everything.post(f"/v1/models/{name}:predict", json={"instances": [good, row]})
    assert_explained(response)
    if response.status_code == 400:
        assert all(path.startswith("instances[1]") for path in response.json["details"])
