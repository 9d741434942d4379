"""How many files a worker may have open."""

import resource

import pytest

from service.server import worker


@pytest.mark.parametrize(
    ("bound", "soft", "most"), [(10_240, 256, 8192), (100, 256, 256), (1 << 20, 256, 65_536)]
)
def test_a_limit_is_raised_as_far_as_it_can_be(
    monkeypatch: pytest.MonkeyPatch, bound: int, soft: int, most: int
) -> None:
    """macOS says that there is no bound, and refuses more than its own."""

    def set_limits(what: int, limits: tuple[int, int]) -> None:
        if limits[0] > bound:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", set_limits)
    assert worker._most_files() == most
