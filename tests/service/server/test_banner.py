"""The address that the service says it is at."""

from pathlib import Path

import pytest

from service.server.banner import banner, greeting
from service.settings.settings import Settings
from tests.lifecycles import starting


@pytest.mark.parametrize(
    ("certificate", "host", "address"),
    [
        (None, "127.0.0.1", "http://127.0.0.1:8501"),
        (None, "0.0.0.0", "http://127.0.0.1:8501"),
        (None, "::1", "http://[::1]:8501"),
        (Path("server.pem"), "127.0.0.1", "https://127.0.0.1:8501"),
    ],
)
def test_the_address_is_one_that_a_browser_opens(
    tmp_path: Path, certificate: Path | None, host: str, address: str
) -> None:
    settings = Settings(models=tmp_path, host=host, tls_certificate=certificate)
    with starting(tmp_path) as start:
        lifecycle = start()
        assert banner(lifecycle, settings).startswith(f"Understudy listens on {address}; ")
        assert greeting(lifecycle, settings, colours=False).endswith(f"\nOpen {address}")
