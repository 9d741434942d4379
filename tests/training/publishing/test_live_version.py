"""What really serves is what the trainer goes by, whatever the policy wishes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.repository.model_card import read_card
from service.repository.model_policy import Policy, read_policy, write_policy
from service.repository.model_store import Store
from service.repository.rollout_policy import RolloutRules
from service.repository.serving_records import (
    FOLDER,
    ModelRecord,
    Refused,
    version_digest,
    write_record,
)
from service.repository.serving_status import reality
from tests.lifecycles import Start, starting
from tests.stores import store_of_three
from tests.waiting import eventually
from training.publishing.live_version import find_live_version
from training.publishing.version_policy import published_on_trial
from understudy import cli

TRAIN = ["train", "toy", "--data", "data", "--out", "models"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path / "models") as serve:
        yield serve


def test_a_refused_version_is_neither_compared_with_nor_begun_with_nor_counted(
    toy: Path, serve: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(toy / "models")
    for seed in ("1", "2"):
        assert cli.main([*TRAIN, "--seed", seed]) == 0
    shutil.copytree(toy / "models" / "toy" / "2", toy / "3")
    (toy / "3" / "fingerprint.pb").unlink()
    (toy / "3").rename(toy / "models" / "toy" / "3")
    lifecycle = serve()
    eventually(lambda: set(reality(store, "toy").serving) == {2})
    eventually(lambda: set(reality(store, "toy").refused) == {3})

    capsys.readouterr()
    assert cli.main(["list", "--out", "models"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:4] == ["toy", "1", "default", "accuracy"]
    assert lines[2][:4] == ["toy", "2", "yes", "default"]
    assert lines[3][:4] == ["toy", "3", "refused", "default"]
    assert " ".join(lines[4]) == (
        "toy version 3 was refused: fingerprint.pb is in the manifest but not on disk."
    )

    # Another policy file than the trainer's own way to write it: that is wished for, no more.
    write_policy(toy / "models" / "toy", Policy(keep=1))
    assert cli.main([*TRAIN, "--seed", "3", "--init-from", "live"]) == 0
    told = capsys.readouterr().out
    assert "live is version 2 (it serves)" in told
    assert "starting from version 2" in told
    assert "comparing it with live version 2 (it serves)" in told
    assert "removed version 1, beyond the 1 that are kept\n" in told
    assert "removed version 3, beyond the 1 that are kept, and was refused\n" in told
    assert list(store.versions("toy")) == [2, 4]
    card = read_card(store.versions("toy")[4])
    assert card is not None
    assert card.training["gates"]["live_version"] == 2
    assert card.training["init_from"] == 2
    eventually(lambda: lifecycle.serving_versions("toy") == [4])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_three(tmp_path / "models")


def tell(store: Store, *serving: int, refused: int | None = None, ended: bool = False) -> None:
    folders = store.versions("m")
    digests = {v: version_digest(folders[v]) if v in folders else "" for v in serving}
    bad = {}
    if refused is not None:
        bad[refused] = Refused(version_digest(folders[refused]), "It is bad.", "now")
    about = {"ended_at": "now"} if ended else {}
    write_record(store.root / FOLDER / "a.json", {"m": ModelRecord(digests, {}, bad)}, about)


@pytest.mark.parametrize("candidate", [1, 3])
def test_a_trial_right_after_a_rollback_is_against_the_version_that_came_back(
    store: Store, candidate: int
) -> None:
    tell(store, 3)
    assert cli.main(["rollback", "m", "--out", str(store.root)]) == 0
    trial = ["serve-policy", "m", "--rollout", str(candidate), "--out", str(store.root)]
    assert cli.main(trial) == 0
    rollout = read_policy(store.root / "m").rollout
    assert rollout is not None
    assert (rollout.champion, rollout.candidate) == (2, candidate)


def test_a_version_that_is_published_right_after_a_rollback_is_tried_against_what_came_back(
    store: Store,
) -> None:
    tell(store, 3)
    assert cli.main(["rollback", "m", "--out", str(store.root)]) == 0
    with published_on_trial(store.root, "m", RolloutRules()) as begin:
        begin(3)
    rollout = read_policy(store.root / "m").rollout
    assert rollout is not None
    assert (rollout.champion, rollout.candidate) == (2, 3)


def test_rolling_back_goes_to_the_version_before_the_one_that_really_serves(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(store, 2, refused=3)
    assert cli.main(["rollback", "m", "--out", str(store.root)]) == 0
    assert read_policy(store.root / "m") == Policy(versions=(1,))
    assert "No service" not in capsys.readouterr().out
    # The service has not followed yet; a second rollback is no first one again.
    assert cli.main(["rollback", "m", "--out", str(store.root)]) == 1
    assert "There is no earlier version to go back to; version 1 serves." in capsys.readouterr().err


def test_rolling_back_while_a_newer_version_is_loading(store: Store) -> None:
    tell(store, 2)
    assert cli.main(["rollback", "m", "--out", str(store.root)]) == 0
    assert read_policy(store.root / "m") == Policy(versions=(1,))


def test_rolling_back_leaves_out_what_was_refused(store: Store) -> None:
    tell(store, 3, refused=2)
    assert cli.main(["rollback", "m", "--out", str(store.root)]) == 0
    assert read_policy(store.root / "m") == Policy(versions=(1,))


def test_without_a_service_the_policy_decides_and_that_is_said(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["rollback", "m", "--out", str(store.root)]) == 0
    assert read_policy(store.root / "m") == Policy(versions=(2,))
    assert (
        "No running service reports what it serves of m: going back from what the policy asks for."
        in (capsys.readouterr().out)
    )


@pytest.mark.parametrize(
    ("told", "version", "how"),
    [
        ({}, 3, "by the policy: no running service reports what it serves of m"),
        ({"serving": (2,)}, 2, "it serves"),
        ({"serving": (1, 2), "refused": 3}, 2, "it serves"),
        ({"serving": (), "refused": 3}, 2, "by the policy: the service that runs serves none yet"),
        (
            {"serving": (2,), "refused": 3, "ended": True},
            2,
            "by the policy: no running service reports what it serves of m",
        ),
        (
            {"serving": (9,)},
            3,
            "by the policy: the folder of version 9, which serves, is gone",
        ),
    ],
)
def test_the_live_version_and_how_it_is_known(
    store: Store, told: dict[str, object], version: int, how: str
) -> None:
    if told:
        tell(
            store,
            *told["serving"],  # type: ignore[misc]
            refused=told.get("refused"),  # type: ignore[arg-type]
            ended=bool(told.get("ended")),
        )
    incumbent = find_live_version(store.root, "m")
    assert incumbent is not None
    assert (incumbent.version, incumbent.how) == (version, how)


def test_a_version_that_was_changed_since_it_was_loaded_is_told(store: Store) -> None:
    tell(store, 2)
    (store.root / "m" / "2" / "data").write_text("other")
    incumbent = find_live_version(store.root, "m")
    assert incumbent is not None
    assert incumbent.how == "it serves, but its files were changed since it was loaded"


@pytest.mark.parametrize(
    ("versions", "refused", "keep", "spare", "left"),
    [
        (4, (3,), 1, {2}, [2, 4]),
        (4, (3,), 2, set(), [2, 3, 4]),
        (4, (4,), 1, set(), [3, 4]),
        (4, (3, 4), 1, set(), [2, 3, 4]),
        (4, (1,), 2, set(), [3, 4]),
        (2, (2,), 3, set(), [1, 2]),
        (3, (1, 2, 3), 1, set(), [1, 2, 3]),
    ],
)
def test_what_is_refused_does_not_count_among_what_is_kept(
    tmp_path: Path,
    versions: int,
    refused: tuple[int, ...],
    keep: int,
    spare: set[int],
    left: list[int],
) -> None:
    store = Store(tmp_path)
    for _ in range(versions):
        store.publish("m", lambda folder: (folder / "data").write_text("x") and None)
    store.prune("m", keep, spare, refused)
    assert list(store.versions("m")) == left
