import re
import sys
import threading
from pathlib import Path

import pytest

from service.settings.environment_variables import SettingError, variables_of
from service.settings.settings import Settings
from service.settings.usable_cores import container_cores, usable_cores


def test_defaults() -> None:
    settings = Settings.from_environ({})
    assert (settings.host, settings.port, settings.models) == (
        "127.0.0.1",
        8501,
        Path("saved_models"),
    )
    assert settings.workers == usable_cores()
    assert settings.access_log is False


def test_the_environment_overrides_and_empty_means_unset() -> None:
    settings = Settings.from_environ(
        {"PORT": "9000", "MODELS": "/m", "UNDERSTUDY_ACCESS_LOG": "Yes", "HOST": "", "OTHER": "x"}
    )
    assert (settings.port, settings.models, settings.access_log) == (9000, Path("/m"), True)
    assert settings.host == "127.0.0.1"


def test_lists_have_commas_between_their_items() -> None:
    settings = Settings.from_environ(
        {
            "UNDERSTUDY_ALLOWED_HOSTS": "a.example, *.b.example,[::1],",
            "UNDERSTUDY_CORS_ORIGINS": "https://a.example:8443,*",
            "UNDERSTUDY_TRUSTED_PROXIES": "10.0.0.0/8,fd00::1",
        }
    )
    assert settings.allowed_hosts == ("a.example", "*.b.example", "[::1]")
    assert settings.cors_origins == ("https://a.example:8443", "*")
    assert settings.trusted_proxies == ("10.0.0.0/8", "fd00::1")
    assert Settings.from_environ({}).allowed_hosts == ()


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, sys.maxsize),
        ({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, sys.maxsize),
        ({"cpu.stat": ""}, sys.maxsize),
    ],
)
def test_a_containers_limit_is_counted_in_cores(
    tmp_path: Path, files: dict[str, str], cores: int
) -> None:
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert container_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("PORT", "http", "PORT must be a whole number, not 'http'."),
        ("PORT", "-1", "PORT must be at least 0, not '-1'."),
        ("PORT", "99999", "PORT must be at most 65535, not '99999'."),
        ("UNDERSTUDY_POLL_INTERVAL_S", "nan", "must be a finite number, not 'nan'."),
        ("UNDERSTUDY_POLL_INTERVAL_S", "inf", "must be a finite number, not 'inf'."),
        ("UNDERSTUDY_POLL_INTERVAL_S", "0", "must be at least 0.1, not '0'."),
        ("UNDERSTUDY_WORKERS", "1000000", "WORKERS must be at most 1024, not '1000000'."),
        ("UNDERSTUDY_MAX_ERRORS", "9" * 400, "MAX_ERRORS must be at most 1000, not '999"),
        ("UNDERSTUDY_POLL_INTERVAL_S", "1e308", "must be at most 3600, not '1e308'."),
        ("UNDERSTUDY_REPLICA", "r\udcff", "Expected a name of printable characters in UTF-8"),
        ("UNDERSTUDY_REPLICA", "r\n1", "Expected a name of printable characters in UTF-8"),
        ("UNDERSTUDY_REPLICA", " ", "Expected a name of printable characters in UTF-8"),
        ("UNDERSTUDY_QUIET_S", "soon", "must be a number, not 'soon'."),
        ("UNDERSTUDY_ACCESS_LOG", "maybe", "must be true or false, not 'maybe'."),
        (
            "UNDERSTUDY_ALLOWED_HOSTS",
            "a.example,b:80",
            "a host's name without a port .*, not 'b:80'.",
        ),
        ("UNDERSTUDY_ALLOWED_HOSTS", "*", "expected a host's name without a port"),
        # Nor do they stand for no list, or no token: that would open what they are to close.
        ("UNDERSTUDY_ALLOWED_HOSTS", " , ", "expected a host's name without a port"),
        ("UNDERSTUDY_ALLOWED_HOSTS", " ", "expected a host's name without a port"),
        ("UNDERSTUDY_ADMIN_TOKEN", " ", "Expected a token"),
        ("UNDERSTUDY_ADMIN_TOKEN", "\n", "Expected a token"),
        ("UNDERSTUDY_CORS_ORIGINS", "a.example", "an origin such as https://example.org"),
        ("UNDERSTUDY_CORS_ORIGINS", "https://a.example/", "expected an origin"),
        ("UNDERSTUDY_TRUSTED_PROXIES", "10.0.0.0/8,proxy", "a network such as .*, not 'proxy'."),
    ],
)
def test_what_is_no_value_is_named(variable: str, text: str, reason: str) -> None:
    with pytest.raises(SettingError, match=reason):
        Settings.from_environ({variable: text})


