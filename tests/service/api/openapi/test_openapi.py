"""The document of the API: valid, complete, true of the service that runs, and shown safely."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from service.app import create_app
from service.repository.contract import Field, Signature
from service.repository.model_card import read_card, write_card
from service.repository.model_store import Store
from service.settings.settings import Settings
from tests.savedmodels.affine import AFFINE_CONTRACT, fill_affine
from tests.savedmodels.classes import publish_kinds
from tests.service.access.keys import add_key
from tests.service.conftest import served

PAGES = Path(__file__).resolve().parents[4] / "service" / "api" / "openapi"


ONLY_Y = Signature(
    "only_y",
    inputs=(Field(name="x", dtype="float32", shape=(None, 2), minimum=-1e6, maximum=1e6),),
    outputs=(Field(name="y", dtype="float32", shape=(None,)),),
)


def publish_bounded(root: Path, *, bias: float) -> None:
    """Publish ``affine`` with bounds to all its numbers: beyond float32 it answers infinity."""

    def fill(directory: Path) -> None:
        fill_affine(directory, bias=bias)
        card = read_card(directory)
        assert card is not None
        write_card(directory, replace(card, contract={**AFFINE_CONTRACT, "only_y": ONLY_Y}))

    Store(root).publish("affine", fill)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish_bounded(root, bias=0.0)
    publish_bounded(root, bias=1.0)
    publish_kinds(root, model="odd-name_2.x")
    policy = '{"serve": {"latest": 2}, "labels": {"stable": 1}}'
    (root / "affine" / "policy.json").write_text(policy)
    return root


@pytest.fixture(scope="module")
def client(models: Path) -> Iterator[FlaskClient]:
    app = create_app(
        Settings(models=models, quiet_s=0.0, poll_interval_s=0.1, workers=1, max_rows=20)
    )
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    assert lifecycle.wait_until_settled(60)
    yield app.test_client()
    lifecycle.stop()


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/openapi.json")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    return json.loads(response.data)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"


@pytest.mark.parametrize("reads_need_keys", [False, True])
def test_it_says_who_may_ask(models: Path, tmp_path: Path, reads_need_keys: bool) -> None:
    key = add_key(tmp_path / "keys.json", "one")
    settings = {"keys_file": tmp_path / "keys.json", "keys_for_reads": reads_need_keys}
    with served(models, "flask", allowed_hosts=("localhost",), **settings) as client:
        headers = {"X-API-Key": key}
        document = client.get("/openapi.json", headers=headers).json
        assert client.get("/openapi.json").status_code == (401 if reads_need_keys else 200)
    OpenAPIV31SpecValidator(document).validate()
    schemes = document["components"]["securitySchemes"]
    assert schemes["key"] | {"description": ""} == {
        "type": "http",
        "scheme": "bearer",
        "description": "",
    }
    assert schemes["key-header"]["name"] == "X-API-Key"
    by_key = [{"key": []}, {"key-header": []}]
    paths = document["paths"]
    assert paths["/v1/models/affine:predict"]["post"]["security"] == by_key
    for path, operations in paths.items():
        for operation in operations.values():
            is_probe = path in ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready")
            assert ("421" in operation["responses"]) != is_probe, path
            needs_key = operation.get("security") == by_key
            assert needs_key == ("429" in operation["responses"]), path
            assert not needs_key or "401" in operation["responses"]
    assert paths["/v2/models"]["get"].get("security") == (by_key if reads_need_keys else None)
    assert "security" not in paths["/livez"]["get"]


def test_without_keys_nothing_is_said_of_them(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"].keys() == {"admin"}
    assert not {"Error421", "Error429"} & document["components"]["responses"].keys()


def test_every_route_is_in_it(client: FlaskClient, document: dict[str, Any]) -> None:
    """And with every method; of a model's routes, those for what it can do."""
    for rule in client.application.url_map.iter_rules():
        path = rule.rule.replace("<model:model>", "affine").replace("<version:version>", "1")
        path = path.replace("<model:label>", "stable").replace("<path:region>", "{region}")
        path = path.replace("<path:file>", "{file}")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            if rule.endpoint == "classify.classify":
                assert path not in document["paths"]
            else:
                assert method.lower() in document["paths"][path], (method, path)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(names) == len(set(names))


