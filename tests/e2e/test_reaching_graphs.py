"""A model that would read what the service knows: refused, and if allowed, it finds no secret."""

from pathlib import Path

import requests

from service.repository.model_policy import Policy, write_policy
from tests.e2e.conftest import StartService
from tests.e2e.service_state import all_say, answers
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.reaching import read_file, save_reaching
from tests.waiting import eventually

TOKEN = "Sesam-0123456789"


def test_a_graph_that_reads_the_environment(start_service: StartService, tmp_path: Path) -> None:
    models = tmp_path / "models"
    publish_affine(models)
    save_reaching(models / "reader" / "1", read_file)
    service = start_service(
        models, under=("env",), UNDERSTUDY_ADMIN_TOKEN=TOKEN, UNDERSTUDY_QUIET_S="0"
    )
    eventually(lambda: all_say(service, "reader", "1", "failed", "It runs ReadFile (node "))
    assert answers(service) == {("1", 5.0)}
    for response in (
        service.post("/v1/models/reader:predict", {"instances": ["x"]}),
        service.post("/v1/models/reader/versions/1:predict", {"instances": ["x"]}),
        service.get("/v1/models/reader"),
        service.get("/v1/models/reader/metadata"),
        service.get("/v1/models"),
        service.get("/v2/models/reader"),
    ):
        assert "PATH=" not in response.text
        assert TOKEN not in response.text
    predicted = service.post("/v1/models/reader:predict", {"instances": ["x"]})
    assert predicted.status_code == 503
    assert TOKEN not in service.errors.read_text() + service.output.read_text()

    # Whoever allows it lets it read what the service may, and the token is not among that.
    write_policy(models / "reader", Policy(allow_operations=("ReadFile",)))
    eventually(
        lambda: (
            all_say(service, "reader", "1", "available")
            and service.post("/v1/models/reader:predict", {"instances": ["x"]}).ok
        )
    )
    for _ in range(12):
        told = service.post("/v1/models/reader:predict", {"instances": ["x"]}).text
        assert "PATH=" in told
        assert "Sesam" not in told
        assert "UNDERSTUDY_ADMIN_TOKEN" not in told
    # It is in force all the same.
    path = f"{service.url}/v1/models/reader/policy"
    assert requests.get(path, timeout=60).status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.get(path, headers=bearer, timeout=60).ok
    assert service.stop() == 0
