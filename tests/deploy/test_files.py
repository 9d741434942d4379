"""Dockerfile, .dockerignore and docker-compose.yml agree with the project and with each other."""

import fnmatch
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings.settings import Settings
from tests.deploy.strict_yaml import StrictLoader

SERVICES = ("service", "trainer", "prometheus", "node-exporter", "grafana")
# What mounts and published ports rest on, and the workers' own folder: all settled in the image.
_FIXED = {"MODELS", "HOST", "PORT", "UNDERSTUDY_WORKERS_FOLDER"}


def _stages(dockerfile):
    return dict(re.findall(r"^FROM \S+ AS (\S+)$([\s\S]*?)(?=^FROM |\Z)", dockerfile, re.MULTILINE))


def _service(compose, name):
    return re.search(rf"^  {name}:\n((?:    .*\n|\s*\n)+)", compose, re.MULTILINE)[1]


def _mounts(compose: str) -> dict[str, dict[str, tuple[str, Any]]]:
    """Return the volume on each folder of each service, and whether it is read-only there."""
    mounts: dict[str, dict[str, tuple[str, Any]]] = {}
    for name, service in yaml.safe_load(compose)["services"].items():
        mounts[name] = {}
        for volume in service.get("volumes", []):
            if isinstance(volume, str):
                source, folder, *flags = volume.split(":")
                mounts[name][folder] = (source, "ro" in flags)
            else:
                mounts[name][volume["target"]] = (volume["source"], volume.get("read_only", False))
    return mounts


def test_the_service_is_what_is_built_unless_a_target_is_named(dockerfile):
    assert list(_stages(dockerfile))[-1] == "serving"


@pytest.mark.parametrize("stage", ["serving", "trainer"])
def test_images_run_as_a_numbered_user_who_is_not_root(dockerfile, stage):
    # A number, since Kubernetes cannot tell whether a name is root.
    assert re.findall(r"^USER (.*)", _stages(dockerfile)[stage], re.MULTILINE) == ["10001:10001"]


def test_every_installation_checks_hashes(dockerfile):
    installations = re.findall(r" pip [^&]*install [^&]*", dockerfile)
    assert len(installations) == 2
    assert all("--require-hashes" in each for each in installations)


def test_commands_are_started_without_a_shell(dockerfile):
    assert re.findall(r"^(?:CMD|ENTRYPOINT) (.)", dockerfile, re.MULTILINE) == ["["] * 4


def test_what_the_dockerfile_copies_exists_and_is_not_ignored(dockerfile, root):
    patterns = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = [line.removeprefix("!").rstrip("/") for line in patterns if line.startswith("!")]
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
    sources = {source.rstrip("/") for copy in copies for source in copy.split()}
    sources |= set(re.findall(r"type=bind,source=([^,\s]+)", dockerfile))

    assert patterns[[line[:1] for line in patterns].index("*")] == "*"
    for source in sources:
        assert (root / source).exists(), source
        assert any(source == entry or source.startswith(f"{entry}/") for entry in let_in), source
    for entry in let_in:
        assert any(fnmatch.fnmatch(source, f"{entry}*") for source in sources), f"{entry} is unused"


def test_every_setting_can_be_set_through_compose(compose):
    """Not listed, a setting would be dropped without a word."""
    settings = {variable.name for variable, _ in Settings.table()}
    environment = set(re.findall(r"^      (\w+):", _service(compose, "service"), re.MULTILINE))
    # Passed through under its own name, or with a default.
    assert settings - _FIXED <= environment, "add these to docker-compose.yml"
    assert {name for name in environment if name.startswith("UNDERSTUDY_")} <= settings


def test_what_the_guide_says_of_traces_can_be_set_through_compose(root, compose):
    guide = (root / "docs" / "guides" / "trace.md").read_text()
    named = {name for name in re.findall(r"\bOTEL_\w+", guide) if not name.endswith("_")}
    environment = set(
        re.findall(r"^      (OTEL_\w+):$", _service(compose, "service"), re.MULTILINE)
    )
    assert named == environment


def test_the_workers_follow_the_limit_of_cores(compose):
    """The service counts the limit; a number here would hold it to that many."""
    assert re.search(r"^      UNDERSTUDY_WORKERS:$", _service(compose, "service"), re.MULTILINE)


