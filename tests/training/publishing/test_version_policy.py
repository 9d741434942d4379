import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from service.repository.manifest import verify_manifest
from service.repository.model_policy import Policy, read_policy, write_policy
from service.repository.model_store import Store
from service.repository.rollout_policy import RolloutRules
from tests.stores import store_of_three
from training.errors import TrainingError, UsageError
from training.publishing import saved_model_export, version_policy
from training.publishing.live_version import find_live_version
from understudy.cli import main


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_three(tmp_path / "models")


def run(store: Store, *arguments: str) -> int:
    return main([*arguments, "--out", str(store.root)])


def policy(store: Store) -> Policy:
    return read_policy(store.root / "m")


def test_versions_and_labels_are_chosen(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "--versions",
        "2",
        "1",
        "--label",
        "stable=1",
        "--label",
        "canary=2",
        "--keep",
        "5",
    ]
    assert run(store, "serve-policy", "m", *arguments) == 0
    assert policy(store) == Policy(versions=(1, 2), labels={"stable": 1, "canary": 2}, keep=5)
    assert "m: versions 1, 2 serve (pinned); canary is 2; stable is 1" in capsys.readouterr().out

    assert (
        run(store, "serve-policy", "m", "--latest", "1", "--label", "canary=", "--keep", "0") == 0
    )
    assert policy(store) == Policy(labels={"stable": 1})
    assert "m: version 3 serves; stable is 1" in capsys.readouterr().out


