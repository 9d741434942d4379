"""Several replicas and one rollout: with one database, or with nothing but a bucket in common."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.events.database import Database
from service.events.event_store_location import open_database
from service.repository.errors import RepositoryError
from service.repository.json_files import object_text
from service.repository.model_policy import POLICY, Policy, begin_rollout, read_policy, write_policy
from service.repository.object_store.bucket import Bucket
from service.repository.object_store.origin import mark_as_mirror
from service.repository.rollout_policy import RolloutRules
from service.rollout.assessment import StageEvidence
from service.rollout.deciding_replica import LEASE_S, DecidingReplica
from service.rollout.replica_counts import WRITE_S, ReplicaCounts
from service.rollout.rollout_controller import RolloutController
from service.rollout.rollout_record import Records, read_rollout_record
from service.rollout.rollout_tables import RolloutTables
from service.rollout.shadow import ShadowCounts
from service.runtime.arm_counts import ArmCounts, RequestOutcome, summed, units_from_json
from service.runtime.traffic_split import TrafficSplit, split_of
from tests.object_stores import BUCKET, KEYS, s3_of_moto
from tests.service.events.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]

RULES = RolloutRules(
    percents=(50.0,),
    step_s=0,
    bake_s=0,
    min_requests=200,
    shadow_batches=0,
    error_margin=0.5,
    slow_margin=1.0,
)
NO_SHADOW = ShadowCounts()
ReadCounts = Callable[[TrafficSplit], StageEvidence]


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    location = str(tmp_path / "events.db")
    if request.param == "postgresql":
        location = request.getfixturevalue("postgres_url")
    database = open_database(location)
    yield database
    if request.param == "postgresql":
        with database.transaction() as run:
            run.change("DROP TABLE understudy_rollouts, understudy_rollout_counts", {})
    database.close()


def counted(requests: int, *, failures: int = 0, keys: range = range(0)) -> dict[str, Any]:
    """Return what a worker counts: so many requests of each arm, and one with each key."""
    counts = ArmCounts()
    for number in range(requests):
        for is_candidate in (False, True):
            failed = is_candidate and number < failures
            outcome = RequestOutcome.FAILED if failed else RequestOutcome.ANSWERED
            counts.note(outcome, is_candidate=is_candidate, key=None)
    for key in keys:
        counts.note(RequestOutcome.ANSWERED, is_candidate=True, key=key)
    return counts.to_json()


def begin(root: Path) -> TrafficSplit:
    """Begin a rollout in a folder, and return its first split."""
    root.mkdir(exist_ok=True)
    policy = begin_rollout(Policy(), 3, 4, RULES)
    write_policy(root, policy)
    split = split_of(policy.rollout, (3, 4))
    assert split is not None
    return split


def controller(root: Path, read: ReadCounts, records: Records | None = None) -> RolloutController:
    return RolloutController(
        "m",
        root,
        read,
        run="shared",
        versions=lambda: {3, 4},
        refusal=lambda version: "",
        records=records,
    )


def seen_with(failures: int) -> ReadCounts:
    """Return what reads more requests each time, of which a candidate failed so many."""
    looks = 0

    def read(split: TrafficSplit) -> StageEvidence:
        nonlocal looks
        looks += 1
        arms = summed([units_from_json(counted(looks * 200, failures=failures))])
        return StageEvidence(split.stage, split.percent, arms, NO_SHADOW)

    return read


def decisions(root: Path) -> list[str]:
    record = read_rollout_record(root)
    assert record is not None
    return [each["decision"] for each in record.decisions]


def test_what_all_replicas_have_counted_counts_together(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    split = begin(tmp_path / "m")
    counts = ReplicaCounts(RolloutTables(database), clock=clock)
    one, other = (counts.of_this_worker("m", split) for _ in range(2))
    one.write(counted(60, keys=range(10)), ShadowCounts(batches=2))
    other.write(counted(50, failures=3, keys=range(5, 20)), ShadowCounts(batches=3))
    found = counts.read("m", split)
    # A key that both have seen is one unit.
    assert found.arms.candidate.units == 60 + 50 + 20
    assert (found.arms.champion.units, found.arms.candidate.failures) == (110, 3)
    assert found.shadow.batches == 5
    # Not with every look, but what comes last is not lost.
    one.write(counted(70), NO_SHADOW)
    assert counts.read("m", split).arms.champion.units == 110
    one.write(counted(80), NO_SHADOW, is_last=True)
    assert counts.read("m", split).arms.champion.units == 130
    clock.now += WRITE_S
    other.write(counted(90), NO_SHADOW)
    assert counts.read("m", split).arms.champion.units == 170
    assert counts.read("another", split).arms.champion.units == 0
    counts.forget("m", split.rollout)
    assert counts.read("m", split).arms.champion.units == 170
    counts.forget("m", "the next")
    assert counts.read("m", split).arms.champion.units == 0


def test_what_replicas_of_an_earlier_version_have_counted_counts_as_well(
    database: Database, tmp_path: Path
) -> None:
    """In a rolling update; else the failures that their clients see would count for nothing."""
    split = begin(tmp_path / "m")
    tables = RolloutTables(database)
    counts = ReplicaCounts(tables)
    counts.of_this_worker("m", split).write(counted(60), ShadowCounts(batches=2, timed=2))
    arm = {"units": 50, "failures": 3, "bins": {"95": 50}}
    earlier = {
        "arms": {"champion": arm, "candidate": arm, "keys": "", "units": ""},
        "shadow": {"batches": 4, "lost": 1, "timed": 3, "slower": 3},
    }
    text = json.dumps(split.to_json(), sort_keys=True)
    row = ("earlier", "m", split.rollout, text, json.dumps(earlier))
    columns = ("worker", "model", "rollout", "split", "counts")
    with tables.transaction() as run:
        run.insert_new("understudy_rollout_counts", columns, [row])
    found = counts.read("m", split)
    assert (found.arms.candidate.units, found.arms.candidate.failures) == (110, 3)
    assert found.shadow == ShadowCounts(batches=6, lost=1, timed=2)


def test_counts_of_a_later_version_are_left_out_and_named_once(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are read every other second for as long as both versions run."""
    split = begin(tmp_path / "m")
    tables = RolloutTables(database)
    counts = ReplicaCounts(tables)
    counts.of_this_worker("m", split).write(counted(60), NO_SHADOW)
    counts.of_this_worker("m", split).write({"arms_of_later": 1}, NO_SHADOW)
    for _ in range(3):
        assert counts.read("m", split).arms.champion.units == 60
    with tables.transaction() as run:
        run.change("UPDATE understudy_rollout_counts SET counts = 'none'", {})
    assert counts.read("m", split).arms.champion.units == 0
    (said,) = caplog.records
    assert said.getMessage().startswith("What a worker has counted of a rollout cannot be read")
    assert said.exc_info is None
    # Of the next rollout it is said again.
    later = begin(tmp_path / "m")
    counts.of_this_worker("m", later).write({"arms_of_later": 1}, NO_SHADOW)
    counts.read("m", later)
    assert len(caplog.records) == 2


