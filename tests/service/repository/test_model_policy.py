import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.repository.errors import RepositoryError
from service.repository.model_policy import (
    POLICY,
    Policy,
    champion_of_trial,
    read_policy,
    rolled_back,
    rollout_completed,
    rollout_undone,
    write_policy,
)
from service.repository.rollout_policy import Rollout, Stage

_ROLLOUT = '{"rollout": {"id": "r", "champion": 1, "candidate": 2, "stage": "%s", "percent": %s}}'


def test_without_a_file_the_latest_serves(tmp_path: Path) -> None:
    assert read_policy(tmp_path) == Policy(latest=1)
    assert Policy().select([3, 10, 1]) == [10]
    assert Policy().select([]) == []


@pytest.mark.parametrize(
    ("serve", "available", "selected"),
    [
        ({"latest": 2}, [1, 2, 3], [2, 3]),
        ({"latest": 9}, [1, 2], [1, 2]),
        ({"versions": [1, 3]}, [1, 2, 3], [1, 3]),
        ({"versions": [7]}, [1, 2], []),
    ],
)
def test_serve_selects(tmp_path: Path, serve: Any, available: Any, selected: Any) -> None:
    (tmp_path / POLICY).write_text(json.dumps({"serve": serve, "labels": {"stable": 1}}))
    policy = read_policy(tmp_path)
    assert policy.select(available) == selected
    assert policy.labels == {"stable": 1}


@pytest.mark.parametrize(
    ("stage", "available", "selected"),
    [
        ("shadow", [1, 2, 3], [2, 3]),
        ("canary", [1, 2, 3], [2, 3]),
        ("baking", [1, 2, 3], [2, 3]),
        # Nobody would split the requests, and the highest version would answer all of them.
        ("shadow", [1, 3], [1]),
        ("canary", [1, 3], [1]),
        ("baking", [1, 3], [1, 3]),
        ("canary", [1, 2], [2]),
        # Better than none.
        ("canary", [3], [3]),
    ],
)
@pytest.mark.parametrize("versions", [(), (1, 2)])
def test_a_candidate_does_not_stand_in_for_its_champion(
    stage: str, available: list[int], selected: list[int], versions: tuple[int, ...]
) -> None:
    rollout = Rollout("r", 2, 3, Stage(stage), 5)
    policy = Policy(rollout=rollout, versions=versions)
    if versions:
        selected = sorted({*selected, *({1} & {*available})})
    assert policy.select(available) == selected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ('{"serve": {"latest": NaN}}', "not JSON"),
        ("[1]", r"must hold a JSON object, not \[1\]\."),
        ("null", r"must hold a JSON object, not null\."),
        ("3", r"must hold a JSON object, not 3\."),
        ('{"serve": null}', r"serve must be .*, not null\."),
        ('{"serve": {"versions": [1, "2"]}}', r'not {"versions": \[1, "2"\]}\.'),
        ('{"labels": {"two words": true}}', r'not {"two words": true}\.'),
        ('{"keep": "x"}', r'not "x"\.'),
        ('{"unloaded": null}', r"not null\."),
        (f'{{"labels": "{"x" * 100}"}}', r'not "x{56}\.\.\.\.'),
        ('{"server": {}}', "unknown key 'server'"),
        ('{"serve": {"latest": 0}}', "serve must be"),
        ('{"serve": {"latest": true}}', "serve must be"),
        ('{"serve": {"latest": 1, "versions": [1]}}', "serve must be"),
        ('{"serve": {"versions": []}}', "serve must be"),
        ('{"serve": {"versions": ["1"]}}', "serve must be"),
        ('{"serve": "all"}', "serve must be"),
        ('{"labels": {"two words": 1}}', "labels must map"),
        ('{"labels": {"stable": "1"}}', "labels must map"),
        ('{"labels": [1]}', "labels must map"),
        ('{"rows_independent": 1}', "rows_independent must be true, false or an object .* not 1"),
        ('{"rows_independent": {}}', "rows_independent must be"),
        ('{"rows_independent": {"s": null}}', "rows_independent must be"),
        ('{"rows_independent": "yes"}', "rows_independent must be"),
        ('{"unloaded": 1}', "unloaded must be true or false, not 1"),
        ('{"keep": 0}', "keep must be a whole number above 0, not 0"),
        # Larger than any float, with which it is compared.
        (
            _ROLLOUT % ("canary", f"1{'0' * 400}"),
            "rollout.percent must be from 0 to 100 while the stage is canary, not 1000",
        ),
        (
            _ROLLOUT % ("canary", f'5, "rules": {{"step_s": 1{"0" * 400}}}'),
            "rollout.rules.step_s must be a number",
        ),
        # Nobody gets the candidate's answers in the shadow, and everybody while it bakes.
        (_ROLLOUT % ("shadow", 50), "percent must be 0 while the stage is shadow, not 50."),
        (_ROLLOUT % ("baking", 10), "percent must be 100 while the stage is baking, not 10."),
        (_ROLLOUT % ("shadow", '0, "rules": {"percents": []}'), "percents must be one or more"),
    ],
)
def test_anything_else_is_refused_with_a_reason(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / POLICY).write_text(text)
    with pytest.raises(RepositoryError, match=reason):
        read_policy(tmp_path)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        Policy(latest=3),
        Policy(versions=(1, 2), labels={"a": 1}, keep=3),
        Policy(latest=2, unloaded=True),
        Policy(versions=(1,), unloaded=True),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, policy: Policy) -> None:
    write_policy(tmp_path, policy)
    assert read_policy(tmp_path) == policy


