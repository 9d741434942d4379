"""What the document says of answers (statuses, headers, keys), held against real answers of all routes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.runtime.servable import Servable
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import publish_kinds
from tests.savedmodels.graphs import edit_meta_graph, save_graph
from tests.savedmodels.unusual_signatures import add_defaults, bad_signatures, odd_signatures
from tests.service.conftest import served

TOKEN = "sesame"
# Any HTTP server sends these of itself.
OF_HTTP = {"date", "server", "content-length", "content-type", "connection"}
# What no request of the first test provokes: there is a token, and nothing fails or takes long.
NOT_PROVOKED = {"403", "408", "500", "504"}
POLICY = {"serve": {"latest": 2}, "labels": {"stable": 1}, "allow_operations": ["ReadFile"]}


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root, bias=0.0)
    publish_affine(root, bias=1.0)
    (root / "affine" / "policy.json").write_text(
        json.dumps({**POLICY, "rows_independent": {"serving_default": True}, "keep": 5})
    )
    publish_kinds(root)
    save_graph(root / "odd" / "1", odd_signatures)
    edit_meta_graph(root / "odd" / "1", add_defaults)
    save_graph(root / "bad" / "1", lambda: bad_signatures()[0])
    (root / "affine" / "v3").mkdir()
    with served(
        root, request.param, admin_token=TOKEN, max_body_bytes=50_000, max_queue=5
    ) as client:
        yield client


class Checker:
    """Sends requests and compares each answer with what the document says of its operation."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.document = client.get("/openapi.json").json
        self.statuses: set[str] = set()
        self.headers: set[str] = set()
        self.operations: set[tuple[str, str]] = set()

    def resolved(self, value: Any) -> Any:
        while isinstance(value, Mapping) and "$ref" in value:
            kind, name = value["$ref"].split("/")[2:]
            value = self.document["components"][kind][name]
        return value

    def ask(self, method: str, path: str, template: str = "", **request: Any) -> TestResponse:
        operation = self.document["paths"][template or path.partition("?")[0]][method.lower()]
        response = self.client.open(path, method=method, **request)
        self.operations.add((method.lower(), template or path.partition("?")[0]))
        self.statuses.add(str(response.status_code))
        where = f"{method} {path}: {response.status_code}"
        declared = self.resolved(operation["responses"].get(str(response.status_code)))
        assert declared, f"{where} is not declared"
        headers = {name.lower(): self.resolved(h) for name, h in declared["headers"].items()}
        sent = {name.lower() for name, _ in response.headers} - OF_HTTP
        self.headers |= sent
        assert sent <= headers.keys(), where
        assert {name for name, h in headers.items() if h.get("required")} <= sent, where
        if response.data:
            kind = response.content_type.partition(";")[0]
            assert kind in declared["content"], f"{where}: {kind}"
            if kind == "application/json" and "Content-Encoding" not in response.headers:
                schema = declared["content"][kind]["schema"]
                assert self.undeclared(response.json, schema) == [], where
        return response

    def undeclared(self, value: Any, schema: Any, path: str = "$") -> list[str]:
        """Return the paths of keys that the schema does not name, or demands in vain."""
        schema = self.resolved(schema)
        if "anyOf" in schema:
            found = [self.undeclared(value, each, path) for each in schema["anyOf"]]
            return min(found, key=len)
        if isinstance(value, list):
            items = schema.get("items", {})
            return [
                p for i, v in enumerate(value) for p in self.undeclared(v, items, f"{path}[{i}]")
            ]
        if not isinstance(value, dict):
            return []
        known, others = schema.get("properties"), schema.get("additionalProperties")
        if known is None and not isinstance(others, dict):
            # Only what is described as any object or anything may have any key, and no whole body.
            return [path] if path == "$" else []
        known = known or {}
        missing = [
            f"{path} lacks {name}" for name in schema.get("required", ()) if name not in value
        ]
        for name, item in value.items():
            inner = known.get(name, others if isinstance(others, dict) else None)
            place = f"{path}.{name}"
            missing += [place] if inner is None else self.undeclared(item, inner, place)
        return missing


def path_of(template: str) -> str:
    return template.replace("{region}", "some").replace("{file}", "main.js")


BEARER = {"Authorization": f"Bearer {TOKEN}"}
PACKED = {"Accept-Encoding": "gzip"}
# Loading and unloading waits; they are asked apart.
SLOW = ("/load", "/unload")