def test_one_replica_decides_by_the_evidence_of_all_and_another_goes_on_when_it_dies(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    """Replicas with a folder each; the policy, which the mirror brings, is copied by the test."""
    tables = RolloutTables(database)
    counts = ReplicaCounts(tables, clock=clock)
    folders = [tmp_path / name for name in ("a", "b", "c")]
    split = begin(folders[0])

    def mirror(of: Path) -> None:
        for folder in folders:
            folder.mkdir(exist_ok=True)
            (folder / POLICY).write_bytes((of / POLICY).read_bytes())

    mirror(folders[0])
    deciders = [DecidingReplica(tables, "m", each, "same", clock=clock) for each in folders]
    controls = [
        controller(folder, lambda split: counts.read("m", split), decider)
        for folder, decider in zip(folders, deciders, strict=True)
    ]
    workers = [counts.of_this_worker("m", split) for _ in folders]

    def look(*replicas: int) -> list[bool]:
        clock.now += LEASE_S / 2
        for number in replicas:
            if deciders[number].claim():
                controls[number].step()
            else:
                assert controls[number].follow()
        return [deciders[number].decides for number in replicas]

    for requests in (80, 160):
        for worker in workers:
            # Of each replica fewer than a step needs.
            worker.write(counted(requests), NO_SHADOW)
        assert look(0, 1, 2) == [True, False, False]
    stages = [each and str(each.stage) for each in (read_policy(f).rollout for f in folders)]
    assert stages == ["baking", "canary", "canary"]
    mirror(folders[0])
    look(0, 1, 2)
    assert [decisions(folder) for folder in folders] == [["begin", "promoted"]] * 3
    # The first one is held up, and another takes over.
    assert [look(1, 2) for _ in range(3)][-1] == [True, False]
    # It does not know yet: what it writes has no effect.
    baked = split_of(read_policy(folders[0]).rollout, (3, 4))
    assert baked is not None
    counts.of_this_worker("m", baked).write(counted(300), NO_SHADOW)
    assert deciders[0].decides
    with pytest.raises(RepositoryError, match="Another replica decides"):
        controls[0].step()
    assert read_policy(folders[0]).rollout is not None
    assert look(0) == [False]
    look(1)
    assert read_policy(folders[1]).rollout is None
    deciders[1].give_up()
    # Whoever decides next has the record, and finds nothing left to do.
    mirror(folders[1])
    assert deciders[2].claim()
    assert not controls[2].step()
    assert decisions(folders[2]) == decisions(folders[1]) == ["begin", "promoted", "live"]


def test_a_shared_record_that_cannot_be_read_is_named_and_can_be_removed(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    """As that of a later version, after it was rolled back; the runbook says how."""
    tables = RolloutTables(database)
    begin(tmp_path / "m")
    decider = DecidingReplica(tables, "m", tmp_path / "m", "a", clock=clock)
    control = controller(
        tmp_path / "m", lambda split: StageEvidence(split.stage, split.percent), decider
    )
    assert decider.claim()
    assert control.step()
    with tables.transaction() as run:
        run.change("UPDATE understudy_rollouts SET record = '{}' WHERE model = 'm'", {})
    where = "The record of m in the table understudy_rollouts is not the record of a rollout"
    with pytest.raises(RepositoryError, match=where):
        decider.claim()
    with tables.transaction() as run:
        run.change("UPDATE understudy_rollouts SET record = NULL WHERE model = 'm'", {})
    assert decider.claim()
    assert control.step()


def test_replicas_that_share_a_bucket_alone_do_not_contradict_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each judges by its own traffic, and the first decision is in force for all."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with s3_of_moto() as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
        url = f"s3://{BUCKET}/models"
        policy = begin_rollout(Policy(), 3, 4, RULES)
        assert Bucket(url).create(f"m/{POLICY}", object_text(policy.to_json()))
        folders = [tmp_path / name / "m" for name in ("a", "b")]
        for folder in folders:
            mark_as_mirror(folder.parent, url)
            folder.mkdir()
            write_policy(folder, policy)

        good, bad = (controller(f, seen_with(n)) for f, n in zip(folders, (0, 200), strict=True))
        assert good.step()
        assert decisions(folders[0]) == ["begin", "promoted"]
        # The mirror of the second one has not brought that yet; it asks the store and holds to it.
        with pytest.raises(RepositoryError, match="changed meanwhile"):
            bad.step()
        assert not bad.step()
        assert read_policy(folders[1]).versions == (3,)
        with pytest.raises(RepositoryError, match="changed meanwhile"):
            good.step()
        assert not good.step()
        for folder in folders:
            assert read_policy(folder).versions == (3,)
        assert json.loads(Bucket(url).read(f"m/{POLICY}", most_bytes=10_000)[0])["serve"]
        assert decisions(folders[1]) == ["begin", "rolled back"]
        assert decisions(folders[0])[-1] == "ended by hand"