def test_every_number_has_an_upper_bound() -> None:
    kinds = {variable.name: (kind, variable) for _, kind, variable in variables_of(Settings)}
    numbers = (int, float)
    assert [name for name, (kind, it) in kinds.items() if kind in numbers and it.most is None] == []


def test_a_thread_can_wait_for_all_seconds_that_a_setting_may_have() -> None:
    kinds = {variable.name: (kind, variable) for _, kind, variable in variables_of(Settings)}
    for name, (kind, variable) in kinds.items():
        if kind is float and name.endswith("_S"):
            assert variable.most is not None
            # Two of them may be added up.
            assert 2 * variable.most < threading.TIMEOUT_MAX, name


def test_all_that_are_wrong_are_named() -> None:
    with pytest.raises(SettingError) as raised:
        Settings.from_environ(
            {"PORT": "x", "UNDERSTUDY_ACCESS_LOG": "y", "UNDERSTUDY_WORKERS": "0"}
        )
    assert [line.split()[0] for line in str(raised.value).splitlines()] == [
        "PORT",
        "UNDERSTUDY_WORKERS",
        "UNDERSTUDY_ACCESS_LOG",
    ]


def test_a_misspelled_name_is_told_beside_a_wrong_value() -> None:
    with pytest.raises(SettingError) as raised:
        Settings.from_environ({"PORT": "x", "UNDERSTUDY_MAX_ROW": "7"})
    assert str(raised.value).splitlines() == [
        "PORT must be a whole number, not 'x'.",
        "UNDERSTUDY_MAX_ROW is not a setting, and has no effect. Did you mean UNDERSTUDY_MAX_ROWS?",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("UNDERSTUDY_MAX_ROW", "UNDERSTUDY_MAX_ROWS"),
        ("UNDERSTUDY_WORKER", "UNDERSTUDY_WORKERS"),
        ("UNDERSTUDY_PORT", "PORT"),
        ("UNDERSTUDY_MODELS", "MODELS"),
        ("UNDERSTUDY_MODEL", "MODELS"),
        ("understudy_threads", "UNDERSTUDY_THREADS"),
        ("UNDERSTUDY_TIMEOUT", "UNDERSTUDY_TIMEOUT_S"),
        ("UNDERSTUDY_COLOUR", ""),
    ],
)
def test_what_is_no_setting_is_told_with_what_was_meant(name: str, meant: str) -> None:
    (told,) = Settings.unknown({name: "7", "PATH": "/bin"})
    hint = f" Did you mean {meant}?" if meant else ""
    assert told == f"{name} is not a setting, and has no effect.{hint}"


def test_variables_of_others_are_no_mistakes(repository_root: Path) -> None:
    compose = (repository_root / "docker-compose.yml").read_text()
    of_compose = set(re.findall(r"UNDERSTUDY_[A-Z_]+", compose))
    assert len(of_compose) > 20
    kubernetes = {
        "UNDERSTUDY_SERVICE_HOST": "10.0.0.1",
        "UNDERSTUDY_SERVICE_PORT": "8501",
        "UNDERSTUDY_SERVICE_PORT_HTTP": "8501",
        "UNDERSTUDY_PORT": "tcp://10.0.0.1:8501",
        "UNDERSTUDY_PORT_8501_TCP": "tcp://10.0.0.1:8501",
        "UNDERSTUDY_PORT_8501_TCP_ADDR": "10.0.0.1",
        "UNDERSTUDY_PORT_8501_TCP_PROTO": "tcp",
    }
    own = {"UNDERSTUDY_RUN_FOLDER_OWNER": "{}", "MODELS": "x", "HOSTNAME": "x"}
    assert Settings.unknown({**dict.fromkeys(of_compose, "1"), **kubernetes, **own}) == []


def test_a_token_is_not_shown() -> None:
    assert "sesame" not in repr(Settings(admin_token="sesame"))


def test_the_readmes_settings_are_those_of_the_code(repository_root: Path) -> None:
    """All settings are in the documentation's reference, which is generated."""
    settings = {variable.name: (variable.help, default) for variable, default in Settings.table()}
    rows = re.findall(r"^\| `([A-Z_]+)` \|(.*)$", (repository_root / "README.md").read_text(), re.M)
    assert len(rows) >= 4
    for name, rest in rows:
        meaning, default = settings[name]
        assert meaning in rest
        assert not default or f"`{default}`" in rest
