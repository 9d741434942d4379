"""The house's rules that a reader cannot see in any one file."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

# Each wing, and the parts of the service that it may import.
GROUND = {
    f"service.{name}" for name in ("errors", "settings", "logs", "metrics", "exposition", "quiet")
}
# Training shares with the service how a version lies on disk, and how a picture file is prepared:
# a network that learned from pictures prepared otherwise would be asked about others than it knows.
SHARED = {"service.repository", "service.pictures"}
WINGS = {
    "service/repository": {"service.repository"},
    "service/pictures": {"service.pictures"},
    "service/runtime": GROUND | {"service.repository", "service.runtime"},
    "service/api": GROUND | SHARED | {"service.runtime", "service.api"},
    "training": SHARED | {"training"},
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def is_under(module: str, packages: set[str]) -> bool:
    return any(module == p or module.startswith(f"{p}.") for p in packages)


@pytest.mark.parametrize("wing", WINGS)
def test_imports_run_one_way(repository_root: Path, wing: str) -> None:
    files = list((repository_root / wing).rglob("*.py"))
    assert files
    for path in files:
        ours = {m for m in imports(path) if is_under(m, {"service", "training"})}
        assert all(is_under(module, WINGS[wing]) for module in ours), (path, ours)


def test_the_service_needs_neither_keras_nor_training(repository_root: Path) -> None:
    for path in (repository_root / "service").rglob("*.py"):
        assert not any(is_under(m, {"keras", "training"}) for m in imports(path)), path


def test_only_one_module_imports_tensorflow(repository_root: Path) -> None:
    service = repository_root / "service"
    users = [
        path.relative_to(service).as_posix()
        for path in service.rglob("*.py")
        if any(is_under(m, {"tensorflow"}) for m in imports(path))
    ]
    assert users == ["runtime/servable.py"]


def test_the_repository_loads_without_tensorflow_and_flask(repository_root: Path) -> None:
    script = (
        "import sys; import service.repository.store, service.repository.golden, "
        "service.repository.policy, service.pictures.preparation; "
        "sys.exit(bool({'tensorflow', 'flask'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=repository_root, check=True)


def test_importing_the_application_does_nothing(repository_root: Path) -> None:
    script = (
        "import threading, service.app, prometheus_client; "
        "assert threading.active_count() == 1, threading.enumerate(); "
        "assert not list(m for m in prometheus_client.REGISTRY.collect() if 'understudy' in m.name)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=repository_root, check=True)


def test_the_service_knows_no_model_by_name(repository_root: Path) -> None:
    names = ("clothing", "sentiment", "mpg", "mnist", "horsepower", "review")
    for path in (repository_root / "service").rglob("*.py"):
        text = path.read_text().lower()
        assert not [name for name in names if name in text], path
