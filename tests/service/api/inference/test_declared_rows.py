"""What cards and policies say of rows, from the store to the answers and to GET /v1/models."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from service.repository.model_store import Store
from service.repository.row_independence import Proof
from service.runtime import servable as servables
from service.runtime.servable import Servable
from tests.savedmodels.mixing import declare_mixing, save_mixing
from tests.service.conftest import served
from tests.waiting import eventually

Serve = Callable[..., AbstractContextManager[FlaskClient]]
# How many rows the model was asked about, call by call.
CALLS: list[int] = []


@pytest.fixture(params=["loop", "flask"])
def serve(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Serve]:
    """Serve the models in ``tmp_path``, in batches of four rows at most."""
    predict = Servable.predict

    def noted(servable: Servable, signature: Any, inputs: Mapping[str, Any]) -> Any:
        CALLS.append(next(iter(inputs.values())).shape[0])
        return predict(servable, signature, inputs)

    # Before there are queues, which keep the method that they call.
    monkeypatch.setattr(Servable, "predict", noted)
    return partial(served, tmp_path, request.param, max_batch_rows=4, poll_interval_s=0.05)


def told(client: FlaskClient) -> dict[str, dict[str, Any]]:
    (model,) = client.get("/v1/models").json["models"]
    return {name: each["batching"] for name, each in model["signatures"].items()}


def verdict(client: FlaskClient, signature: str) -> tuple[bool, str]:
    batching = told(client)[signature]
    return batching["rows_independent"], batching["source"]


def ask(client: FlaskClient, signature: str, values: list[float]) -> list[float]:
    body = {"signature_name": signature, "inputs": values}
    response = client.post("/v1/models/mixing:predict", json=body)
    assert response.status_code == 200, response.json
    return list(response.json["outputs"])


def calls(client: FlaskClient, signature: str, rows: int) -> list[int]:
    """Return how many rows each call had that a request of so many rows took."""
    CALLS.clear()
    ask(client, signature, [1.0] * rows)
    return list(CALLS)


def publish(root: Path, **declared: bool) -> None:
    """Publish a version as the trainer does, with a card that may lie."""

    def fill(directory: Path) -> None:
        save_mixing(directory)
        declare_mixing(directory, **declared)

    Store(root).publish("mixing", fill)


def check_running(client: FlaskClient) -> None:
    """Check that sums that run along the rows are right, of long requests and of many clients."""
    assert ask(client, "running", [1.0] * 100) == list(range(1, 101))

    def request(seed: int) -> None:
        values = np.random.default_rng(seed).integers(1, 9, size=1 + seed % 3)
        assert ask(client, "running", values.tolist()) == values.cumsum().tolist()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(request, range(80)))


def test_a_card_that_lies_is_found_out_when_its_version_is_loaded(
    tmp_path: Path, serve: Serve
) -> None:
    publish(tmp_path, running=True, twice=True)
    with serve() as client:
        assert verdict(client, "running") == (False, "check")
        reason = "Tried out, rows sent together get a different 'total' than alone."
        assert told(client)["running"]["reason"] == reason
        assert verdict(client, "twice") == (True, "card")
        assert calls(client, "twice", 9) == [4, 4, 1]
        check_running(client)


def test_a_proof_that_is_wrong_is_found_out_when_the_version_is_loaded(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the analysis ever have a gap, the model itself is asked."""
    save_mixing(tmp_path / "mixing" / "1")
    wrong = Proof(True, "All operations keep rows apart.")
    monkeypatch.setattr(
        servables, "prove_independence", lambda _: dict.fromkeys(("running", "twice"), wrong)
    )
    with serve() as client:
        assert verdict(client, "running") == (False, "check")
        assert verdict(client, "twice") == (True, "graph")
        check_running(client)


def test_a_card_may_deny(tmp_path: Path, serve: Serve) -> None:
    publish(tmp_path, twice=False)
    with serve() as client:
        assert verdict(client, "twice") == (False, "card")
        assert calls(client, "twice", 9) == [9]


def write(root: Path, text: str | None) -> None:
    """Put a policy.json beside the versions, whole at once; ``None`` takes it away."""
    path = root / "mixing" / "policy.json"
    if text is None:
        path.unlink()
        return
    new = root / "new.json"
    new.write_text(text)
    new.rename(path)


def test_a_policy_declares_and_denies_from_the_start(tmp_path: Path, serve: Serve) -> None:
    save_mixing(tmp_path / "mixing" / "1")
    write(tmp_path, '{"rows_independent": {"twice": false, "running": true}}')
    with serve() as client:
        assert verdict(client, "twice") == (False, "policy")
        assert told(client)["twice"]["reason"] == "policy.json says so."
        assert calls(client, "twice", 9) == [9]
        assert verdict(client, "running") == (True, "policy")
        # In parts of four rows, as the policy wants it.
        assert ask(client, "running", [1.0] * 5) == [1.0, 2.0, 3.0, 4.0, 1.0]
        assert verdict(client, "product") == (True, "graph")


def test_a_policy_is_followed_while_the_version_serves(tmp_path: Path, serve: Serve) -> None:
    save_mixing(tmp_path / "mixing" / "1")
    with serve() as client:
        assert verdict(client, "twice") == (True, "graph")
        assert calls(client, "twice", 9) == [4, 4, 1]

        write(tmp_path, '{"rows_independent": {"twice": false, "running": true}}')
        eventually(lambda: verdict(client, "twice") == (False, "policy"))
        assert calls(client, "twice", 9) == [9]
        assert verdict(client, "running") == (True, "policy")
        assert calls(client, "running", 9) == [4, 4, 1]

        write(tmp_path, '{"rows_independent": false}')
        eventually(lambda: {each["source"] for each in told(client).values()} == {"policy"})
        assert verdict(client, "product") == (False, "policy")

        # What is no policy changes nothing; the last one stays in force.
        write(tmp_path, '{"rows_independent": "no"}')
        eventually(lambda: bool(client.get("/v1/models").json["models"][0]["policy_problem"]))
        assert verdict(client, "twice") == (False, "policy")

        write(tmp_path, None)
        eventually(lambda: verdict(client, "twice") == (True, "graph"))
        assert calls(client, "twice", 9) == [4, 4, 1]
        assert verdict(client, "running") == (False, "graph")
        check_running(client)


def test_a_policy_counts_before_what_the_check_shows(tmp_path: Path, serve: Serve) -> None:
    publish(tmp_path, running=True)
    write(tmp_path, '{"rows_independent": {"running": true}}')
    with serve() as client:
        assert verdict(client, "running") == (True, "policy")
        assert told(client)["running"]["reason"] == (
            "policy.json says so, but rows sent together get a different 'total' than alone."
        )
        write(tmp_path, None)
        eventually(lambda: verdict(client, "running") == (False, "check"))
        check_running(client)
