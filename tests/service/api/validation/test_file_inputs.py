"""Pictures within JSON, on their way to the graph."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.images.test_file_headers import encode, marked, png_header, turned

EXPECTED = "Expected a PNG, JPEG, GIF or BMP picture"
PNG = encode(marked("L"), "PNG")


def b64(encoded: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(encoded).decode()}


def ask(client: FlaskClient, **body: Any) -> Any:
    return client.post("/v1/models/album:predict", json={"signature_name": "from_encoded", **body})


def test_a_photograph_is_seen_upright(plain: FlaskClient) -> None:
    answer = ask(plain, instances=[b64(turned(6)), b64(PNG)]).json["predictions"]
    assert [(each["height"], each["width"]) for each in answer] == [(48, 64), (48, 64)]
    assert [each["corner"] for each in answer] == pytest.approx([255, 255], abs=5)


BOMB = png_header(50_000, 50_000)
TOO_LARGE = f"{EXPECTED} of at most 10000 pixels, not 50000 x 50000."


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        ({"instances": [b64(BOMB)]}, "instances[0]", TOO_LARGE),
        ({"instances": [{"image_bytes": b64(BOMB)}]}, "instances[0]", TOO_LARGE),
        ({"instances": [b64(PNG), b64(BOMB)]}, "instances[1]", TOO_LARGE),
        ({"inputs": [b64(PNG), b64(BOMB)]}, "inputs[1]", TOO_LARGE),
        ({"inputs": {"image_bytes": [b64(BOMB)]}}, "inputs[0]", TOO_LARGE),
        (
            {"instances": [b64(PNG), "text"]},
            "instances[1]",
            f"{EXPECTED}, not a file that begins with b'text'.",
        ),
        ({"instances": [b64(b"")]}, "instances[0]", f"{EXPECTED}, not an empty file."),
        (
            {"instances": [b64(PNG)] * 27},
            "instances[26]",
            "Expected at most 80000 pixels in all pictures, not 82944.",
        ),
    ],
)
def test_what_no_graph_should_see(
    plain: FlaskClient, body: dict[str, Any], place: str, reason: str
) -> None:
    response = ask(plain, **body)
    assert response.status_code == 400
    assert response.json == {
        "error": f"{place}: {reason}",
        "code": "INVALID_ARGUMENT",
        "details": {place: [reason]},
    }


def test_several_problems_are_all_named(plain: FlaskClient) -> None:
    response = ask(plain, instances=[b64(BOMB), b64(PNG), "x"])
    assert response.json["error"] == f"instances[0]: {TOO_LARGE} (The first of 2 problems.)"
    assert list(response.json["details"]) == ["instances[0]", "instances[2]"]


def test_a_picture_that_is_broken_behind_its_header_is_found(plain: FlaskClient) -> None:
    """Only the graph sees that, and it does not say in which."""
    for count in (1, 4):
        pictures = [*[b64(PNG)] * (count - 1), b64(PNG[:-40]), b64(PNG)]
        response = ask(plain, instances=pictures)
        assert response.status_code == 400
        place = f"instances[{count - 1}]"
        assert response.json["error"].startswith(f"{place}: The model refused the input: ")
        assert list(response.json["details"]) == [place]


def test_other_formats_name_places_in_their_own_way(plain: FlaskClient) -> None:
    examples = [{"image_bytes": b64(PNG)}, {"image_bytes": b64(BOMB)}]
    response = plain.post(
        "/v1/models/album:regress",
        json={"signature_name": "from_encoded", "examples": examples},
    )
    assert response.json["error"] == f"examples[1].image_bytes: {TOO_LARGE}"


def test_the_open_inference_protocol_does(plain: FlaskClient) -> None:
    tensor = {
        "name": "image_bytes",
        "datatype": "BYTES",
        "shape": [2],
        "data": [b64(PNG), b64(BOMB)],
    }
    response = plain.post(
        "/v2/models/album/infer?signature_name=from_encoded", json={"inputs": [tensor]}
    )
    assert response.json["error"] == f"inputs[0].data[1]: {TOO_LARGE}"