def ask_everything(checker: Checker) -> None:
    """Ask each operation well and badly."""
    for template, operations in checker.document["paths"].items():
        path = path_of(template)
        for method, operation in operations.items():
            verb = method.upper()
            if template.endswith(SLOW):
                checker.ask(verb, path, template)
                continue
            for headers in ({}, PACKED, {"Authorization": "Bearer wrong"}):
                checker.ask(verb, path, template, headers=headers)
            if verb == "GET":
                continue
            body = operation.get("requestBody", {}).get("content", {})
            if body:
                checker.ask(verb, path, template, data="[[", headers=BEARER)
                checker.ask(verb, path, template, data="x" * 50_001, headers=BEARER)
                packed = {**BEARER, "Content-Encoding": "compress"}
                checker.ask(verb, path, template, json={}, headers=packed)
            for example in body.get("application/json", {}).get("examples", {}).values():
                asked = checker.resolved(example)["value"]
                assert checker.ask(verb, path, template, json=asked).status_code == 200
                many = {k: v * 60 if isinstance(v, list) else v for k, v in asked.items()}
                checker.ask(verb, path, template, json=many, headers=PACKED)


def test_all_answers_are_as_the_document_says(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker = Checker(client)
    ask_everything(checker)
    everything = {(m, path) for path, item in checker.document["paths"].items() for m in item}
    assert checker.operations == everything

    checker.ask("GET", "/v1/models", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})

    # Changes of the policy, and what is refused of them.
    policy = "/v1/models/affine/policy"
    tag = checker.ask("GET", policy, headers=BEARER).headers["ETag"]
    for match, status in (('"other"', 412), (tag, 200)):
        headers = {**BEARER, "If-Match": match}
        told = checker.ask("PUT", policy, json=POLICY, headers=headers)
        assert told.status_code == status
    assert checker.ask("POST", "/v1/models/affine:rollback", headers=BEARER).status_code == 200
    assert checker.ask("POST", "/v1/models/odd:rollback", headers=BEARER).status_code == 409
    checker.ask("PUT", policy, json=POLICY, headers=BEARER)
    assert (
        checker.ask("POST", "/v2/repository/models/odd/unload", headers=BEARER).status_code == 200
    )
    assert checker.ask("GET", "/v1/models/odd/policy", headers=BEARER).json["unloaded"] is True
    for path in ("/v2/models/odd", "/v1/models/odd/metadata"):
        assert checker.ask("GET", path).status_code >= 400
    assert checker.ask("POST", "/v2/repository/models/odd/load", headers=BEARER).status_code == 200

    # The page for browsers, and binary answers.
    html = {"Accept": "text/html"}
    for headers in (html, html | PACKED):
        assert "Accept" in checker.ask("GET", "/", headers=headers).headers["Vary"]
    item = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
    body = {"parameters": {"signature_name": "only_y"}, "inputs": [item], "id": "7"}
    for asked in ({}, {"outputs": [{"name": "y", "parameters": {"binary_data": True}}]}):
        assert checker.ask("POST", "/v2/models/affine/infer", json=body | asked).status_code == 200
    for name in ("default", "default_of_three"):
        assert checker.ask("GET", f"/v2/models/odd?signature_name={name}").status_code == 200

    # What shows only sometimes.
    monkeypatch.setattr(Servable, "stuck", property(lambda _: {"only_y"}))
    monkeypatch.setattr(
        type(client.application.extensions["lifecycle"]), "stuck", lambda _: {"affine": ["only_y"]}
    )
    monkeypatch.setattr(type(client.application.extensions["metrics"]), "missing", 3)
    assert checker.ask("GET", "/readyz").json.keys() == {"status", "stuck", "metrics"}
    assert checker.ask("GET", "/v2/models/affine/ready").status_code == 503
    listed = checker.ask("GET", "/v1/models").json
    assert listed["ignored"]
    models = {model["name"]: model for model in listed["models"]}
    assert models["bad"]["left_out"]
    fields = models["odd"]["signatures"]["default"]["inputs"]
    assert any({"default", "has_default"} <= field.keys() for field in fields)

    # Nothing is declared that was not seen.
    assert {*checker.document["components"]["responses"]} == {
        f"Error{status}" for status in {*checker.statuses, *NOT_PROVOKED} if status >= "400"
    }
    declared = {name.lower() for name in checker.document["components"]["headers"]}
    assert {name.removeprefix("required-") for name in declared} == checker.headers


def test_a_service_that_stops_says_so(tmp_path: Path) -> None:
    publish_affine(tmp_path)
    with served(tmp_path, "flask") as client:
        checker = Checker(client)
        assert checker.ask("GET", "/v1/models/affine/policy").status_code == 403
        client.application.extensions["lifecycle"].drain()
        for path in ("/readyz", "/v2/health/ready"):
            response = checker.ask("GET", path)
            assert response.status_code == 503
            assert response.json["error"] == "The service is stopping."
