"""Errors of a graph that repeat bytes which are no text: TensorFlow cannot raise them as its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tensorflow as tf
from flask.testing import FlaskClient

from tests.savedmodels.saving import save
from tests.service.conftest import served

BYTES = {"b64": "/w=="}
REFUSED = "The model refused the input: "
NO_NUMBER = (
    f"{REFUSED}StringToNumberOp could not correctly convert string: \N{REPLACEMENT CHARACTER}."
)


class Numbers(tf.Module):
    """Texts as numbers; and messages as what they hold."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def read(self, text):
        return {"number": tf.strings.to_number(text)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="message")])
    def parse(self, message):
        features = {"x": tf.io.FixedLenFeature([], tf.float32)}
        return {"x": tf.io.parse_example(message, features)["x"]}


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root, model = tmp_path_factory.mktemp("models"), Numbers()
    save(root / "numbers" / "1", model, serving_default=model.read, parse=model.parse)
    with served(root, request.param) as client:
        yield client


def ask(client: FlaskClient, instances: list[Any], **more: str) -> Any:
    return client.post("/v1/models/numbers:predict", json={"instances": instances, **more})


def test_the_row_is_named_as_any_other_that_the_graph_refuses(client: FlaskClient) -> None:
    for instances, place in (([BYTES], "instances[0]"), (["1", BYTES, "2"], "instances[1]")):
        response = ask(client, instances)
        assert response.status_code == 400
        assert response.json["error"] == f"{place}: {NO_NUMBER}"
    response = ask(client, [BYTES], signature_name="parse")
    assert response.status_code == 400
    assert response.json["error"].startswith(f"instances[0]: {REFUSED}Could not parse example")


def test_who_sends_them_spoils_no_other_client_s_answer(client: FlaskClient) -> None:
    def answer(i: int) -> None:
        response = ask(client, [BYTES] if i % 2 else [str(i)])
        assert response.status_code == (400 if i % 2 else 200), response.json
        if i % 2 == 0:
            assert response.json == {"predictions": [float(i)]}

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(answer, range(100)))