def test_rolling_back_pins_the_version_before() -> None:
    labels = {"stable": 1}
    assert rolled_back(Policy(labels=labels), [1, 2, 5]) == Policy(versions=(2,), labels=labels)
    assert rolled_back(Policy(versions=(2,)), [1, 2, 5]) == Policy(versions=(1,))


def test_one_goes_back_from_the_version_that_serves_while_a_trial_waits_for_its_candidate() -> None:
    """As a training leaves it that was killed while it published."""
    waiting = Policy(rollout=Rollout("r", 2, None, Stage.WAITING, 0))
    assert rolled_back(waiting, [1, 2, 3], serving=[2]) == Policy(versions=(1,))
    assert rolled_back(waiting, [2, 3], serving=[2]) == Policy(versions=(2,))
    tried = Policy(rollout=Rollout("r", 2, 3, Stage.CANARY, 5))
    assert rolled_back(tried, [1, 2, 3], serving=[2, 3]) == Policy(versions=(2,))


@pytest.mark.parametrize(
    ("named", "latest", "champion", "candidate", "undone", "completed"),
    [
        ((), 1, 3, 4, (3,), ()),
        ((), 1, 3, 2, (3,), (2,)),
        ((3,), 1, 3, 4, (3,), (4,)),
        # Clients ask for these by number or label, and nothing else of the trial concerns them.
        ((2, 3), 1, 3, 4, (2, 3), (2, 4)),
        ((), 2, 3, 4, (2, 3), ()),
        ((), 2, 4, 2, (3, 4), (2,)),
        ((), 3, 4, 3, (2, 3, 4), (2, 3)),
        # A higher one would answer instead of it.
        ((2, 3), 1, 3, 1, (2, 3), (1,)),
        ((1, 3, 9), 1, 3, 4, (1, 3), (1, 4)),
    ],
)
def test_a_trial_that_ends_leaves_what_served_beside_it(
    named: tuple[int, ...],
    latest: int,
    champion: int,
    candidate: int,
    undone: tuple[int, ...],
    completed: tuple[int, ...],
) -> None:
    trial = Rollout("r", champion, candidate, Stage.BAKING, 100)
    policy = Policy(versions=named, latest=latest, labels={"stable": 2}, rollout=trial)
    available = [1, 2, 3, 4]
    assert rollout_undone(policy, available) == replace(policy, rollout=None, versions=undone)
    assert rolled_back(policy, iter(available)).versions == undone
    assert rollout_completed(policy, available) == replace(policy, rollout=None, versions=completed)


