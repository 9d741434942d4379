"""What the workers hold in memory, and what large bodies leave behind in them: nothing."""

import gzip
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import publish_affine

_LARGE = 30 * 2**20
_PREDICT, _INFER = "/v1/models/affine:predict", "/v2/models/affine/infer"
# Each refused for another reason, and none of them costly to read.
_BAD = [
    (_PREDICT, b'{"instances": [' + b" " * _LARGE, {}, 400),
    (_PREDICT, b'{"instances": ["' + b"\xff" * _LARGE + b'"]}', {}, 400),
    (_PREDICT, b" " * _LARGE + b'{"instances": [{"x": "y"}]}', {}, 400),
    (_PREDICT, b"\0" * _LARGE, {"Content-Encoding": "gzip"}, 400),
    (_PREDICT, gzip.compress(b" " * _LARGE), {"Content-Encoding": "gzip"}, 400),
    (_PREDICT, b"\0" * _LARGE, {"Content-Type": "image/png"}, 415),
    (_INFER, b'{"inputs": ' + b" " * _LARGE, {}, 400),
    (_INFER, b"\0" * _LARGE, {"Inference-Header-Content-Length": "9"}, 400),
]


def _resident(service: Service) -> int:
    """Return the bytes that the workers hold in memory."""
    return sum(
        int(line.split()[1]) * 1024
        for pid in service.workers()
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )


def _send(service: Service, number: int) -> None:
    path, body, headers, status = _BAD[number % len(_BAD)]
    answer = requests.post(f"{service.url}{path}", data=body, headers=headers, timeout=120)
    assert answer.status_code == status, answer.text


def test_refused_bodies_are_freed(start_service: StartService, tmp_path: Path) -> None:
    publish_affine(tmp_path)
    service = start_service(tmp_path, UNDERSTUDY_WORKERS="1")
    for number in range(len(_BAD)):
        _send(service, number)
    before = _resident(service)
    for number in range(60):
        _send(service, number)
    assert _resident(service) - before < 3 * _LARGE


def test_many_bodies_at_once_are_bounded(start_service: StartService, tmp_path: Path) -> None:
    publish_affine(tmp_path)
    service = start_service(
        tmp_path, UNDERSTUDY_WORKERS="1", UNDERSTUDY_MAX_BODIES_BYTES=str(3 * _LARGE)
    )
    _send(service, 0)
    before = _resident(service)
    path, body, headers, _ = _BAD[0]
    peaks: list[int] = []

    def send(_: int) -> int:
        try:
            answer = requests.post(f"{service.url}{path}", data=body, headers=headers, timeout=120)
        except requests.ConnectionError:
            # It sent on and on after it had been refused.
            return 0
        peaks.append(_resident(service))
        return answer.status_code

    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(send, range(60)))
    assert set(statuses) <= {0, 400, 503}
    assert 400 in statuses
    # Each that is read is there twice more, as text, while its error is made.
    assert max(itertools.chain(peaks, [0])) - before < 12 * _LARGE
    assert service.get("/livez").ok
    _send(service, 0)


def test_workers_hold_nothing_that_only_training_needs(
    start_service: StartService, tmp_path: Path
) -> None:
    publish_affine(tmp_path)
    service = start_service(tmp_path)
    for pid in service.workers():
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "libtensorflow" in mapped
        assert "/scipy/" not in mapped
        assert "/sklearn/" not in mapped
