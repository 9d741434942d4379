"""The house's rules that a reader cannot see in any one file."""

import ast
import subprocess
import sys
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

# Each wing, and the parts of the service that it may import.
GROUND = {
    f"service.{name}"
    for name in ("errors", "settings", "logs", "metrics", "exposition", "quiet", "gathered_metrics")
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


# Training's packages from the ground up. Each may import those in the lines below its own, and no
# other: what a model's life needs first lies lowest.
TRAINING = (
    {"errors", "types"},
    {"console"},
    {"evaluation"},
    {"data"},
    {"fitting"},
    {"preprocessing"},
    {"networks"},
    {"tasks"},
    {"publishing"},
    {"reporting"},
    {"tuning", "overfitting"},
    {"workflows"},
    {"commands"},
    {"cli"},
    {"__main__"},
)


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


def modules_of_training(root: Path) -> dict[str, Path]:
    """Return training's modules by their dotted names; a package is its ``__init__``."""
    found = {}
    for path in (root / "training").rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_modules(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Return the modules among ``known`` that a file imports, wherever in it and for whatever."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                found.add(module if module in known else node.module)
    return found & known.keys()


def test_the_root_of_training_is_its_table_of_contents(repository_root: Path) -> None:
    top = {module.split(".")[1] for module in modules_of_training(repository_root) if "." in module}
    assert top == set().union(*TRAINING)
    files = {path.stem for path in (repository_root / "training").glob("*.py")}
    assert files == {"__init__", "__main__", "cli", "errors", "types"}


def test_imports_of_training_run_downwards(repository_root: Path) -> None:
    level = {package: number for number, line in enumerate(TRAINING) for package in line}
    known = modules_of_training(repository_root)
    for module, path in known.items():
        if module == "training":
            assert not imported_modules(path, known), path
            continue
        here = module.split(".")[1]
        for imported in imported_modules(path, known) - {"training"}:
            there = imported.split(".")[1]
            assert there == here or level[there] < level[here], f"{module} imports {imported}"


def test_no_modules_of_training_import_one_another_in_a_circle(repository_root: Path) -> None:
    known = modules_of_training(repository_root)
    graph = {module: imported_modules(path, known) for module, path in known.items()}
    # An ``__init__`` that finds its modules at run time imports none; what it has in common with
    # them is theirs to import.
    TopologicalSorter(graph).prepare()


def test_a_name_means_one_thing_in_training(repository_root: Path) -> None:
    """But a command is named as what it runs, whose module it imports."""
    by_name: dict[str, list[str]] = {}
    for module, path in modules_of_training(repository_root).items():
        if path.stem != "__init__" and not module.startswith("training.commands."):
            by_name.setdefault(path.stem, []).append(module)
    assert not {name: modules for name, modules in by_name.items() if len(modules) > 1}


def test_the_tests_of_training_mirror_its_packages(repository_root: Path) -> None:
    tests = repository_root / "tests" / "training"
    for path in tests.rglob("test_*.py"):
        assert (repository_root / "training" / path.parent.relative_to(tests)).is_dir(), path


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
