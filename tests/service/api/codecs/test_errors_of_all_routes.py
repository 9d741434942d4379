"""Every route, with every method and every class of error: one error body, and nothing leaks."""

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.app import create_app
from service.errors import CODES
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.shapes import save_shapes

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
TOKEN = "the-admins-token"
SECRET = "a-secret-of-the-inside"

# What is wrong with a request, as its body and headers; the last is right.
REQUESTS: dict[str, tuple[bytes, dict[str, str]]] = {
    "nothing": (b"", {}),
    "no JSON": (b"{]", {"Content-Type": "application/json"}),
    "no object": (b"[]", {"Content-Type": "application/json"}),
    "other keys": (b'{"a": 1}', {"Content-Type": "application/json"}),
    "no UTF-8": (b'{"\xff": 1}', {"Content-Type": "application/json"}),
    "another type": (b"<a/>", {"Content-Type": "application/xml"}),
    "no type": (b"\x00\x01", {"Content-Type": "/"}),
    "another packing": (b"x", {"Content-Type": "application/json", "Content-Encoding": "br"}),
    "no gzip": (b"x", {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
    "too large": (b" " * 5001, {"Content-Type": "application/json"}),
    "ends early": (b"{}", {"Content-Type": "application/json", "Content-Length": "99"}),
    "no time": (b"{}", {"Content-Type": "application/json", "X-Request-Timeout-Ms": "x"}),
    "no admin": (b"{}", {"Content-Type": "application/json", "Authorization": "Bearer no"}),
    "admin": (b"{}", {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}),
}
# Models, versions and labels that a path may name: there, not there, unusual.
NAMES = ("affine", "nope", "affine%00", "%ff", "..", "a" * 300)
VERSIONS = ("1", "9", "9" * 18)
LABELS = ("stable", "none", "%F0%9F%98%80")
REGIONS = ("region", "a/b", "%00")
FILES = ("main.js", "a/b", "..%2froot.py", "%00")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    save_shapes(root / "shapes" / "1")
    (root / "affine" / "policy.json").write_text('{"labels": {"stable": 1}}')
    settings = Settings(models=root, quiet_s=0.0, workers=1, max_body_bytes=5000, admin_token=TOKEN)
    app = create_app(settings)
    app.testing = False
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    assert lifecycle.wait_until_settled(60)
    yield app.test_client()
    lifecycle.stop()


def paths(client: FlaskClient) -> dict[str, bool]:
    """Return every route's path, with names that are there, and with one that is odd."""
    found = {}
    for rule in client.application.url_map.iter_rules():
        options = [
            [("<model:model>", name) for name in NAMES],
            [("<version:version>", version) for version in VERSIONS],
            [("<model:label>", label) for label in LABELS],
            [("<path:region>", region) for region in REGIONS],
            [("<path:file>", file) for file in FILES],
        ]
        for chosen in itertools.product(*options):
            # Only one part at a time is odd: the others are the first of their kind.
            odd = sum(
                value != values[0][1] for (_, value), values in zip(chosen, options, strict=True)
            )
            if odd <= 1:
                path = rule.rule
                for variable, value in chosen:
                    path = path.replace(variable, value)
                assert "<" not in path, "a route has a part that this test does not know"
                found[path] = found.get(path, True) and odd > 0
    return found


def assert_one_form(response: Any, told: str, root: str) -> None:
    """Check an answer: an error has the one body; nothing tells of the machine or the code."""
    assert response.headers["X-Request-Id"], told
    if response.status_code >= 400:
        assert response.content_type == "application/json", told
    text = response.get_data(as_text=True)
    for leak in ("Traceback", 'File "', "site-packages", ".py", root, SECRET, "tensorflow/python"):
        if not told.startswith(("GET /docs", "GET /metrics")):
            assert leak not in text, (told, text[:300])
    if response.status_code < 400 or told.startswith("HEAD"):
        return
    body = json.loads(text)
    assert {"error", "code"} <= body.keys() <= {"error", "code", "details"}, told
    assert body["code"] == CODES.get(response.status_code, body["code"]), told
    assert body["error"][:1].strip(), told
    assert body["error"].endswith((".", ")")), (told, body)
    assert len(text) < 6000, told
    if response.status_code == 405:
        assert response.headers["Allow"], told
    if response.status_code == 503:
        assert int(response.headers["Retry-After"]) >= 1, told


def is_unsupported(response: Any) -> bool:
    return response.status_code == 501 and "not supported here" in response.json["error"]


def sweep(client: FlaskClient, requests: Any, methods: Any = METHODS) -> Iterator[tuple[str, Any]]:
    for path, is_odd in sorted(paths(client).items()):
        # What is wrong with the body matters little where the path leads nowhere.
        for method, name in itertools.product(methods, list(requests)[-1:] if is_odd else requests):
            body, headers = REQUESTS[name]
            told = f"{method} {path} with {name}"
            yield told, client.open(path, method=method, data=body, headers=headers)


def test_every_route_method_and_error(client: FlaskClient, tmp_path_factory: Any) -> None:
    root = str(tmp_path_factory.getbasetemp())
    seen = set()
    for told, response in sweep(client, REQUESTS):
        assert response.status_code < 500 or is_unsupported(response), (told, response.data[:300])
        assert_one_form(response, told, root)
        seen.add(response.status_code)
    assert seen >= {200, 400, 401, 404, 405, 413, 415, 501}


def test_every_route_when_the_inside_breaks(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    def breaking(real: Any) -> Any:
        def explode(*arguments: Any, **options: Any) -> Any:
            if threading.current_thread().name in ("lifecycle", "serving-record"):
                return real(*arguments, **options)
            raise RuntimeError(f"{SECRET} in {Path(__file__)}")

        return explode

    for name in ("require", "lease", "models", "status", "serves", "labels", "serving_versions"):
        monkeypatch.setattr(Lifecycle, name, breaking(getattr(Lifecycle, name)))
    root = str(tmp_path_factory.getbasetemp())
    broken = 0
    for told, response in sweep(client, ["admin"], ["GET", "POST", "PUT"]):
        assert_one_form(response, told, root)
        broken += response.status_code == 500
    assert broken > 20


def test_every_route_while_nothing_serves(make_app: Any, tmp_path_factory: Any) -> None:
    client = make_app(admin_token=TOKEN).test_client()
    root = str(tmp_path_factory.getbasetemp())
    seen = set()
    for told, response in sweep(client, ["nothing", "admin"], ["GET", "POST"]):
        assert_one_form(response, told, root)
        assert response.status_code != 500, told
        seen.add(response.status_code)
    assert seen >= {404, 503}
