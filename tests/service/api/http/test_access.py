"""Who may ask: keys, hosts and origins, on the loop and by Flask's routes, and under attack."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.access.key_file import Right
from service.api.http.route_access import ADMIN, EVENTS, OPEN, PREDICTIONS
from tests.e2e.conftest import eventually
from tests.savedmodels.affine import publish_affine
from tests.service.access.keys import add_key, remove_key
from tests.service.api.routes.test_routes import assert_error
from tests.service.conftest import served

PREDICT = "/v1/models/affine:predict"
BODY = json.dumps({"signature_name": "only_y", "instances": [[1, 2]]})
INFER = json.dumps(
    {
        "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}],
        "parameters": {"signature": "only_y"},
    }
)


@dataclass
class Guarded:
    """A service with keys, and those that were given out."""

    client: FlaskClient
    file: Path
    root: Path
    every: str
    affine: str
    other: str

    def ask(self, headers: Any = (), path: str = PREDICT, body: Any = BODY) -> TestResponse:
        return self.client.post(
            path, data=body, headers=[("Content-Type", "application/json"), *dict(headers).items()]
        )


@pytest.fixture(scope="module", params=["loop", "flask"])
def guarded(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Guarded]:
    root, file = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("keys") / "keys.json"
    publish_affine(root)
    keys = (add_key(file, "every"), add_key(file, "affine", "affine"), add_key(file, "b", "other"))
    settings = {"keys_file": file, "poll_interval_s": 0.1, "max_body_bytes": 100_000}
    settings["access_log"] = True
    settings |= {"events": str(file.with_name("events.db")), "events_rate": 0.5}
    with served(root, request.param, **settings) as client:
        yield Guarded(client, file, root, *keys)
        client.application.extensions["events"].writer.stop(10)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def shown(response: TestResponse) -> tuple[int, bytes, dict[str, str]]:
    """Return all that a client sees of an answer, but for its own id."""
    headers = {name: value for name, value in response.headers if name != "X-Request-Id"}
    return response.status_code, response.data, headers


def test_a_key_opens_its_models(guarded: Guarded) -> None:
    for headers in (
        bearer(guarded.affine),
        {"Authorization": f"bearer   {guarded.affine} "},
        {"X-API-Key": guarded.affine},
        # A proxy's own.
        {"X-API-Key": guarded.affine, "Authorization": "Basic cHJveHk6eA=="},
        bearer(guarded.every),
    ):
        assert guarded.ask(headers).json == {"predictions": [5.0]}


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        (PREDICT, "application/json", BODY),
        (PREDICT, "text/csv", "x\n1\n"),
        (PREDICT, "application/octet-stream", b"\x93NUMPY"),
        ("/v1/models/affine/versions/1:predict", "application/json", BODY),
        ("/v1/models/affine/labels/stable:predict", "application/json", BODY),
        ("/v1/models/affine:classify", "application/json", '{"examples": []}'),
        ("/v1/models/affine:regress", "application/json", '{"examples": []}'),
        ("/v2/models/affine/infer", "application/json", INFER),
        ("/v2/models/affine/versions/1/infer", "application/json", INFER),
        ("/v1/models/%61ffine:predict", "application/json", BODY),
        ("/v1/models/m%C3%BCll:predict", "application/json", BODY),
    ],
)  # fmt: skip
def test_without_a_key_nothing_is_predicted_in_any_format(
    guarded: Guarded, path: str, content_type: str, body: Any
) -> None:
    response = guarded.client.post(path, data=body, content_type=content_type)
    assert_error(response, 401, "UNAUTHENTICATED")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json["error"].startswith("Expected an API key")
    refused = guarded.client.post(
        path, data=body, content_type=content_type, headers=bearer(guarded.other)
    )
    assert_error(refused, 401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "path",
    [
        "//v1/models/affine:predict",
        "/v1//models/affine:predict",
        "/v1/models/affine:predict/",
        "/v1/models/affine/versions/01:predict",
        "/v1/models/affine:Predict",
        "/v1/models/affine%3Apredict",
        "/v1/models/../models/affine:predict",
        "/x/../v1/models/affine:predict",
        "/v2/models/affine/infer/",
        "/livez/../v1/models/affine:predict",
    ],
)
def test_no_odd_path_leads_past_the_keys(guarded: Guarded, path: str) -> None:
    assert guarded.ask(path=path).status_code in (401, 404, 405, 308)


def test_an_unknown_key_and_a_wrong_model_look_the_same(guarded: Guarded) -> None:
    """Nobody learns by trying which keys there are, nor which models."""
    missing = "/v1/models/nowhere:predict"
    answers = [
        guarded.ask(bearer("usk_" + "a" * 43)),
        guarded.ask(bearer(guarded.other)),
        guarded.ask(bearer("usk_" + "a" * 43), missing),
        guarded.ask(bearer(guarded.affine), missing),
        guarded.ask(bearer("a"), missing),
    ]
    assert len({str(shown(answer)) for answer in answers}) == 1
    assert_error(answers[0], 401, "UNAUTHENTICATED")
    # Who may ask all models is told which there are.
    assert_error(guarded.ask(bearer(guarded.every), missing), 404, "NOT_FOUND")


def test_nothing_but_the_whole_key_in_its_header_is_taken(guarded: Guarded) -> None:
    key = guarded.affine
    for value in (
        key,
        f"Basic {key}",
        f"Bearer{key}",
        f"Bearer\t{key}",
        f"Bearer {key[:-1]}",
        f"Bearer {key}x",
        f"Bearer {key} {key}",
        f"Bearer {key},Bearer {key}",
        f"Bearer {key},",
        f'Bearer "{key}"',
        f"Bearer {key.upper()}",
        f"Bearer {key}\xe9",
        f"Bearer {'a' * 60_000}",
        f"Bearer {key}{' ' * 300}x",
        "Bearer",
        "Bearer ",
        "",
        " ",
    ):
        assert guarded.ask({"Authorization": value}).status_code == 401, value
        assert guarded.ask(
            {"X-API-Key": f"{value} " if value.strip() == key else value}
        ).status_code == (200 if value == key else 401)
    # The wrong one of two is not made good by the other.
    assert guarded.ask({"X-API-Key": "x", **bearer(key)}).status_code == 401


@pytest.mark.parametrize("name", ["api_key", "apikey", "key", "access_token", "x-api-key", "token"])
def test_a_key_in_the_address_is_not_taken(guarded: Guarded, name: str) -> None:
    response = guarded.ask(path=f"{PREDICT}?{name}={guarded.every}")
    assert_error(response, 401, "UNAUTHENTICATED")
    assert guarded.every not in response.text
    body = {"instances": [[1, 2]], name: guarded.every}
    assert guarded.ask(body=json.dumps(body)).status_code == 401


def test_the_key_is_checked_before_the_body(guarded: Guarded) -> None:
    too_large = b" " * 200_000
    for body in (b"", b"{", b"\xff", too_large):
        assert guarded.ask(body=body).status_code == 401
    assert guarded.ask(bearer(guarded.every), body=too_large).status_code == 413


def test_a_key_that_is_added_or_removed_counts_at_once(guarded: Guarded) -> None:
    key = add_key(guarded.file, "new", "affine")
    eventually(lambda: guarded.ask(bearer(key)).status_code == 200)
    remove_key(guarded.file, "new")
    eventually(lambda: guarded.ask(bearer(key)).status_code == 401)


def test_a_key_has_a_rate(guarded: Guarded) -> None:
    slow = add_key(guarded.file, "slow", requests_per_s=0.001, burst=3)
    eventually(lambda: guarded.ask(bearer(slow)).status_code == 200)
    assert [guarded.ask(bearer(slow)).status_code for _ in range(3)] == [200, 200, 429]
    response = guarded.ask(bearer(slow))
    assert_error(response, 429, "RESOURCE_EXHAUSTED")
    assert 900 < int(response.headers["Retry-After"]) <= 1000
    assert guarded.ask(bearer(guarded.every)).status_code == 200
    counts = guarded.client.get("/metrics").text
    assert 'understudy_key_requests_total{key="slow",result="ok"} 3.0' in counts
    assert 'understudy_key_requests_total{key="slow",result="limited"} 2.0' in counts
    assert 'understudy_key_requests_total{key="",result="missing"}' in counts
    assert "usk_" not in counts
    remove_key(guarded.file, "slow")


def test_log_lines_name_the_key(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "understudy")
    answers = [
        guarded.ask(bearer(guarded.affine)),
        guarded.ask(bearer(guarded.affine), body="{"),
        # A path that is left to Flask.
        guarded.ask(bearer(guarded.affine), path="/v1/models/%61ffine:predict"),
        guarded.client.get("/v1/models"),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 200]
    fields = {
        record.fields["request_id"]: record.fields  # type: ignore[attr-defined]
        for record in caplog.records
        if "request_id" in getattr(record, "fields", {})
    }
    lines = [fields[answer.headers["X-Request-Id"]] for answer in answers]
    assert [line.get("key") for line in lines] == ["affine", "affine", "affine", None]


def test_who_may_predict_reads_no_audits_and_answers_none(guarded: Guarded) -> None:
    labels = add_key(guarded.file, "labels", "affine", may=frozenset({Right.AUDIT}))
    audits, feedback = "/v1/models/affine/audits", "/v1/models/affine:feedback"

    def told(key: str, source: str) -> TestResponse:
        truth = {"id": "unknown", "truth": 1.0, "source": source}
        return guarded.ask(bearer(key), feedback, json.dumps({"feedback": [truth]}))

    eventually(lambda: guarded.client.get(audits, headers=bearer(labels)).status_code == 200)
    refused = guarded.client.get(audits, headers=bearer(guarded.affine))
    assert_error(refused, 401, "UNAUTHENTICATED")
    # Nobody learns from the answer that it is a key.
    assert shown(refused) == shown(guarded.client.get(audits, headers=bearer("usk_unknown")))
    assert_error(told(guarded.affine, "audit"), 401, "UNAUTHENTICATED")
    # What it is about is not stored.
    assert_error(told(labels, "audit"), 404, "NOT_FOUND")
    assert_error(told(guarded.affine, "user"), 404, "NOT_FOUND")
    assert_error(guarded.ask(bearer(labels)), 401, "UNAUTHENTICATED")
    remove_key(guarded.file, "labels")


def test_reading_needs_no_key_unless_that_is_asked_for(guarded: Guarded) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/v1/models", "/v1/models/affine", "/v2", "/"):
        assert guarded.client.get(path).status_code == 200


def test_every_route_is_guarded_or_known_to_be_open(guarded: Guarded) -> None:
    """A new route that predicts must be on the list."""
    urls = guarded.client.application.url_map
    endpoints = {rule.endpoint for rule in urls.iter_rules()}
    assert endpoints >= PREDICTIONS | EVENTS.keys() | OPEN | ADMIN
    asked = set()
    for rule in urls.iter_rules():
        _, path = rule.build(
            {"model": "affine", "version": 1, "label": "a", "region": "r", "file": "f"}
        )  # type: ignore[misc]
        if "POST" in rule.methods and rule.endpoint.endswith(
            ("predict", "classify", "regress", "infer")
        ):
            assert rule.endpoint in PREDICTIONS
        if rule.endpoint in PREDICTIONS | EVENTS.keys():
            method = min(rule.methods & {"GET", "POST"})
            assert guarded.client.open(path, method=method, data="{}").status_code == 401
            asked.add(rule.endpoint)
    assert asked == PREDICTIONS | EVENTS.keys()


@pytest.fixture(scope="module")
def all_guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Everything needs a key, from a known host, and pages of one other origin may ask."""
    root, file = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("keys") / "keys.json"
    publish_affine(root)
    keys = (add_key(file, "every"), add_key(file, "affine", "affine"), add_key(file, "b", "other"))
    with served(
        root,
        "loop",
        keys_file=file,
        keys_for_reads=True,
        allowed_hosts=("localhost", "*.models.example"),
        cors_origins=("https://page.example",),
        admin_token="sesame",
    ) as client:
        yield Guarded(client, file, root, *keys)


