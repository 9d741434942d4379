"""A model that cannot keep up: refusals, deadlines and clients that leave, with real processes."""

import http.client
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.slow import publish_slow
from tests.waiting import eventually

PATH = "/v1/models/slow:predict"
QUEUE = 3
# Some tenths of a second: what is observed meanwhile takes milliseconds.
LONG = {"instances": [300.0]}
# A few seconds, while one thing after the other is observed.
VERY_LONG = {"instances": [15000.0]}
SHORT = {"instances": [1.0]}


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    models = tmp_path_factory.mktemp("models")
    publish_slow(models)
    publish_affine(models)
    return start_service(models, UNDERSTUDY_WORKERS="1", UNDERSTUDY_MAX_QUEUE=str(QUEUE))


def count(service: Service, status: int) -> float:
    """Return how many requests for the model ended so, whether a version was found or not."""
    line = rf'requests_total{{model="slow",status="{status}",version="\d*"}} (\S+)'
    return sum(float(value) for value in re.findall(line, service.get("/metrics").text))


def under_way(service: Service) -> int:
    found = re.search(r"\nunderstudy_requests_in_flight (\S+)", service.get("/metrics").text)
    assert found
    # Without the one that asks.
    return int(float(found[1])) - 1


def connections(service: Service) -> float:
    found = re.findall(r"\nunderstudy_connections{\S+} (\S+)", service.get("/metrics").text)
    return sum(map(float, found))


def test_what_is_too_much_is_refused_and_the_rest_is_answered(service: Service) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: service.post(PATH, LONG), range(20)))
    by_status = {status: [a for a in answers if a.status_code == status] for status in (200, 503)}
    assert len(by_status[200]) + len(by_status[503]) == 20
    assert len(by_status[200]) >= QUEUE
    assert by_status[503]
    for refusal in by_status[503]:
        assert int(refusal.headers["Retry-After"]) >= 1
        assert refusal.json()["code"] == "UNAVAILABLE"
    for answer in by_status[200]:
        assert answer.json() == {"predictions": [300.0]}
    assert service.post(PATH, SHORT).status_code == 200


def test_others_are_served_meanwhile(service: Service) -> None:
    done = threading.Event()

    def saturate() -> None:
        while not done.is_set():
            service.post(PATH, LONG)

    threads = [threading.Thread(target=saturate) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: count(service, 503) > 10)
        for path in ("/livez", "/readyz", "/metrics", "/v1/models", "/v1/models/slow"):
            assert service.get(path).status_code == 200
        other = {"signature_name": "only_y", "instances": [[1, 2]]}
        assert service.post("/v1/models/affine:predict", other).json() == {"predictions": [5.0]}
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_deadline_frees_its_place(service: Service) -> None:
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(service.post, PATH, VERY_LONG)
        eventually(lambda: under_way(service) == 1)
        for _ in range(QUEUE + 2):
            late = service.post(PATH, SHORT, headers={"X-Request-Timeout-Ms": "20"})
            assert late.status_code == 504
            assert late.json()["code"] == "DEADLINE_EXCEEDED"
        assert long.result().status_code == 200


def test_a_client_that_leaves_frees_its_place(service: Service) -> None:
    before = count(service, 499)
    body = json.dumps(SHORT).encode()
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(service.post, PATH, VERY_LONG)
        eventually(lambda: under_way(service) == 1)
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=60)
        connection.request("POST", PATH, body)
        eventually(lambda: under_way(service) == 2)
        connection.close()
        eventually(lambda: count(service, 499) == before + 1)
        assert not long.done()
        assert long.result().status_code == 200


def test_a_client_that_trickles_its_body_holds_no_place(service: Service) -> None:
    body = json.dumps(SHORT).encode()
    tricklers = []
    for _ in range(QUEUE + 2):
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=60)
        connection.putrequest("POST", PATH)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:5])
        tricklers.append(connection)
    eventually(lambda: connections(service) >= len(tricklers))
    assert under_way(service) == 0
    assert requests.post(service.url + PATH, json=SHORT, timeout=60).status_code == 200
    for connection in tricklers:
        connection.send(body[5:])
        assert connection.getresponse().status == 200
        connection.close()
