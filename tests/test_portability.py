"""The service runs where Linux' own names are missing; the README promises macOS as well."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portability import LINUX_ONLY, LINUX_PATHS, PORTABLE

# Where the service asks Linux by a path; all of it does without (e2e/test_other_systems.py).
PATHS = {
    ("monitoring/process_metrics.py", "/proc/self"),
    ("server/gunicorn.conf.py", "/dev/shm"),
    ("settings/process_settings.py", "/proc/self/stat"),
    ("repository/precision.py", "/proc/cpuinfo"),
    ("settings/usable_cores.py", "/sys/fs/cgroup"),
}


def names(tree: ast.AST, asked: frozenset[tuple[str, str]] = frozenset()) -> Iterator[str]:
    """Yield ``module.name`` of what is used and neither portable nor asked for by ``hasattr``."""
    if isinstance(tree, ast.If | ast.IfExp):
        yield from names(tree.test, asked)
        inside = asked | {
            (ast.unparse(call.args[0]), call.args[1].value)
            for call in ast.walk(tree.test)
            if isinstance(call, ast.Call)
            and ast.unparse(call.func) == "hasattr"
            and isinstance(call.args[1], ast.Constant)
        }
        body = tree.body if isinstance(tree, ast.If) else [tree.body]
        other = tree.orelse if isinstance(tree, ast.If) else [tree.orelse]
        for node in body:
            yield from names(node, inside)
        for node in other:
            yield from names(node, asked)
        return
    if isinstance(tree, ast.Attribute) and isinstance(tree.value, ast.Name):
        module, name = tree.value.id, tree.attr
        if module in PORTABLE and name not in PORTABLE[module] and (module, name) not in asked:
            yield f"{module}.{name}"
    if isinstance(tree, ast.ImportFrom) and tree.module in PORTABLE:
        for alias in tree.names:
            if alias.name not in PORTABLE[tree.module]:
                yield f"{tree.module}.{alias.name}"
    if isinstance(tree, ast.Import):
        # By another name they would not be found here.
        yield from (
            f"{a.name} as {a.asname}" for a in tree.names if a.asname and a.name in PORTABLE
        )
    for node in ast.iter_child_nodes(tree):
        yield from names(node, asked)


def test_the_service_uses_what_other_systems_have(repository_root: Path) -> None:
    """Whatever is not in the list is to be looked up, and listed or guarded by ``hasattr``."""
    service = repository_root / "service"
    found = {
        (path.relative_to(service).as_posix(), name)
        for path in service.rglob("*.py")
        for name in names(ast.parse(path.read_text()))
    }
    assert found == set()


def test_paths_that_only_linux_has_are_known(repository_root: Path) -> None:
    service = repository_root / "service"
    found = {
        (path.relative_to(service).as_posix(), node.value)
        for path in service.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(LINUX_PATHS)
    }
    assert found == PATHS


def test_what_only_linux_has_is_not_in_the_list() -> None:
    assert not [name for module, ours in PORTABLE.items() for name in ours & LINUX_ONLY[module]]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("select.poll().register(1, select.POLLRDHUP)", {"select.poll", "select.POLLRDHUP"}),
        ("from os import sched_getaffinity", {"os.sched_getaffinity"}),
        ("import socket as s", {"socket as s"}),
        ("if hasattr(os, 'eventfd'):\n    os.eventfd(0)\nelse:\n    os.open('x')", set()),
        ("if hasattr(os, 'eventfd'):\n    pass\nelse:\n    os.eventfd(0)", {"os.eventfd"}),
        ("if hasattr(os, 'pipe2'):\n    os.eventfd(0)", {"os.eventfd"}),
        ("n = len(os.pipe2(0)) if hasattr(os, 'pipe2') else os.cpu_count()", set()),
        ("def f():\n    return lambda: signal.sigtimedwait([], 0)", {"signal.sigtimedwait"}),
    ],
)
def test_it_is_found(code: str, found: set[str]) -> None:
    assert set(names(ast.parse(code))) == found
