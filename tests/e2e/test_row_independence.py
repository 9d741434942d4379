"""Real clients at the same time, on a model whose rows depend on one another."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests

from tests.e2e.conftest import Service, StartService
from tests.savedmodels.mixing import save_mixing

CLIENTS, REQUESTS = 8, 60
PATH = "/v1/models/mixing:predict"


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    models = tmp_path_factory.mktemp("models")
    save_mixing(models / "mixing" / "1")
    return start_service(models, UNDERSTUDY_WORKERS="1", UNDERSTUDY_QUIET_S="0")


def wrong_answers(service: Service, signature: str) -> int:
    """Return how many of many clients' answers are not those of their own values alone."""

    def client(seed: int) -> int:
        random = np.random.default_rng(seed)
        wrong = 0
        with requests.Session() as session:
            for _ in range(REQUESTS):
                x = random.uniform(1, 2, random.integers(1, 5)).astype(np.float32)
                want = {"serving_default": x / x.sum(), "running": x.cumsum(), "twice": 2 * x}
                body = {"signature_name": signature, "inputs": x.tolist()}
                answer = session.post(f"{service.url}{PATH}", json=body, timeout=60)
                assert answer.status_code == 200, answer.text
                got = np.array(answer.json()["outputs"])
                wrong += not np.allclose(got, want[signature], rtol=1e-4)
        return wrong

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(client, range(CLIENTS)))


@pytest.mark.parametrize("signature", ["serving_default", "running", "twice"])
def test_no_answer_holds_values_of_other_clients(service: Service, signature: str) -> None:
    assert wrong_answers(service, signature) == 0


def test_a_large_request_is_answered_as_a_whole(service: Service) -> None:
    shares = service.post(PATH, {"inputs": [1.0] * 65}).json()["outputs"]
    assert sum(shares) == pytest.approx(1.0, rel=1e-4)
    totals = service.post(PATH, {"signature_name": "running", "inputs": [1.0] * 100}).json()
    assert totals["outputs"][-1] == 100.0
    twice = service.post(PATH, {"signature_name": "twice", "inputs": [1.0] * 1000}).json()
    assert twice["outputs"] == [2.0] * 1000


def test_the_list_of_models_says_which_and_why(service: Service) -> None:
    (model,) = service.get("/v1/models").json()["models"]
    told = {name: each["batching"] for name, each in model["signatures"].items()}
    assert told["twice"]["rows_independent"] is True
    assert told["twice"]["source"] == "graph"
    assert told["serving_default"]["rows_independent"] is False
    assert "Operation Sum reduces over the rows." in told["serving_default"]["reason"]
    assert "Operation Cumsum runs along the rows." in told["running"]["reason"]
