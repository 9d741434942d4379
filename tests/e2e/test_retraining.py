"""The loop against a real service: it answers, is told what was true, and serves what learned it."""

from pathlib import Path
from typing import Any

import pytest

from service.repository.model_card import read_card
from tests.e2e.conftest import StartService
from tests.owndata import CAR_HEADER, cars, write_csv
from tests.waiting import eventually
from understudy import cli

TRAINING = ["mpg", "--data", "cars.csv", "--out", "models", "--arch", "tutorial", "--epochs", "20"]
QUICK = [*TRAINING, "--learning-rate", "0.01"]
# Their truths come later.
ASKED = {f"order-{number}": row for number, row in enumerate(cars(280)[120:])}


def inputs_of(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a made car as a client sends it."""
    named = dict(zip(CAR_HEADER, row, strict=True))
    return {
        name: value if name == "origin" else float(value) if value not in ("", "?") else None
        for name, value in named.items()
        if name not in ("name", "mpg")
    }


def test_what_clients_said_is_learned_judged_and_served(
    start_service: StartService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*arguments: str) -> int:
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(tmp_path)
            return cli.main([*arguments])

    write_csv(tmp_path / "cars.csv", CAR_HEADER, cars(120))
    assert train("train", *QUICK) == 0
    store = tmp_path / "events.db"
    service = start_service(
        tmp_path / "models", UNDERSTUDY_EVENTS=str(store), UNDERSTUDY_EVENTS_RATE="1"
    )
    for name, row in ASKED.items():
        body = {"instances": [inputs_of(row)]}
        response = service.post("/v1/models/mpg:predict", body, headers={"X-Request-Id": name})
        assert response.ok, response.text
    true = {name: float(row[CAR_HEADER.index("mpg")]) for name, row in ASKED.items()}

    def send(source: str, names: list[str]) -> dict[str, Any]:
        items = [{"id": name, "truth": true[name], "source": source} for name in names]
        response = service.post("/v1/models/mpg:feedback", {"feedback": items})
        assert response.ok, response.text
        return dict(response.json())

    def audits() -> list[str]:
        response = service.get("/v1/models/mpg/audits?count=80")
        return [audit["id"] for audit in response.json()["audits"]]

    eventually(lambda: not send("user", list(ASKED))["not_sampled"])
    handed = audits()
    assert len(handed) == 80
    assert send("audit", handed)["stored"] == 80

    # The service writes into the store meanwhile.
    assert train("retrain", *QUICK, "--feedback", "--store", str(store)) == 0
    card = read_card(tmp_path / "models" / "mpg" / "2")
    assert card is not None
    told = card.data["feedback"]
    assert told["truths"] == {"user": 160, "audit": 80}
    assert (told["held_for_gate"], told["unfit"], told["contradictory"]) == (80, 0, 0)
    assert told["learned_of"]["audit"] == 0
    assert told["learned"] + told["reserved"] + told["over_limit"] == 80
    (gate,) = [each for each in card.training["gates"]["outcomes"] if each["gate"] == "audits"]
    assert gate["figures"]["audits"] == 80

    def answering() -> str:
        response = service.post(
            "/v1/models/mpg:predict", {"instances": [inputs_of(ASKED["order-0"])]}
        )
        return str(response.headers["X-Model-Version"])

    eventually(lambda: answering() == "2")
