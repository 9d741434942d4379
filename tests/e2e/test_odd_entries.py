"""Folders of models as they are found: one bad entry fails alone, by name."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from service.repository.folder_walk import remove_tree
from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import publish_affine, save_affine
from tests.service.repository.test_folder_walk import nest
from tests.waiting import eventually


def told(service: Service, path: str) -> int:
    """Count the lines of the log about an entry."""
    shown = path.replace("\\", "\\\\")
    return service.errors.read_text().count(f'"path": "{shown}"')


def reasons(service: Service) -> list[tuple[tuple[str, str], str]]:
    """Return why versions are as they are, by model and version."""
    return [
        ((model["name"], version["version"]), version["reason"])
        for model in service.get("/v1/models").json()["models"]
        for version in model["versions"]
    ]


def test_a_folder_of_models_with_all_kinds_of_things(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The good model serves at once, and each other entry is named once in the log of all workers."""
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    (root / "loop").symlink_to("loop")
    (root / "affine" / "2").symlink_to("2")
    (root / "gone").symlink_to("nowhere")
    (root / "affine" / "v3").mkdir()
    (root / "export").mkdir()
    (root / "export" / "saved_model.pb").touch()
    (root / "model.keras").touch()
    (root / "caf\udce9").mkdir()
    service = start_service(root, UNDERSTUDY_QUIET_S="0")
    listed = service.get("/v1/models").json()
    assert [model["name"] for model in listed["models"]] == ["affine"]
    paths = [item["path"] for item in listed["ignored"]]
    assert paths == [
        "affine/2",
        "affine/v3",
        "caf\\xe9",
        "export",
        "gone",
        "loop",
        "model.keras",
    ]
    # What comes later is told later, so everything before has been told by then.
    late = root / "zzz"
    late.mkdir()
    eventually(lambda: told(service, "zzz") == 1)
    assert {path: told(service, path) for path in paths} == dict.fromkeys(paths, 1)
    assert "Traceback" not in service.errors.read_text()

    # Nor does a worker that replaces another say it all again.
    before = service.workers()
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(service.workers()) == 2 and before[0] not in service.workers())
    (root / "zzz" / "README").touch()
    (root / "zzzz").mkdir()
    eventually(lambda: told(service, "zzzz") == 1)
    assert {path: told(service, path) for path in paths} == dict.fromkeys(paths, 1)


def test_a_bottomless_folder_fails_alone(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It may be there before the start, or come later, and be a version or lie in one."""
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    try:
        nest(root / "early" / "1")
        save_affine(root / "foreign" / "1")
        service = start_service(root, UNDERSTUDY_QUIET_S="0")
        nest(root / "late" / "1")
        nest(root / "affine" / "2")
        save_affine(root / "foreign" / "2")
        nest(root / "foreign" / "2" / "assets")
        bad = {("early", "1"), ("late", "1"), ("affine", "2"), ("foreign", "2")}
        eventually(lambda: {key for key, why in reasons(service) if "deeper than" in why} == bad)
        eventually(lambda: service.get("/v2/models/foreign/versions/1/ready").ok)
        assert service.get("/v2/models/affine/versions/1/ready").ok
        assert "Traceback" not in service.errors.read_text()
    finally:
        for folder in ("early/1", "late/1", "affine/2", "foreign/2"):
            remove_tree(root / folder)


def test_what_this_user_may_not_read_fails_alone(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("only root gives up, by setpriv, what lets it read everything")
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_affine(root, model="locked")
    for version in ("1", "2", "3"):
        save_affine(root / "foreign" / version)
    (root / "locked").chmod(0o000)
    (root / "foreign" / "3").chmod(0o000)
    (root / "foreign" / "2" / "saved_model.pb").chmod(0o000)
    (root / "affine" / "policy.json").write_text("{}")
    (root / "affine" / "policy.json").chmod(0o000)
    lost = "-dac_override,-dac_read_search"
    service = start_service(
        root,
        wait_for="/v2/models/foreign/ready",
        under=(setpriv, f"--bounding-set={lost}", f"--inh-caps={lost}"),
        UNDERSTUDY_QUIET_S="0",
    )
    try:
        listed = service.get("/v1/models").json()
        models = {model["name"]: model for model in listed["models"]}
        assert models["affine"]["version"] == models["foreign"]["version"] == "1"
        assert "Permission denied" in models["affine"]["policy_problem"]
        reasons = {each["version"]: each["reason"] for each in models["foreign"]["versions"]}
        assert reasons["3"] == "Its folder cannot be read: Permission denied."
        assert reasons["2"]
        assert [item["path"] for item in listed["ignored"]] == ["locked"]
        assert "lacks the permission" in listed["ignored"][0]["reason"]
        eventually(lambda: told(service, "locked") == 1)
        # Each is taken as soon as it can be read.
        (root / "locked").chmod(0o755)
        (root / "foreign" / "3").chmod(0o755)
        eventually(lambda: service.get("/v2/models/locked/ready").ok)
        eventually(lambda: service.get("/v2/models/foreign/versions/3/ready").ok)
        assert told(service, "locked") == 1
    finally:
        (root / "locked").chmod(0o755)
        (root / "foreign" / "3").chmod(0o755)


def test_a_replaced_worker_does_not_wait_for_what_the_others_serve(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Since when a version without a manifest lies unchanged, the workers remember together."""
    root: Path = tmp_path_factory.mktemp("models")
    save_affine(root / "foreign" / "1")
    service = start_service(root, wait_for="/v2/models/foreign/ready", UNDERSTUDY_QUIET_S="3")
    (before, _) = workers = service.workers()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: len(service.workers()) == 2 and before not in service.workers())
    (new,) = set(service.workers()) - set(workers)
    eventually(
        lambda: f'"worker": {new}, "message": "Versions serve."' in service.errors.read_text()
    )
    # It was never without a model while it took requests.
    for _ in range(50):
        assert service.get("/v2/models/foreign/ready").status_code == 200