def test_reading_needs_a_key_where_that_is_asked_for(all_guarded: Guarded) -> None:
    client = all_guarded.client
    for rule in client.application.url_map.iter_rules():
        _, path = rule.build(
            {"model": "affine", "version": 1, "label": "a", "region": "r", "file": "f"}
        )  # type: ignore[misc]
        method = min(rule.methods & {"GET", "POST", "PUT"})
        status = client.open(path, method=method).status_code
        if rule.endpoint in OPEN:
            assert status in (200, 404), rule
        else:
            # Those of the admin ask for their own token.
            assert status == 401, rule
    assert "affine" not in client.get("/").text
    assert "affine" not in client.get("/", headers={"Accept": "text/html"}).text


def test_a_key_reads_of_its_own_models_alone(all_guarded: Guarded) -> None:
    def status(path: str, key: str) -> int:
        return all_guarded.client.get(path, headers=bearer(key)).status_code

    assert status("/v1/models/affine", all_guarded.affine) == 200
    assert status("/v2/models/affine", all_guarded.affine) == 200
    assert status("/v1/models/affine", all_guarded.other) == 401
    for path in ("/v1/models", "/metrics", "/openapi.json", "/ui/overview", "/v2/models/stats"):
        assert status(path, all_guarded.affine) == 401
        assert status(path, all_guarded.every) == 200
    policy = "/v1/models/affine/policy"
    assert status(policy, all_guarded.every) == 401
    assert status(policy, "sesame") == 200
    assert status("/v1/models", "sesame") == 401
    for path in ("/v1/models/affine:rollout", "/v2/repository/models/affine/load"):
        answers = [
            all_guarded.client.post(path, json=[], headers=bearer(secret)).status_code
            for secret in (all_guarded.every, "sesame")
        ]
        assert answers == [401, 400], path


