"""What a mirror does, from what is there and what is here alone."""

from collections.abc import Mapping

import pytest

from service.repository.model_policy import Policy
from service.repository.object_store.bucket import StoredObject
from service.repository.object_store.listing import read_listing
from service.repository.object_store.mirror_plan import (
    RETENTION_S,
    FetchPolicy,
    FetchVersion,
    LocalModel,
    Memory,
    Plan,
    Remove,
    next_actions,
)


def stored(*names: str, mark: str = "a") -> dict[str, StoredObject]:
    return {name: StoredObject(size=1, mark=mark) for name in names}


def whole(*versions: int) -> dict[str, StoredObject]:
    return stored(*(f"m/{v}/{name}" for v in versions for name in ("data", "manifest.json")))


def foreign(mark: str = "a") -> dict[str, StoredObject]:
    return stored("m/1/saved_model.pb", "m/1/variables/x", mark=mark)


def plan(
    objects: Mapping[str, StoredObject],
    local: LocalModel | None = None,
    memory: Memory | None = None,
    now: float = 0.0,
) -> Plan:
    here = {} if local is None else {"m": local}
    return next_actions(read_listing(objects), here, memory or Memory(), now)


def told(made: Plan) -> list[str]:
    """Return a plan's actions in short."""
    words = []
    for action in made.actions:
        match action:
            case FetchPolicy(model):
                words.append(f"policy of {model}")
            case FetchVersion(model, version):
                words.append(f"fetch {model} {version}")
            case Remove(model, name):
                words.append(f"remove {model} {name}")
    return words


def test_what_is_there_comes_the_highest_first_and_the_policy_before_it() -> None:
    made = plan({**whole(1, 2, 10), **stored("m/policy.json")})
    assert told(made) == ["policy of m", "fetch m 10", "fetch m 2", "fetch m 1"]


def test_what_serves_comes_first() -> None:
    pinned = LocalModel(parsed_policy=Policy(versions=(1,)))
    assert told(plan(whole(1, 2, 3), pinned)) == ["fetch m 1", "fetch m 3", "fetch m 2"]


def test_what_the_policy_does_not_keep_does_not_come() -> None:
    keeping = LocalModel(parsed_policy=Policy(keep=2, labels={"old": 1}))
    assert told(plan(whole(1, 2, 3, 4), keeping)) == ["fetch m 4", "fetch m 3", "fetch m 1"]


def test_what_is_here_does_not_come_again_unless_it_was_changed() -> None:
    made = plan(whole(1), LocalModel(versions={"1": "a"}))
    assert (told(made), made.waits) == ([], False)
    assert told(plan(whole(1), LocalModel(versions={"1": "another"}))) == ["fetch m 1"]


def test_a_version_without_a_manifest_comes_when_it_has_not_changed_for_a_look() -> None:
    first = plan(foreign())
    assert (told(first), first.waits) == ([], True)
    changed = plan(foreign("b"), memory=first.memory)
    assert told(changed) == []
    assert told(plan(foreign("b"), memory=changed.memory)) == ["fetch m 1"]


def test_a_version_whose_number_a_publisher_has_taken_waits_for_its_manifest() -> None:
    taken = stored("m/.numbers/1")
    memory = plan({**foreign(), **taken}).memory
    made = plan({**foreign(), **taken}, memory=memory)
    assert (told(made), made.waits) == ([], False)
    made = plan({**foreign(), **taken, **stored("m/1/manifest.json")}, memory=memory)
    assert told(made) == ["fetch m 1"]


def test_what_is_gone_goes_when_every_look_of_a_while_has_missed_it() -> None:
    here = LocalModel(versions={"1": "a", "2": "a"}, policy="a")
    made = plan(whole(2), here, now=100)
    assert told(made) == []
    made = plan(whole(2), here, made.memory, now=100 + RETENTION_S - 1)
    assert told(made) == []
    back = plan(
        {**whole(1, 2), **stored("m/policy.json")}, here, made.memory, now=100 + RETENTION_S
    )
    assert told(plan(whole(2), here, back.memory, now=101 + RETENTION_S)) == []
    made = plan(whole(2), here, made.memory, now=101 + RETENTION_S)
    assert told(made) == ["remove m 1", "remove m policy.json"]


def test_an_hour_without_a_listing_counts_for_nothing() -> None:
    made = plan(whole(2), LocalModel(versions={"1": "a", "2": "a"}), now=3600)
    assert told(made) == []


def test_a_store_that_seems_empty_takes_nothing_away() -> None:
    here = LocalModel(versions={"1": "a"})
    memory = plan(whole(2), here).memory
    for now in (1.0, 1e9):
        made = plan({}, here, memory, now)
        assert told(made) == []
        memory = made.memory
    assert told(plan(whole(2), here, memory, 1e9)) == ["fetch m 2", "remove m 1"]


def test_what_serves_is_removed_if_it_is_gone_and_not_for_being_beyond_what_is_kept() -> None:
    here = LocalModel({"1": "a", "2": "a"}, parsed_policy=Policy(keep=1), serving=frozenset({1}))
    memory = plan(whole(1, 2), here).memory
    assert told(plan(whole(1, 2), here, memory, 1e9)) == []
    memory = plan(whole(2), here).memory
    assert told(plan(whole(2), here, memory, 1e9)) == ["remove m 1"]


def test_what_did_not_come_from_the_store_stays() -> None:
    here = LocalModel(versions={"1": "", "2": "a"})
    memory = plan(whole(2), here).memory
    assert told(plan(whole(2), here, memory, 1e9)) == []


def test_what_came_otherwise_than_its_manifest_says_comes_again_later_or_changed() -> None:
    def asked(now: float, memory: Memory, mark: str = "a") -> list[str]:
        return told(
            plan(stored("m/1/data", "m/1/manifest.json", mark=mark), memory=memory, now=now)
        )

    fingerprint = read_listing(whole(1)).models["m"].versions["1"].fingerprint
    once = plan(whole(1)).memory.refusing(("m", "1"), fingerprint, 0)
    assert (asked(29, once), asked(30, once)) == ([], ["fetch m 1"])
    twice = once.refusing(("m", "1"), fingerprint, 30)
    assert (asked(89, twice), asked(90, twice)) == ([], ["fetch m 1"])
    assert asked(31, twice, "b") == ["fetch m 1"]


@pytest.mark.parametrize(
    "name",
    [
        "m/1/../../x",
        "m//1/x",
        "../1/x",
        ".hidden/1/x",
        "m/1",
        "m/x/y",
        "m/-1/x",
        f"m/{2**63}/x",
        "x",
    ],
)
def test_names_that_mean_nothing_are_left_out(name: str) -> None:
    assert read_listing(stored(name)).models == {}