def test_requests_may_finish_before_docker_kills(compose):
    service = _service(compose, "service")
    drain = int(re.search(r"UNDERSTUDY_DRAIN_S:-(\d+)", service)[1])
    grace = int(re.search(r"^    stop_grace_period: .*:-(\d+)s}$", service, re.MULTILINE)[1])
    assert drain == Settings.from_environ({}).drain_s
    assert grace >= drain + 10


def test_the_service_cannot_write_models_unless_it_is_allowed_to(compose: str) -> None:
    mounts = _mounts(compose)
    read_only = "${UNDERSTUDY_MODELS_READ_ONLY:-true}"
    assert mounts["service"]["/app/saved_models"] == ("models", read_only)
    assert mounts["trainer"]["/app/saved_models"] == ("models", False)


def test_service_and_trainer_share_the_event_store(compose: str) -> None:
    mounts = _mounts(compose)
    assert mounts["service"]["/app/events"] == ("events", False)
    assert mounts["trainer"]["/app/events"] == ("events", False)
    # So that `retrain --feedback` finds what the service stores.
    assert re.search(r"^      UNDERSTUDY_EVENTS:$", _service(compose, "trainer"), re.MULTILINE)


def test_the_user_of_the_images_can_write_each_volume(dockerfile: str, compose: str) -> None:
    """A new volume takes over the owner of the folder on which it is mounted, or belongs to root."""
    stages = _stages(dockerfile)
    for name, stage in (("service", "serving"), ("trainer", "trainer")):
        own = stages["runtime"] + stages[stage]
        folders = set(re.findall(r"^COPY .*--chown=10001:10001 \S+ (\S+)$", own, re.MULTILINE))
        assert set(_mounts(compose)[name]) <= {f"/app/{folder}" for folder in folders}


@pytest.mark.parametrize("name", SERVICES)
def test_all_are_confined_and_limited(compose, name):
    service = _service(compose, name)
    confined = re.search(r"^x-confined: &confined\n((?:  .*\n)+)", compose, re.MULTILINE)[1]
    for line in (
        "init: true",
        "read_only: true",
        "cap_drop: [ALL]",
        'security_opt: ["no-new-privileges:true"]',
    ):
        assert f"  {line}\n" in confined
    assert "<<: *confined" in service
    assert re.search(r"limits:\s+cpus: \S+\s+memory: \S+\s+pids: \d+", service)


def test_nothing_is_open_to_the_network_by_default(compose):
    published = re.findall(r"-127\.0\.0\.1:(\d+)}:(\d+)", compose)
    assert published == [
        ("8501", "8501"),
        ("8500", "8500"),
        ("9090", "9090"),
        ("3000", "3000"),
    ]
    listed = re.findall(r"^ +- \"\S+:\d+\"$", compose, re.MULTILINE)
    assert len(listed) == len(published)


def test_only_the_service_starts_unasked(compose):
    profiles = {name: re.findall(r"profiles: (.*)", _service(compose, name)) for name in SERVICES}
    assert profiles == {
        "service": [],
        "trainer": ["[train]"],
        **{name: ["[monitoring]"] for name in SERVICES[2:]},
    }


def test_no_file_names_a_model(root):
    """Adding a model must not mean changing how the project is deployed."""
    models = [entry.name for entry in (root / "saved_models").glob("[!.]*/") if entry.is_dir()]
    for name in ("Dockerfile", "docker-compose.yml", ".dockerignore"):
        text = (root / name).read_text(encoding="utf-8")
        assert not [model for model in models if re.search(rf"\b{model}\b", text)], name


def test_no_key_comes_twice(repository_root: Path) -> None:
    paths = [repository_root / "docker-compose.yml", *(repository_root / "deploy").rglob("*.y*ml")]
    # The chart's templates are no YAML; what they come to is read by the same loader.
    paths = [path for path in paths if path.parent.name != "templates"]
    assert len(paths) > 30
    for path in paths:
        assert yaml.load(path.read_text(), StrictLoader), path
    with pytest.raises(AssertionError):
        yaml.load("{a: 1, b: 2, a: 3}", StrictLoader)
