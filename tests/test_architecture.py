"""The house's rules that a reader cannot see in any one file."""

import ast
import subprocess
import sys
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

# The service's packages from the ground up. Each may import those in the lines below its own, and no
# other.
SERVICE = (
    {"errors", "images"},
    {"settings"},
    {"repository"},
    {"monitoring"},
    {"runtime", "access", "events", "mirroring"},
    {"rollout"},
    {"api.request_limits"},
    {"api.json"},
    {"api.validation"},
    {"api.http"},
    {"api.codecs"},
    {"api.inference"},
    {"api.openapi"},
    {"api.routes"},
    {"app"},
    {"http2"},
    {"grpc"},
    {"asgi"},
    {"server"},
    {"tensorflow_serving"},
)
# Training shares with the service how a version lies on disk, and how an image file is prepared: a
# network that learned from images prepared otherwise would be asked about others than it knows.
SHARED = {"service.repository", "service.images"}


# Training's packages from the ground up. Each may import those in the lines below its own, and no
# other: what a model's life needs first lies lowest.
TRAINING = (
    {"array_types", "errors"},
    {"console"},
    {"evaluation"},
    {"data"},
    {"fitting"},
    {"preprocessing"},
    {"networks"},
    {"tasks"},
    {"publishing"},
    {"reporting", "importing", "cluster"},
    {"tuning", "overfitting"},
    {"workflows"},
    {"fleet"},
    {"__main__"},
)
# The command line stands on both. ``training.__main__`` is another door to it, which nobody imports.
UNDERSTUDY = (
    {"failures", "help", "output_streams", "parameter_types", "signals"},
    {"options"},
    {"event_store"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
ORDERS = {"service": SERVICE, "training": TRAINING, "understudy": UNDERSTUDY}


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


def modules_of(root: Path, half: str) -> dict[str, Path]:
    """Return a half's modules by their dotted names; a package is its ``__init__``."""
    found = {}
    for path in (root / half).rglob("*.py"):
        if path.name == "gunicorn.conf.py":
            continue  # Read by gunicorn, and imported by nobody.
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


def room_of(module: str) -> str:
    """Return the package of a module that the orders above name; of the API, the one within it."""
    half, *inner = module.split(".")
    if not inner:
        return half
    depth = 2 if half == "service" and inner[0] == "api" and len(inner) > 1 else 1
    return ".".join(inner[:depth])


@pytest.mark.parametrize(
    ("half", "order", "modules"),
    [
        ("service", SERVICE, {"app", "asgi", "errors"}),
        ("training", TRAINING, {"__main__", "array_types", "errors"}),
        (
            "understudy",
            UNDERSTUDY,
            {
                "__main__",
                "cli",
                "event_store",
                "failures",
                "help",
                "options",
                "output_streams",
                "parameter_types",
                "signals",
            },
        ),
    ],
)
def test_the_root_is_the_table_of_contents(
    repository_root: Path, half: str, order: tuple[set[str], ...], modules: set[str]
) -> None:
    rooms = {room_of(module) for module in modules_of(repository_root, half)}
    assert rooms - {half, "api"} == set().union(*order)
    assert {path.stem for path in (repository_root / half).glob("*.py")} == modules | {"__init__"}


@pytest.mark.parametrize(("half", "order"), ORDERS.items())
def test_imports_run_downwards(
    repository_root: Path, half: str, order: tuple[set[str], ...]
) -> None:
    level = {room: number for number, line in enumerate(order) for room in line}
    known = modules_of(repository_root, half)
    for module, path in known.items():
        here = room_of(module)
        for imported in imported_modules(path, known) - {half}:
            there = room_of(imported)
            assert there == here or level[there] < level[here], f"{module} imports {imported}"


@pytest.mark.parametrize("half", ORDERS)
def test_no_modules_import_one_another_in_a_circle(repository_root: Path, half: str) -> None:
    known = modules_of(repository_root, half)
    graph = {module: imported_modules(path, known) for module, path in known.items()}
    # An ``__init__`` that finds its modules at run time imports none; what it has in common with
    # them is theirs to import.
    TopologicalSorter(graph).prepare()


def test_training_shares_with_the_service_what_lies_on_disk(repository_root: Path) -> None:
    for path in modules_of(repository_root, "training").values():
        ours = {module for module in imports(path) if is_under(module, {"service"})}
        assert all(is_under(module, SHARED) for module in ours), (path, ours)


@pytest.mark.parametrize("half", ORDERS)
def test_a_name_means_one_thing(repository_root: Path, half: str) -> None:
    """But each package may have errors of its own."""
    by_name: dict[str, list[str]] = {}
    for module, path in modules_of(repository_root, half).items():
        if path.stem not in ("__init__", "errors"):
            by_name.setdefault(path.stem, []).append(module)
    assert not {name: modules for name, modules in by_name.items() if len(modules) > 1}


@pytest.mark.parametrize("half", ORDERS)
def test_a_public_class_or_function_means_one_thing(repository_root: Path, half: str) -> None:
    """But what modules have in common as parts of one whole has one name in each of them."""
    alike = {
        "command",  # of each command; the command line finds it by this name
        "read",  # of each data set, which its module is named after
        "read_request",  # of each wire format, which its package is named after
    }
    by_name: dict[str, list[str]] = {}
    for module, path in modules_of(repository_root, half).items():
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not node.name.startswith("_") and node.name not in alike:
                by_name.setdefault(node.name, []).append(module)
    assert not {name: modules for name, modules in by_name.items() if len(modules) > 1}


@pytest.mark.parametrize("half", ORDERS)
def test_the_tests_mirror_the_packages(repository_root: Path, half: str) -> None:
    tests = repository_root / "tests" / half
    for path in tests.rglob("test_*.py"):
        assert (repository_root / half / path.parent.relative_to(tests)).is_dir(), path


def test_the_service_needs_neither_keras_nor_training(repository_root: Path) -> None:
    for path in (repository_root / "service").rglob("*.py"):
        above = {"keras", "training", "understudy"}
        assert not any(is_under(m, above) for m in imports(path)), path


def test_the_training_knows_no_command_line(repository_root: Path) -> None:
    users = {
        module
        for module, path in modules_of(repository_root, "training").items()
        if any(is_under(m, {"understudy"}) for m in imports(path))
    }
    assert users == {"training.__main__"}


def test_only_one_module_imports_tensorflow(repository_root: Path) -> None:
    service = repository_root / "service"
    users = [
        path.relative_to(service).as_posix()
        for path in service.rglob("*.py")
        if any(is_under(m, {"tensorflow"}) for m in imports(path))
    ]
    assert users == ["runtime/tensorflow_import.py"]


def test_the_repository_loads_without_tensorflow_and_flask(repository_root: Path) -> None:
    script = (
        "import sys; import service.repository.model_store, service.repository.golden_examples, "
        "service.repository.model_policy, service.images.preparation; "
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
