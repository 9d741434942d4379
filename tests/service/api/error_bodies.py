"""What the body of an error must be."""

import json
from typing import Any


def assert_error(response: Any, status: int, code: str) -> None:
    """Check the one error body and its headers."""
    assert response.status_code == status
    assert response.content_type == "application/json"
    body = json.loads(response.data)
    assert body.keys() - {"details"} == {"error", "code"}
    assert body["code"] == code
    assert body["error"].endswith((".", ")"))
    assert "Traceback" not in body["error"]
    assert response.headers["X-Request-Id"]


def assert_invalid(response: Any, details: dict[str, str]) -> None:
    """Check that a request was rejected with one sentence a place, the first of them as the error."""
    assert_error(response, 400, "INVALID_ARGUMENT")
    assert response.json["details"] == {path: [text] for path, text in details.items()}
    path, text = next(iter(details.items()))
    assert response.json["error"].startswith(text if path == "body" else f"{path}: {text}")


def assert_rejected(response: Any, status: int, sentence: str, places: list[str]) -> None:
    """Check the sentence of an error, and the places that its details name."""
    assert response.json["error"] == sentence
    assert response.status_code == status
    assert list(response.json.get("details", {})) == places
