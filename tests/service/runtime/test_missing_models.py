"""A worker that starts while files of models are away, beside one that serves from memory."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.api.routes.health import require_ready
from service.errors import NotFoundError, UnavailableError
from service.runtime.lifecycle import Lifecycle
from tests.lifecycles import Start, starting
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually


@pytest.fixture
def store(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    publish_affine(models)
    return models


@pytest.fixture
def begin(tmp_path: Path, store: Path) -> Iterator[Start]:
    """Return a function that starts a worker's lifecycle and waits until it has settled."""
    with starting(store, workers_folder=tmp_path / "workers") as begin:
        yield begin


def serves(lifecycle: Lifecycle, model: str = "affine") -> bool:
    try:
        lifecycle.acquire(model).release()
    except (NotFoundError, UnavailableError):
        return False
    return True


@pytest.mark.parametrize("how", ["gone", "empty", "a file", "a broken link"])
def test_what_the_others_serve_is_unavailable_and_not_unknown(
    tmp_path: Path, store: Path, begin: Start, how: str
) -> None:
    first = begin()
    away = tmp_path / "away"
    store.rename(away)
    match how:
        case "empty":
            store.mkdir()
        case "a file":
            store.write_text("")
        case "a broken link":
            store.symlink_to(tmp_path / "nowhere")
    second = begin()
    assert serves(first)
    with pytest.raises(UnavailableError, match=r"'affine' cannot be loaded by this worker") as told:
        second.acquire("affine")
    assert told.value.status == 503
    assert told.value.headers["Retry-After"] == "1"
    assert "The folder of models: It" in told.value.message
    with pytest.raises(UnavailableError, match=r"serves yet\. The folder of models: It"):
        require_ready(second)
    # Both say what is wrong with the folder, whichever is asked.
    eventually(lambda: "." in {item.path for item in first.ignored()})
    assert {item.path for item in second.ignored()} == {".", "affine"}

    if store.is_dir():
        # A worker whose heart beats meanwhile has written its record there.
        shutil.rmtree(store)
    else:
        store.unlink(missing_ok=True)
    away.rename(store)
    eventually(lambda: serves(second))
    assert serves(first)
    eventually(lambda: not first.ignored() and not second.ignored())


def test_all_workers_were_replaced_meanwhile(store: Path, tmp_path: Path, begin: Start) -> None:
    first = begin()
    store.rename(tmp_path / "away")
    store.mkdir()
    first.stop()
    second = begin()
    with pytest.raises(UnavailableError, match="It holds no models any more"):
        second.acquire("affine")
    # What nobody has served is not there.
    with pytest.raises(NotFoundError):
        second.acquire("other")


def test_nothing_is_known_of_a_folder_that_cannot_be_read(store: Path, begin: Start) -> None:
    shutil.rmtree(store)
    lifecycle = begin()
    with pytest.raises(UnavailableError, match="Whether there is a model 'affine' is not known"):
        lifecycle.require("affine")
    publish_affine(store)
    eventually(lambda: serves(lifecycle))
    with pytest.raises(NotFoundError):
        lifecycle.require("other")


def test_a_model_that_was_removed_is_there_while_a_worker_serves_it(
    store: Path, begin: Start
) -> None:
    publish_affine(store, model="other")
    first = begin()
    shutil.rmtree(store / "affine")
    second = begin()
    assert serves(second, "other")
    with pytest.raises(UnavailableError, match="other workers serve it from memory"):
        second.acquire("affine")
    first.stop()

    def is_unknown() -> bool:
        try:
            second.require("affine")
        except NotFoundError:
            return True
        except UnavailableError:
            return False
        return False

    eventually(is_unknown)


def test_a_model_whose_folder_cannot_be_read_is_unavailable(
    store: Path, tmp_path: Path, begin: Start
) -> None:
    publish_affine(store, model="other")
    first = begin()
    (store / "affine").rename(tmp_path / "away")
    first.stop()
    second = begin()
    assert not second.store_problem
    with pytest.raises(NotFoundError):
        second.require("affine")
    (store / "affine").symlink_to(store / "affine")
    eventually(lambda: any("link to itself" in item.reason for item in second.ignored()))
    with pytest.raises(UnavailableError, match="link to itself"):
        second.require("affine")


def test_an_unloaded_model_that_is_removed_is_unknown(store: Path, begin: Start) -> None:
    publish_affine(store, model="other")
    first = begin()
    (store / "affine" / "policy.json").write_text('{"unloaded": true}')
    eventually(lambda: not serves(first))
    shutil.rmtree(store / "affine")
    second = begin()
    with pytest.raises(NotFoundError):
        second.require("affine")
