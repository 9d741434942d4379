"""Three replicas on one bucket, behind HAProxy: no request fails when one of them ends."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from service.repository.model_policy import Policy, begin_rollout, read_policy
from service.repository.object_store.origin import models_folder
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import RolloutRules
from service.runtime.traffic_split import hash64
from tests.e2e.conftest import Service, StartService, free_port
from tests.e2e.haproxy import configuration, found_haproxy, haproxy
from tests.e2e.service_state import ONLY_Y
from tests.e2e.test_swaps import Clients, bias
from tests.object_stores import BUCKET, KEYS, s3_of_moto
from tests.savedmodels.affine import fill_affine
from tests.waiting import eventually
from training.publishing import saved_model_export

NAMES = ("one", "two", "three")
USERS = [f"user-{number}" for number in range(40)]
# Nothing is decided while a test runs, though the versions answer differently.
RULES = RolloutRules(
    percents=(30.0,), shadow_batches=0, disagreement_margin=1.0, min_requests=10**9
)


class Replicas:
    """Three services on one bucket, and a trainer that publishes into it."""

    def __init__(self, start: StartService, url: str, folder: Path, s3: str) -> None:
        self._start_service = start
        self._url = url
        self._folder = folder
        self._s3 = s3
        self.ports = [free_port() for _ in NAMES]
        self.out = models_folder(url)
        self.publish(1)
        self.services = [self.start(number, wait=False) for number in range(len(NAMES))]
        for number, service in enumerate(self.services):
            eventually(lambda n=number: self.is_ready(n), 120)
            assert service.process.poll() is None

    def publish(self, version: int) -> None:
        export = self._folder / "export" / str(version)
        fill_affine(export, bias=bias(version))
        assert saved_model_export.publish(export, self.out, "affine") == version

    def start(self, number: int, *, wait: bool = True) -> Service:
        return self._start_service(
            self._url,  # type: ignore[arg-type]
            wait_for="/readyz" if wait else None,
            PORT=str(self.ports[number]),
            UNDERSTUDY_REPLICA=NAMES[number],
            UNDERSTUDY_WORKERS="1",
            UNDERSTUDY_MIRROR_INTERVAL_S="0.3",
            UNDERSTUDY_LAME_DUCK_S="0.6",
            XDG_CACHE_HOME=str(self._folder / NAMES[number]),
            AWS_ENDPOINT_URL=self._s3,
            **KEYS,
        )

    def is_ready(self, number: int) -> bool:
        try:
            return self.services[number].get("/readyz").ok
        except requests.ConnectionError:
            return False

    def versions(self, **headers: str) -> set[str]:
        """Return which versions answer, over all replicas."""
        return {
            service.post("/v1/models/affine:predict", ONLY_Y, headers=headers).headers[
                "X-Model-Version"
            ]
            for service in self.services
        }

    def begin_rollout(self, champion: int) -> str:
        """Publish a version on trial, and return the rollout's id once all replicas split."""
        folder = self.out / "affine"
        change_policy(folder, lambda policy: Policy(versions=(champion,)))
        self.publish(champion + 1)
        change_policy(folder, lambda policy: begin_rollout(policy, champion, champion + 1, RULES))
        rollout = read_policy(folder).rollout
        assert rollout is not None
        theirs = next(u for u in USERS if is_candidates(rollout.id, u))
        eventually(lambda: self.versions(**{"X-Routing-Key": theirs}) == {str(champion + 1)})
        return rollout.id

    def say_what_they_serve(self, version: str, before: str) -> None:
        """See that each replica names itself and the version that it serves."""
        line = 'understudy_replica_serves{{model="affine",replica="{}",version="{}"}} 1.0'
        for name, service in zip(NAMES, self.services, strict=True):
            told = service.get("/v1/models").json()
            assert (told["replica"], told["models"][0]["version"]) == (name, version)
            metrics = service.get("/metrics").text
            assert line.format(name, version) in metrics
            assert line.format(name, before) not in metrics

    def restart(self, number: int) -> None:
        """Restart one as a rolling restart does."""
        assert self.services[number].stop() == 0
        self.services[number] = self.start(number)

    def kill(self, number: int) -> None:
        """Kill one with all of its processes."""
        killed = self.services[number]
        for pid in (killed.process.pid, *killed.workers()):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: killed.process.poll() is not None)

    def all_split_alike(self, rollout: str, champion: int) -> None:
        """See that all replicas answer each user with the version that the hash says."""
        for user in USERS:
            wanted = champion + is_candidates(rollout, user)
            found = self.versions(**{"X-Routing-Key": user})
            assert found == {str(wanted)}, self.rollouts()

    def rollouts(self) -> list[str]:
        """Return what each replica says of the rollout."""
        return [service.get("/v1/models/affine/rollout").text for service in self.services]


def is_candidates(rollout: str, user: str) -> bool:
    return hash64(rollout, "affine", user) < RULES.percents[0] / 100 * 2**64


@pytest.fixture(scope="module")
def replicas(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("replicas")
    with s3_of_moto() as s3, pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", s3)
        patch.setenv("XDG_CACHE_HOME", str(folder / "trainer"))
        found = Replicas(start_service, f"s3://{BUCKET}/replicas", folder, s3)
        yield found
        for service in found.services:
            if service.process.poll() is None:
                service.stop()


def test_no_request_fails_while_three_replicas_swap_try_a_version_restart_and_die(
    replicas: Replicas, repository_root: Path, tmp_path: Path
) -> None:
    """Without HAProxy there is no load, and nothing is restarted."""
    program = found_haproxy()
    with contextlib.ExitStack() as stack:
        all_clients = []
        if program is not None:
            port = free_port()
            configured = tmp_path / "haproxy.cfg"
            configured.write_text(configuration(repository_root, port, replicas.ports))
            stack.enter_context(haproxy(program, configured, port))
            front = replace(replicas.services[0], url=f"http://127.0.0.1:{port}")
            clients = Clients(front, reconnect=False, rest_s=0.03)
            all_clients.append(stack.enter_context(clients.watching()))
        replicas.publish(2)
        eventually(lambda: all(clients.all_saw(2) for clients in all_clients))
        eventually(lambda: replicas.versions() == {"2"})
        replicas.say_what_they_serve("2", before="1")
        rollout = replicas.begin_rollout(2)
        replicas.all_split_alike(rollout, 2)
        if program is not None:
            replicas.restart(0)
            replicas.kill(1)
            before = [len(seen) for seen in clients.answers_by_client]
            eventually(
                lambda: all(
                    len(seen) > had + 20
                    for had, seen in zip(before, clients.answers_by_client, strict=True)
                )
            )
            replicas.services[1] = replicas.start(1)
            replicas.restart(2)
            replicas.all_split_alike(rollout, 2)
    if program is None:
        pytest.skip("there is no HAProxy, Debian's package: no load, and nothing was restarted")
    assert clients.failures == []
    for seen in clients.answers_by_client:
        assert all(value == 5 + bias(version) for version, value in seen)
        assert {version for version, _ in seen} == {1, 2, 3}
