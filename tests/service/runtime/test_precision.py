"""A version is served in the precision that its card states, where the processor has it."""

from pathlib import Path

import numpy as np
import pytest

from service.repository import precision
from service.repository.precision import Precision, why_not_here
from tests.savedmodels.saving import publish
from tests.savedmodels.wide import Wide, save_wide, some_rows, wide_card
from tests.service.conftest import MakeApp
from tests.waiting import eventually

needs_bf16 = pytest.mark.skipif(
    bool(why_not_here(Precision.BF16)), reason=why_not_here(Precision.BF16)
)


def largest_error(client) -> float:
    rows = some_rows()
    answer = client.post("/v1/models/wide:predict", json={"instances": rows.tolist()})
    assert answer.status_code == 200, answer.json
    return float(np.abs(np.array(answer.json["predictions"]) - Wide().exactly(rows)).max())


def served(make_app: MakeApp):
    app = make_app()
    eventually(lambda: app.extensions["lifecycle"].serves("wide"))
    return app.test_client()


def told(client) -> dict[str, str]:
    (model,) = client.get("/v1/models").json["models"]
    return model["precision"]


@needs_bf16
def test_what_the_card_states_is_used_and_told(tmp_path: Path, make_app: MakeApp) -> None:
    publish(tmp_path / "models", wide_card(Precision.BF16), save_wide)
    client = served(make_app)
    assert told(client) == {"stated": "bf16", "used": "bf16", "reason": ""}
    metrics = client.get("/metrics").text
    assert 'understudy_precision{model="wide",precision="bf16",version="1"} 1.0' in metrics
    # Sums of 512 products, each rounded to 8 bits: about 0.1. In float32 some 1e-5.
    assert 1e-3 < largest_error(client) < 1


def test_float32_is_used_where_the_processor_has_nothing_else(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "none")
    publish(tmp_path / "models", wide_card(Precision.BF16), save_wide)
    client = served(make_app)
    assert told(client)["stated"] == "bf16"
    assert told(client)["used"] == "float32"
    assert "no instructions for bfloat16" in told(client)["reason"]
    metrics = client.get("/metrics").text
    assert 'understudy_precision{model="wide",precision="float32",version="1"} 1.0' in metrics
    assert largest_error(client) < 1e-3


def test_float32_is_what_a_card_states_without_a_word(tmp_path: Path, make_app: MakeApp) -> None:
    publish(tmp_path / "models", wide_card(Precision.FLOAT32), save_wide)
    client = served(make_app)
    assert told(client) == {"stated": "float32", "used": "float32", "reason": ""}
    assert largest_error(client) < 1e-3