@pytest.mark.parametrize(
    ("policy", "serving", "refused", "champion"),
    [
        (Policy(), [], [], 4),
        (Policy(), [3], [4], 3),
        # It is published, and not loaded yet.
        (Policy(), [3], [], 3),
        (Policy(versions=(3,)), [3], [], 3),
        # After a rollback that no service, or not each, has followed.
        (Policy(versions=(3,)), [4], [], 3),
        (Policy(versions=(3,)), [3, 4], [], 3),
        (Policy(versions=(3,)), [4], [3], 4),
        (Policy(versions=(2, 3)), [2], [], 2),
        (Policy(versions=(9,)), [], [], None),
        (Policy(rollout=Rollout("r", 2, None, Stage.WAITING, 0)), [3], [], 3),
        (Policy(rollout=Rollout("r", 2, None, Stage.WAITING, 0)), [2, 3], [], 2),
    ],
)
def test_who_is_the_champion_of_a_trial(
    policy: Policy, serving: list[int], refused: list[int], champion: int | None
) -> None:
    found = champion_of_trial(policy, [1, 2, 3, 4], serving=serving, refused=refused)
    assert found == champion


@pytest.mark.parametrize(
    ("named", "latest", "refused", "back"),
    [
        ((1, 2, 3), 1, [], (1, 2)),
        ((1, 3), 1, [], (1, 2)),
        ((1, 2, 3), 1, [2], (1,)),
        ((), 3, [], (2, 3)),
        ((), 2, [], (3,)),
        ((), 4, [1], (2, 3)),
    ],
)
def test_who_goes_back_leaves_lower_versions_in_service(
    named: tuple[int, ...], latest: int, refused: list[int], back: tuple[int, ...]
) -> None:
    policy = Policy(versions=named, latest=latest, labels={"stable": 1})
    assert rolled_back(policy, [1, 2, 3, 4][: 3 if named else 4], refused=refused) == replace(
        policy, versions=back
    )


def test_one_goes_back_from_a_version_that_was_refused_though_nothing_serves() -> None:
    pinned = Policy(versions=(3,))
    assert rolled_back(pinned, [1, 2, 3, 4], refused=[3]) == Policy(versions=(2,))
    assert rolled_back(pinned, [1, 2, 3, 4], refused=[2, 3]) == Policy(versions=(1,))
    with pytest.raises(RepositoryError, match="nothing serves"):
        rolled_back(pinned, [3, 4], refused=[3])


@pytest.mark.parametrize(
    ("available", "reason"),
    [([], "nothing serves"), ([4], "version 4 serves")],
)
def test_there_may_be_nothing_to_go_back_to(available: list[int], reason: str) -> None:
    with pytest.raises(RepositoryError, match=reason):
        rolled_back(Policy(), available)


def test_of_an_unloaded_model_nothing_serves_and_what_will_is_kept() -> None:
    policy = Policy(latest=1, labels={"stable": 1}, unloaded=True)
    assert policy.select([1, 2, 3]) == []
    assert policy.in_use([1, 2, 3]) == {1, 3}
    with pytest.raises(RepositoryError, match="nothing serves"):
        rolled_back(policy, [1, 2, 3])


def test_what_is_in_use() -> None:
    assert Policy(labels={"stable": 2}).in_use([1, 2, 3]) == {2, 3}
    assert Policy(versions=(1,)).in_use([1, 2, 3]) == {1}
    assert Policy(versions=(1,)).pinned
    assert not Policy(latest=3).pinned


@pytest.mark.parametrize("declared", [True, False, {"serving_default": True, "other": False}, None])
def test_what_it_says_of_rows_outlives_a_rollback(tmp_path: Path, declared: Any) -> None:
    write_policy(tmp_path, Policy(rows_independent=declared))
    assert read_policy(tmp_path).rows_independent == declared
    write_policy(tmp_path, rolled_back(read_policy(tmp_path), [1, 2]))
    policy = read_policy(tmp_path)
    assert policy.versions == (1,)
    assert policy.rows_independent == declared