def test_a_key_of_a_model_that_is_not_there_learns_of_no_other(all_guarded: Guarded) -> None:
    key = bearer(all_guarded.other)
    answers = [
        all_guarded.ask(key, path="/v1/models/other:predict"),
        all_guarded.ask(key, path="/v2/models/other/infer"),
        all_guarded.ask(key, path="/v1/models/other:explain"),
        all_guarded.client.get("/v1/models/other", headers=key),
        all_guarded.client.get("/v2/models/other/ready", headers=key),
    ]
    for answer in answers:
        assert answer.status_code == 404
        assert "There is no model 'other'." in answer.json["error"]
        assert "affine" not in answer.text


def test_a_rebound_name_is_not_answered(all_guarded: Guarded) -> None:
    key = bearer(all_guarded.every)
    for host, expected in (
        ("localhost:8501", 200),
        ("eu.models.example", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1:8501", 421),
    ):
        for headers in (key, {**key, "X-Forwarded-Host": "localhost"}):
            assert all_guarded.ask({"Host": host, **headers}).status_code == expected
            read = all_guarded.client.get("/v1/models", headers={"Host": host, **headers})
            assert read.status_code == expected
            page = all_guarded.client.get("/", headers={"Host": host})
            assert page.status_code == expected
        # Probes come to the address of a container.
        assert all_guarded.client.get("/livez", headers={"Host": host}).status_code == 200
    assert_error(all_guarded.ask({"Host": "evil.example"}), 421, "MISDIRECTED_REQUEST")


def test_a_page_of_an_origin_on_the_list_may_ask(all_guarded: Guarded) -> None:
    asks = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    for path in (PREDICT, "/v2/models/affine/infer", "/v1/models"):
        allowed = all_guarded.client.options(path, headers=asks)
        assert (allowed.status_code, allowed.data) == (204, b"")
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert "X-API-Key" in allowed.headers["Access-Control-Allow-Headers"]
    origin = {"Origin": "https://page.example"}
    # Also a refusal can be read, so that the page can say what is wrong.
    for headers in (origin, {**origin, **bearer(all_guarded.every)}):
        for answer in (
            all_guarded.ask(headers),
            all_guarded.client.get("/v1/models", headers={**headers, "Accept-Encoding": "gzip"}),
        ):
            assert answer.headers.getlist("Access-Control-Allow-Origin") == ["https://page.example"]
            assert "Origin" in answer.headers["Vary"]
    root = all_guarded.client.get("/", headers=origin)
    assert sorted(root.headers["Vary"].split(", ")) == ["Accept", "Origin"]


def test_a_page_of_another_origin_reads_nothing(all_guarded: Guarded) -> None:
    for origin in ("https://evil.example", "null", "https://page.example.evil.example"):
        answers = [
            all_guarded.ask({"Origin": origin, **bearer(all_guarded.every)}),
            all_guarded.client.get("/livez", headers={"Origin": origin}),
            all_guarded.client.options(
                PREDICT, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
            ),
        ]
        for answer in answers:
            assert not any(name.startswith("Access-Control") for name, _ in answer.headers)
            assert answer.headers["Vary"] == "Origin"