def test_examples_are_golden_and_true(client: FlaskClient, document: dict[str, Any]) -> None:
    """Each request of an example, sent, is answered with the example's answer."""

    def found(reference: dict[str, str]) -> Any:
        return document["components"]["examples"][reference["$ref"].rpartition("/")[2]]["value"]

    tried = 0
    for path, operations in document["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        for name, reference in content.get("application/json", {}).get("examples", {}).items():
            response = client.post(path, json=found(reference))
            assert response.status_code == 200, response.json
            answers = operations["post"]["responses"]["200"]["content"]["application/json"]
            if name in answers.get("examples", {}):
                assert response.json == found(answers["examples"][name])
                tried += 1
    # Two golden examples, for the latest version, for two by number, and for one by label.
    assert tried == 8


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [
        ({"instances": [{"x": [1, 2], "text": "quiet"}]}, True),
        ({"instances": [{"x": [1, 2], "text": "quiet", "shift": None}]}, True),
        ({"signature_name": "only_y", "instances": [[1, 2]]}, True),
        ({"signature_name": "only_y", "inputs": {"x": [[1, 2]]}}, True),
        ({"inputs": {"x": [[1, 2]], "text": ["loud"]}}, True),
        ({"instances": []}, False),
        ({"instances": [{"x": [1, 2], "text": "quiet"}] * 21}, False),
        ({"instances": [{"x": [1, 200], "text": "quiet"}]}, False),
        ({"instances": [{"x": [1], "text": "quiet"}]}, False),
        ({"instances": [{"x": [1, 2], "text": "shout"}]}, False),
        ({"instances": [{"x": [1, 2]}]}, False),
        ({"instances": [{"x": [1, 2], "text": "quiet", "z": 1}]}, False),
        ({"instances": [[1, 2]]}, False),
        ({"signature_name": "nope", "instances": [[1, 2]]}, False),
    ],
)
def test_the_document_says_what_the_service_takes(
    client: FlaskClient, document: dict[str, Any], value: Any, is_valid: bool
) -> None:
    path = "/v1/models/affine:predict"
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document["components"]})
    assert validator.is_valid(value) is is_valid
    assert (client.post(path, json=value).status_code == 200) is is_valid


def test_units_and_bounds_are_told(document: dict[str, Any]) -> None:
    text = json.dumps(document["components"]["schemas"]["affine.2.predict.request"])
    assert "two numbers In m." in text
    assert '"minimum": -100' in text


def test_it_is_made_anew_when_versions_change(client: FlaskClient, models: Path) -> None:
    first = client.get("/openapi.json").data
    assert client.get("/openapi.json").data == first
    lifecycle = client.application.extensions["lifecycle"]

    def wait_for(versions: list[int]) -> None:
        until = time.monotonic() + 60
        while lifecycle.serving_versions("affine") != versions:
            assert time.monotonic() < until
            time.sleep(0.05)

    try:
        (models / "affine" / "policy.json").write_text('{"serve": {"versions": [1]}}')
        wait_for([1])
        paths = client.get("/openapi.json").json["paths"]
        assert "/v1/models/affine/versions/1:predict" in paths
        assert "/v1/models/affine/versions/2:predict" not in paths
        assert "/v1/models/affine/labels/stable:predict" not in paths
    finally:
        policy = '{"serve": {"latest": 2}, "labels": {"stable": 1}}'
        (models / "affine" / "policy.json").write_text(policy)
        wait_for([1, 2])


def test_the_page_loads_nothing_from_elsewhere_and_trusts_no_text(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.content_type.startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert client.get(path).status_code == 200
    for name in ("page.html", "page.js", "page.css"):
        text = (PAGES / name).read_text()
        assert not re.search(r"https?://", text)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert "<script>" not in page.text
    assert not re.search(r"\son\w+=", page.text)


CHECKS = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.allow_header_conformance,
)


def test_schemathesis_finds_nothing(client: FlaskClient) -> None:
    """Bounded and seeded; not checked is that all data of the schema's form is accepted.

    No schema can say which columns must be of one length, or count a string in bytes.
    """
    schema = schemathesis.openapi.from_wsgi("/openapi.json", client.application)
    modes = schemathesis.GenerationMode
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if "501" in operation.responses.status_codes:
            continue  # It is not supported, whatever is sent: a server error, and meant so.
        # Versions and labels take what their model takes.
        examples = 1 if re.search("/(versions|labels)/", operation.path) else 5
        for mode in (modes.POSITIVE, modes.NEGATIVE) if operation.body else (modes.POSITIVE,):

            @settings(
                max_examples=examples,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: schemathesis.Case) -> None:
                # The test client leaves packed answers packed.
                plain = {"Accept-Encoding": "identity"}
                case.call_and_validate(checks=list(CHECKS), headers=plain)

            check()
        tried += 1
    assert tried > 40
