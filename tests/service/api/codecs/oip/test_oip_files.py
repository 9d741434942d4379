"""Pictures in requests of the Open Inference Protocol."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.api.validation.test_file_inputs import BOMB, PNG, TOO_LARGE, b64

HEADER = "Inference-Header-Content-Length"
INPUT = {"name": "image_bytes", "datatype": "BYTES"}
PATH = "/v2/models/album/infer?signature_name=from_encoded"


def ask(client: FlaskClient, files: list[bytes], **how: Any) -> Any:
    head = json.dumps({"inputs": [INPUT | {"shape": [len(files)]} | how]}).encode()
    tail = b""
    if "parameters" in how:
        tail = b"".join(len(file).to_bytes(4, "little") + file for file in files)
    return client.post(PATH, data=head + tail, headers={HEADER: str(len(head))})


@pytest.mark.parametrize("binary", [False, True])
def test_the_file_that_is_none_is_named(plain: FlaskClient, binary: bool) -> None:
    for files in ([PNG, PNG], [PNG, BOMB]):
        how: dict[str, Any] = {"data": [b64(file) for file in files]}
        if binary:
            how = {"parameters": {"binary_data_size": sum(map(len, files)) + 8}}
        response = ask(plain, files, **how)
        if BOMB in files:
            assert response.status_code == 400
            assert response.json["error"] == f"inputs[0].data[1]: {TOO_LARGE}"
        else:
            answers = {output["name"]: output["data"] for output in response.json["outputs"]}
            assert (answers["height"], answers["width"]) == ([48, 48], [64, 64])


def test_a_picture_is_a_raw_body(plain: FlaskClient) -> None:
    response = plain.post(PATH, data=PNG, headers={HEADER: "0"})
    outputs = json.loads(response.data[: int(response.headers[HEADER])])["outputs"]
    assert [output["shape"] for output in outputs] == [[1]] * len(outputs)
    response = plain.post(PATH, data=BOMB, content_type="application/octet-stream")
    assert response.status_code == 400
    assert response.json["error"] == f"body[0]: {TOO_LARGE}"
