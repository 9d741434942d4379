"""What is looked at before the service starts, as a person who starts it sees it."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.repository.errors import RepositoryError
from service.repository.object_store.bucket import Bucket, url_problem
from service.repository.object_store.origin import models_folder
from service.server.preflight import binds_elsewhere, listening_problem, open_to_all, problems
from service.settings.settings import Settings


def start(root: Path, tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Start a service that cannot start, and return how it ended."""
    return subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "-c"),
            "import sys; from gunicorn.app.wsgiapp import run; sys.exit(run())",
            *("-c", "service/server/gunicorn.conf.py"),
        ],
        cwd=root,
        env={**os.environ, "TMPDIR": str(tmp_path), "PORT": "0", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def said(ended: subprocess.CompletedProcess[str]) -> list[str]:
    lines = ended.stderr.splitlines()
    assert not [line for line in lines if line.startswith("import time:") and "tensorflow" in line]
    return [line for line in lines if not line.startswith("import time:")]


def test_a_port_that_is_taken_is_one_line(repository_root: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = start(repository_root, tmp_path, PORT=str(port))
    assert ended.returncode == 1
    (line,) = said(ended)
    told = f"understudy: PORT: {port} on 127.0.0.1 is in use by another process. "
    assert re.fullmatch(rf"{re.escape(told)}(PORT=\d+ is free\.|Choose another by PORT=\.)", line)
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_all_that_is_wrong_is_named_at_once(repository_root: Path, tmp_path: Path) -> None:
    ended = start(
        repository_root, tmp_path, PORT="http", UNDERSTUDY_THREADS="0", UNDERSTUDY_QUIET_S="soon"
    )
    assert ended.returncode == 1
    assert said(ended) == [
        "understudy: PORT must be a whole number, not 'http'.",
        "understudy: UNDERSTUDY_THREADS must be at least 1, not '0'.",
        "understudy: UNDERSTUDY_QUIET_S must be a number, not 'soon'.",
    ]
    (tmp_path / "file").write_text("")
    ended = start(repository_root, tmp_path, MODELS=str(tmp_path / "file"), HOST="no.such.invalid")
    assert ended.returncode == 1
    first, second = said(ended)
    assert first.startswith("understudy: MODELS must be a folder of models; ")
    assert second.startswith("understudy: HOST: 'no.such.invalid' cannot be resolved: ")


def test_models_must_be_a_folder_or_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("file", "file/below", "link", "loop"):
        (told,) = problems(Settings(models=tmp_path / name))
        assert told.startswith("MODELS"), told
        assert str(tmp_path) in told
    assert problems(Settings(models=tmp_path)) == []
    assert problems(Settings(models=tmp_path / "not" / "yet")) == []


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("203.0.113.7", "HOST: 203.0.113.7 is not an address of this machine."),
        ("no.such.invalid", "HOST: 'no.such.invalid' cannot be resolved: "),
        ("a" * 64, "HOST: "),
        ("é" * 64, f"HOST: {'é' * 64!r} cannot be resolved: it is not a valid host name."),
        ("\udcff", "HOST: '\\udcff' cannot be resolved: it is not a valid host name."),
        ("fe80::zz", "HOST: 'fe80::zz' cannot be resolved: "),
        ("127.0.0.1:80", "HOST: '127.0.0.1:80' cannot be resolved: "),
    ],
)
def test_where_nobody_can_listen_is_named(host: str, told: str) -> None:
    assert (listening_problem(host, 0) or "").startswith(told)


def test_a_port_that_needs_a_privilege_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", refuse)
    assert listening_problem("127.0.0.1", 80) == "PORT: this user may not listen on port 80."


def test_where_one_can_listen_nothing_is_said() -> None:
    assert listening_problem("127.0.0.1", 0) is None
    assert listening_problem("localhost", 0) is None
    assert listening_problem("0.0.0.0", 0) is None


