"""What the policy asks for serves, and what it does not ask for says so."""

import json
from pathlib import Path

import pytest

from service.errors import NotFoundError
from service.repository.model_policy import POLICY
from service.repository.model_store import Store
from service.repository.rollout_policy import Rollout, Stage
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State
from tests.lifecycles import Start, live, look_some_times, states
from tests.savedmodels.affine import publish_affine, save_affine
from tests.savedmodels.mixing import declare_mixing, save_mixing
from tests.waiting import eventually


def test_versions_that_the_policy_does_not_ask_for_do_not_wait_for_ever(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    def reason(lifecycle: Lifecycle, version: int) -> str:
        (found,) = (i for i in lifecycle.status("foreign") if i.version == version)
        return found.reason

    for version in range(3):
        save_affine(tmp_path / "foreign" / str(version))
    lifecycle = make_lifecycle(quiet_s=1.0)
    unasked = {0: State.END, 1: State.END, 2: State.AVAILABLE}
    eventually(lambda: states(lifecycle, "foreign") == unasked)
    assert (
        reason(lifecycle, 0)
        == reason(lifecycle, 1)
        == "The policy asks for only the newest version."
    )
    policy = tmp_path / "foreign" / POLICY

    policy.write_text('{"serve": {"versions": [1]}}')
    eventually(
        lambda: states(lifecycle, "foreign") == {**unasked, 1: State.AVAILABLE, 2: State.END}
    )
    said = "The policy asks for other versions: 1."
    eventually(lambda: reason(lifecycle, 0) == said)

    policy.write_text('{"unloaded": true}')
    said_unloaded = "The policy keeps the model unloaded."
    eventually(lambda: reason(lifecycle, 0) == said_unloaded)


def test_a_version_that_waits_for_its_files_says_so_until_another_is_asked_for(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    publish_affine(tmp_path)
    (tmp_path / "affine" / "7").mkdir()
    lifecycle = make_lifecycle()
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE, 7: State.DISCOVERED})
    (tmp_path / "affine" / POLICY).write_text('{"serve": {"versions": [1]}}')
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE, 7: State.END})
    (tmp_path / "affine" / POLICY).write_text('{"serve": {"latest": 1}}')
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE, 7: State.DISCOVERED})
    assert "waits for" in next(i.reason for i in lifecycle.status("affine") if i.version == 7)


def test_a_policy_that_names_a_signature_which_is_not_there_says_so(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    publish_affine(tmp_path)
    policy = tmp_path / "affine" / POLICY
    policy.write_text('{"rows_independent": {"nope": false, "serving_default": true}}')
    lifecycle = make_lifecycle()
    assert live(lifecycle) == 1
    problem = lifecycle.policy_problem("affine")
    assert problem.startswith('policy.json: rows_independent names the signature "nope", which no')
    assert "serving_default" in problem
    policy.write_text('{"rows_independent": {"serving_default": true}}')
    eventually(lambda: lifecycle.policy_problem("affine") == "")


def test_a_policy_that_names_an_output_which_is_not_there_says_so(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    publish_affine(tmp_path)
    policy = tmp_path / "affine" / POLICY
    events = {"rate": 0.1, "unsure": {"output": "sure", "between": [0, 0.6], "rate": 1}}
    policy.write_text(json.dumps({"events": events}))
    lifecycle = make_lifecycle()
    assert live(lifecycle) == 1
    problem = lifecycle.policy_problem("affine")
    assert problem.startswith('policy.json: events.unsure.output is "sure", but no version that')
    known = problem.rpartition("there are: ")[2].rstrip(".").split(", ")
    policy.write_text(
        json.dumps({"events": {**events, "unsure": {**events["unsure"], "output": known[0]}}})
    )
    eventually(lambda: lifecycle.policy_problem("affine") == "")


def test_policies_choose_versions_and_labels(tmp_path: Path, make_lifecycle: Start) -> None:
    for bias in (0.0, 1.0, 2.0):
        publish_affine(tmp_path, bias=bias)
    lifecycle = make_lifecycle()

    def set_policy(policy: object) -> None:
        (tmp_path / "affine" / POLICY).write_text(json.dumps(policy))

    set_policy({"serve": {"versions": [1, 2]}, "labels": {"stable": 1, "canary": 2, "lost": 3}})
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE, 2: State.AVAILABLE, 3: State.END})
    assert live(lifecycle) == 2
    assert lifecycle.labels("affine") == {"stable": 1, "canary": 2}
    with lifecycle.lease("affine", label="stable") as servable:
        assert servable.version == 1
    with pytest.raises(NotFoundError, match=r"no label 'lost'; its labels: canary, stable\."):
        lifecycle.lease("affine", label="lost").__enter__()

    (tmp_path / "affine" / POLICY).write_text("nonsense")
    eventually(lambda: lifecycle.policy_problem("affine") != "")
    assert live(lifecycle) == 2

    set_policy({"serve": {"versions": [9]}})
    eventually(lambda: lifecycle.policy_problem("affine") == "")
    look_some_times(lifecycle)
    assert live(lifecycle) == 2

    set_policy({"serve": {"latest": 1}})
    eventually(lambda: states(lifecycle)[3] is State.AVAILABLE and live(lifecycle) == 3)


def test_a_service_that_starts_with_an_unloaded_model_leaves_it_so(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, model="other")
    (tmp_path / "affine" / POLICY).write_text('{"unloaded": true}')
    lifecycle = make_lifecycle()
    assert (lifecycle.serves("affine"), lifecycle.serves("other")) == (False, True)
    assert lifecycle.all_ready
    assert lifecycle.unloaded("affine")


def test_no_label_is_told_of_a_version_that_does_not_serve(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path)
    (tmp_path / "affine" / "2" / "saved_model.pb").unlink()
    (tmp_path / "affine" / POLICY).write_text(
        '{"serve": {"versions": [1, 2]}, "labels": {"stable": 1, "canary": 2}}'
    )
    lifecycle = make_lifecycle()
    eventually(lambda: lifecycle.serves("affine"))
    assert lifecycle.labels("affine") == {"stable": 1}


def test_whether_versions_refuse_alike_follows_the_policy(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    """Their cards differ in whether rows are independent, and so in whether inputs need as many."""
    for holds in (False, True):

        def fill(directory: Path, holds: bool = holds) -> None:
            save_mixing(directory)
            declare_mixing(directory, twice=holds)

        Store(tmp_path).publish("mixing", fill)
    rollout = Rollout("a", 1, 2, Stage.CANARY, 50.0).to_json()
    policy = {"serve": {"versions": [1]}, "rollout": rollout}
    path = tmp_path / "mixing" / POLICY
    path.write_text(json.dumps(policy | {"rows_independent": True}))
    lifecycle = make_lifecycle()

    def refuse_alike() -> bool | None:
        trial = lifecycle.trial("mixing")
        return None if trial is None else trial.refuse_alike

    eventually(lambda: refuse_alike() is True)
    trial = lifecycle.trial("mixing")
    path.write_text(json.dumps(policy))
    eventually(lambda: refuse_alike() is False)
    path.write_text(json.dumps(policy | {"rows_independent": False}))
    eventually(lambda: refuse_alike() is True)
    # It goes on, with what it has counted.
    assert lifecycle.trial("mixing") is trial
