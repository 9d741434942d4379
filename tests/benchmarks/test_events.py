"""What the benchmark of events compares."""

from pathlib import Path

from benchmarks.events import _settings
from service.settings.settings import Settings


def test_a_service_stores_the_share_that_it_is_asked_for(tmp_path: Path) -> None:
    assert _settings(tmp_path, 0.0) == {}
    settings = Settings.from_environ(_settings(tmp_path, 0.1))
    assert (settings.events, settings.events_rate) == (str(tmp_path / "events-0.1.db"), 0.1)