def test_rolling_back_pins_the_version_before(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(store, "rollback", "m") == 0
    assert policy(store) == Policy(versions=(2,))
    assert run(store, "rollback", "m") == 0
    assert policy(store) == Policy(versions=(1,))
    assert run(store, "rollback", "m") == 1
    assert "There is no earlier version to go back to; version 1 serves." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["serve-policy", "x"], "There is no model 'x'"),
        (["serve-policy", "m", "--versions", "9"], "m has no version 9"),
        (["serve-policy", "m", "--label", "stable=9"], "m has no version 9"),
        (["serve-policy", "m", "--label", "stable"], "--label must be NAME=VERSION or NAME=, not"),
        (
            ["serve-policy", "m", "--label", "stable=1", "--label", "stable=2"],
            "--label says twice which version 'stable' is.",
        ),
        (["serve-policy", "m", "--label", "two words=1"], "labels must map names"),
        (["serve-policy", "m", "--latest", "0"], "--latest must be a whole number of at least 1"),
        (["serve-policy", "m", "--keep", "-1"], "keep must be a whole number"),
        (["serve-policy", "m", "--latest", "1", "--versions", "1"], "exclude each other"),
        (["serve-policy", "m", "3"], "Which versions serve is an option: --versions 3"),
        (["rollback", "x"], "There is no model 'x'"),
    ],
)
def test_what_is_no_policy_changes_nothing(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert run(store, *arguments) == 2
    assert reason in capsys.readouterr().err
    assert policy(store) == Policy()


def test_a_pinned_model_says_that_the_new_version_waits(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run(store, "rollback", "m")
    version_policy.after_publishing(store, "m", before=set())
    assert "Serving is pinned to version 2: the new one waits." in capsys.readouterr().out


def test_an_unloaded_model_says_so_until_a_choice_loads_it(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    write_policy(store.root / "m", Policy(unloaded=True))
    version_policy.after_publishing(store, "m", before=set())
    assert "The model is unloaded: the new version does not serve." in capsys.readouterr().out
    assert run(store, "serve-policy", "m", "--label", "stable=1") == 0
    assert "m: nothing serves (unloaded); stable is 1" in capsys.readouterr().out
    for choice in (["--latest", "1"], ["--versions", "3"]):
        write_policy(store.root / "m", Policy(unloaded=True))
        assert run(store, "serve-policy", "m", *choice) == 0
        assert "m: version 3 serves" in capsys.readouterr().out


def test_versions_beyond_those_kept_are_removed_but_none_in_use(store: Store) -> None:
    run(store, "serve-policy", "m", "--keep", "1", "--label", "stable=1")
    for number in range(3, 6):
        store.publish("m", lambda folder, n=number: (folder / "data").write_text(str(n)) and None)
    version_policy.after_publishing(store, "m", before={4})
    assert list(store.versions("m")) == [1, 4, 6]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_gives_one_clear_error_and_leaves_no_version(
    small_disk: Path, tmp_path: Path
) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    for folder, size in ((small, 1000), (large, 1_000_000)):
        (folder / "variables").mkdir(parents=True)
        (folder / "variables" / "data").write_bytes(b"x" * size)
    assert saved_model_export.publish(small, small_disk, "m") == 1
    with pytest.raises(TrainingError, match=r"^Nothing was published: .*No space left on device"):
        saved_model_export.publish(large, small_disk, "m")
    assert [path.name for path in (small_disk / "m").iterdir()] == ["1"]
    verify_manifest(small_disk / "m" / "1")
    assert saved_model_export.publish(small, small_disk, "m") == 2


def test_a_policy_file_keeps_what_is_not_changed(store: Store) -> None:
    (store.root / "m" / "policy.json").write_text('{"labels": {"stable": 1}, "keep": 4}')
    run(store, "rollback", "m")
    assert json.loads((store.root / "m" / "policy.json").read_text()) == {
        "serve": {"versions": [2]},
        "labels": {"stable": 1},
        "keep": 4,
    }


def test_a_version_is_put_on_trial_and_ends_by_what_people_say(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(store, "serve-policy", "m", "--versions", "2") == 0
    assert run(store, "serve-policy", "m", "--rollout", "3") == 0
    assert "m: version 2 serves; version 3 is on trial (shadow)" in capsys.readouterr().out
    before = policy(store)
    assert before.select([1, 2, 3]) == [2, 3]
    live = find_live_version(store.root, "m")
    assert live is not None
    # A candidate has not replaced it yet, for the gates and for what is trained from.
    assert live.version == 2
    for arguments, reason in (
        (["--rollout", "1"], "A rollout of version 3 is under way"),
        (["--rollout", "9"], "m has no version 9"),
        (["--rollout", "1", "--latest", "1"], "--rollout goes with no other option but"),
        (["--latest", "1", "--rollout-rules", "{}"], "--rollout-rules goes with --rollout."),
        (["--rollout", "1", "--rollout-rules", "{"], "it is not JSON: "),
        (
            ["--rollout", "1", "--rollout-rules", '{"step_s": -1}'],
            "rules.step_s must be a number from 0",
        ),
        (["--rollout", "1", "--rollout-rules", '{"steps": 1}'], "unknown key 'steps'"),
    ):
        assert run(store, "serve-policy", "m", *arguments) != 0
        assert reason in capsys.readouterr().err
    assert policy(store) == before
    assert run(store, "serve-policy", "m", "--keep", "1") == 0
    assert policy(store).rollout == before.rollout
    assert run(store, "rollback", "m") == 0
    assert policy(store) == Policy(versions=(2,), keep=1)
    assert run(store, "serve-policy", "m", "--rollout", "2") == 1
    assert "Version 2 serves already" in capsys.readouterr().err
    rules = '{"step_s": 60, "percents": [5, 50]}'
    assert run(store, "serve-policy", "m", "--rollout", "3", "--rollout-rules", rules) == 0
    on_trial = policy(store).rollout
    assert on_trial is not None
    assert (on_trial.rules.step_s, on_trial.rules.percents) == (60, (5, 50))


def test_a_version_is_published_on_trial_and_serves_nobody_before(store: Store) -> None:
    publish = partial(store.publish, "m", lambda folder: (folder / "data").write_text("4") and None)
    with version_policy.published_on_trial(store.root, "m", RolloutRules()) as begin:
        number = publish()
        # A service that looks at this moment goes on with what it has.
        assert policy(store).select(store.versions("m")) == [3]
        begin(number)
    rollout = policy(store).rollout
    assert rollout is not None
    assert (rollout.champion, rollout.candidate, str(rollout.stage)) == (3, 4, "shadow")
    with pytest.raises(UsageError, match="version 4 of m is on trial"):
        version_policy.check_no_rollout(store.root, "m")


def test_a_version_says_that_it_waits_behind_the_trial_of_another_training(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A training that was killed leaves a trial without a version, and any training may see one."""
    with version_policy.published_on_trial(store.root, "m", RolloutRules()):
        assert run(store, "serve-policy", "m", "--keep", "9") == 0
        assert "m: version 3 serves; a trial waits for the version" in capsys.readouterr().out
        store.publish("m", lambda folder: (folder / "data").write_text("4") and None)
        version_policy.after_publishing(store, "m", before=set())
        told = capsys.readouterr().out
        assert "A trial waits for the version of another training: the new one waits." in told
        assert policy(store).select(store.versions("m")) == [3]
        assert run(store, *told.split("understudy ")[1].split()) == 0
        assert "version 3 serves; version 4 is on trial (shadow)" in capsys.readouterr().out


def test_a_rollback_while_a_version_is_published_on_trial_stays(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """To upload a large version takes minutes, in which the one that serves may be found bad."""
    with version_policy.published_on_trial(store.root, "m", RolloutRules()) as begin:
        number = store.publish("m", lambda folder: (folder / "data").write_text("4") and None)
        assert run(store, "serve-policy", "m", "--versions", "2") == 0
        begin(number)
    assert policy(store) == Policy(versions=(2,))
    told = capsys.readouterr().out
    assert "The trial was ended by hand before version 4 was there." in told
    assert run(store, *told.split("To try it out: understudy ")[1].split()) == 0
    rollout = policy(store).rollout
    assert rollout is not None
    assert (rollout.champion, rollout.candidate) == (2, 4)


def test_a_publication_that_fails_leaves_the_trial_of_another_training(store: Store) -> None:
    first = version_policy.published_on_trial(store.root, "m", RolloutRules())
    first.__enter__()
    with version_policy.published_on_trial(store.root, "m", RolloutRules()) as begin:
        failure = TrainingError("The disk is full.")
        assert not first.__exit__(TrainingError, failure, None)
        number = store.publish("m", lambda folder: (folder / "data").write_text("4") and None)
        assert policy(store).select(store.versions("m")) == [3]
        begin(number)
    assert policy(store).select(store.versions("m")) == [3, 4]


def test_a_publication_that_fails_leaves_no_rollout(store: Store, tmp_path: Path) -> None:
    with (
        pytest.raises(TrainingError),
        version_policy.published_on_trial(store.root, "m", RolloutRules()),
    ):
        raise TrainingError("The disk is full.")
    assert policy(store) == Policy()
    # The first version of a model has nothing to be tried against.
    (tmp_path / "empty" / "m").mkdir(parents=True)
    with version_policy.published_on_trial(tmp_path / "empty", "m", RolloutRules()) as begin:
        begin(1)
    assert read_policy(tmp_path / "empty" / "m") == Policy()
