"""Values that only a model's graph can refuse."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.api.bad_requests import MAX_ERRORS

PNG = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
    )
).decode()


@pytest.mark.parametrize("bad", [[0], [4], [0, 4], [2, 3], [1, 2, 3, 4], range(50)])
@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_rows_that_the_graph_refuses_are_named(everything: FlaskClient, key: str, bad: Any) -> None:
    rows = [{"b64": PNG}] * max(5, max(bad) + 1)
    for i in bad:
        rows[i] = {"b64": "iVBORw0KGgo="}
    response = everything.post(
        "/v1/models/shapes:predict", json={"signature_name": "decode", key: rows}
    )
    assert response.status_code == 400
    details = response.json["details"]
    assert list(details) == [f"{key}[{i}]" for i in bad[:MAX_ERRORS]]
    for (message,) in details.values():
        assert message.startswith("The model refused the input: ")
    assert response.json["error"].startswith(f"{key}[{bad[0]}]: The model refused the input: ")


def test_good_rows_are_answered_while_others_are_refused(everything: FlaskClient) -> None:
    body = {"signature_name": "decode", "instances": [{"b64": PNG}] * 3}
    response = everything.post("/v1/models/shapes:predict", json=body)
    assert response.json == {"predictions": [1, 1, 1]}