@pytest.mark.parametrize(
    ("arguments", "environ", "elsewhere"),
    [
        (["-c", "service/server/gunicorn.conf.py"], {}, False),
        (["--bind", "0.0.0.0:80"], {}, True),
        (["--bind=0.0.0.0:80"], {}, True),
        (["-b", "0.0.0.0:80"], {}, True),
        ([], {"GUNICORN_CMD_ARGS": "--workers 2 --bind :80"}, True),
        ([], {"LISTEN_FDS": "1"}, True),
    ],
)
def test_other_addresses_are_gunicorns_to_look_at(
    arguments: list[str], environ: dict[str, str], elsewhere: bool
) -> None:
    assert binds_elsewhere(arguments, environ) is elsewhere


def test_a_file_of_keys_that_is_not_right_keeps_the_service_from_starting(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    settings = Settings(models=tmp_path, keys_file=file)
    assert problems(settings) == [
        "UNDERSTUDY_KEYS_FILE: keys.json cannot be read: No such file or directory."
    ]
    file.write_text('{"keys": []}')
    file.chmod(0o644)
    (problem,) = problems(settings)
    assert problem.startswith("UNDERSTUDY_KEYS_FILE: keys.json is too open (mode 0644)")
    file.chmod(0o600)
    assert problems(settings) == []


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@host/dav", "https://hunter2@host/dav", "https://host/dav?t=hunter2"]
)
def test_a_secret_in_the_url_of_a_store_gets_nowhere(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (problem,) = problems(Settings(models=Path(url)))
    assert problem.startswith(
        "MODELS: https://host/...: Expected the URL of a store without a pass"
    )
    for use in (models_folder, Bucket):
        with pytest.raises(
            RepositoryError, match=r"https://host/\.\.\.: Expected the URL"
        ) as raised:
            use(url)
        assert "hunter2" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    # No password, but Azure's name of a container.
    assert url_problem("abfss://models@account.dfs.core.windows.net/here") == ""


def test_reads_that_need_keys_need_a_file_of_keys(tmp_path: Path) -> None:
    assert problems(Settings(models=tmp_path, keys_for_reads=True)) == [
        "UNDERSTUDY_KEYS_FOR_READS needs UNDERSTUDY_KEYS_FILE: without keys nothing needs one."
    ]


@pytest.mark.parametrize(
    ("hosts", "is_open"),
    [
        (["127.0.0.1"], False),
        (["::1"], False),
        (["localhost"], False),
        (["127.8.8.8"], False),
        (["::ffff:127.0.0.1"], False),
        (["::ffff:192.0.2.7"], True),
        ([], False),
        (["0.0.0.0"], True),
        (["::"], True),
        ([""], True),
        (["127.0.0.1", "192.0.2.7"], True),
        (["models.example.org"], True),
    ],
)
def test_an_address_that_others_reach_is_told_unless_there_are_keys(
    hosts: list[str], is_open: bool
) -> None:
    assert bool(open_to_all(Settings(), hosts)) is is_open
    assert open_to_all(Settings(keys_file=Path("keys.json")), hosts) == ""
    # Nobody can ask without a certificate.
    assert open_to_all(Settings(tls_client_ca=Path("clients.pem")), hosts) == ""


def test_a_port_of_grpc_in_use_is_named_by_its_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        problem = listening_problem("127.0.0.1", port, "UNDERSTUDY_GRPC_PORT")
    assert problem is not None
    assert problem.startswith(f"UNDERSTUDY_GRPC_PORT: {port} on 127.0.0.1 is in use")


def test_files_of_tls_that_do_not_fit_keep_the_service_from_starting(tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    assert problems(Settings(models=tmp_path, tls_certificate=file)) == [
        "UNDERSTUDY_TLS_CERTIFICATE and UNDERSTUDY_TLS_KEY are needed both."
    ]
    assert problems(Settings(models=tmp_path, tls_client_ca=file)) == [
        "UNDERSTUDY_TLS_CERTIFICATE and UNDERSTUDY_TLS_KEY are needed both."
    ]
    (problem,) = problems(Settings(models=tmp_path, tls_certificate=file, tls_key=file))
    assert problem == (
        f"UNDERSTUDY_TLS_CERTIFICATE: {str(file)!r} cannot be read: No such file or directory."
    )
    file.write_text("no certificate")
    (problem,) = problems(Settings(models=tmp_path, tls_certificate=file, tls_key=file))
    assert problem == (
        f"UNDERSTUDY_TLS_CERTIFICATE: {str(file)!r} must hold a certificate in PEM form, and does "
        "not."
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_a_file_of_tls_that_is_not_right_is_named(tmp_path: Path) -> None:
    for name in ("one", "other"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-subj", f"/CN={name}"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"),
            ],
            check=True,
            capture_output=True,
        )
    certificate, key = tmp_path / "one.pem", tmp_path / "one.key"

    def said_of(**settings: Path) -> str:
        files = {"tls_certificate": certificate, "tls_key": key, **settings}
        return "".join(problems(Settings(models=tmp_path, **files)))

    assert said_of() == ""
    assert said_of(tls_client_ca=certificate) == ""
    assert said_of(tls_key=tmp_path) == (
        f"UNDERSTUDY_TLS_KEY: {str(tmp_path)!r} cannot be read: Is a directory."
    )
    assert said_of(tls_key=certificate) == (
        f"UNDERSTUDY_TLS_KEY: {str(certificate)!r} must hold a private key in PEM form, and does "
        "not."
    )
    other = tmp_path / "other.key"
    assert said_of(tls_key=other) == (
        f"UNDERSTUDY_TLS_CERTIFICATE and UNDERSTUDY_TLS_KEY: {str(certificate)!r} and "
        f"{str(other)!r} cannot be used together: the key is that of another certificate."
    )
    assert said_of(tls_client_ca=key) == (
        f"UNDERSTUDY_TLS_CLIENT_CA: {str(key)!r} must hold a certificate in PEM form, and does not."
    )
    broken = tmp_path / "broken.pem"
    broken.write_text(certificate.read_text().replace("\n", "", 1))
    assert said_of(tls_client_ca=broken).startswith(
        f"UNDERSTUDY_TLS_CLIENT_CA: {str(broken)!r} cannot be used: "
    )


def test_a_store_that_cannot_be_mirrored_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    store = Path("s3://models/prefix")
    found = problems(Settings(models=store, mirror_folder=tmp_path / "file" / "mirror"))
    assert found[-1].startswith("UNDERSTUDY_MIRROR_FOLDER must be a folder that can be written; ")
    assert problems(Settings(models=store, mirror_folder=tmp_path / "mirror")) == []
    other = Settings(models=Path("gs://models"), mirror_folder=tmp_path / "mirror")
    (problem,) = problems(other)
    assert "mirrors s3://models/prefix; give gs://models a folder of its own" in problem
    monkeypatch.setattr("service.server.preflight.find_spec", lambda name: None)
    (problem,) = problems(Settings(models=store))
    assert problem == (
        "MODELS: s3://models/prefix needs the package 'obstore', which is not installed here: "
        "pip install 'understudy[object-store]'."
    )


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("mysql://host/events", "Expected the path of a file, or a URL such as postgresql+psycopg"),
        ("sqlite://", "sqlite:// is in the memory of one process: name a file."),
    ],
)
def test_an_event_store_that_cannot_be_one_is_named(
    tmp_path: Path, location: str, reason: str
) -> None:
    (found,) = problems(Settings(models=tmp_path, events=location))
    assert found.startswith(f"UNDERSTUDY_EVENTS: {reason}")
    # One that is not there yet may come.
    assert problems(Settings(models=tmp_path, events=str(tmp_path / "later" / "e.db"))) == []
