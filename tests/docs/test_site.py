"""The documentation as a site: it builds, loads nothing from elsewhere, and its links hold."""

import ast
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from service.monitoring.logs import JsonFormatter
from service.settings.settings import Settings
from understudy import commands
from understudy.help import Command

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
# Attributes that make a browser fetch something as soon as it shows a page.
FETCHED = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("img", "srcset"),
    ("source", "src"),
    ("source", "srcset"),
    ("video", "src"),
    ("audio", "src"),
    ("iframe", "src"),
    ("embed", "src"),
    ("object", "data"),
    ("use", "href"),
}
# Files of the project as the documentation names them.
PATH = re.compile(r"`((?:service|training|benchmarks|tests|tools|deploy|requirements)/[\w./-]+)`")
LEVEL = re.compile(r'"level": "(\w+)"')
DOCUMENT = re.compile(r"\b(docs/[\w/-]+\.md)(#[\w-]+)?")


@dataclass
class Page(HTMLParser):
    """What a built page fetches, links to, and can be linked to."""

    path: Path
    fetched: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    scripts: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._tag = ""
        self.feed(self.path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        values = {name: value or "" for name, value in attrs}
        fetches = tag != "link" or values.get("rel") not in ("canonical", "next", "prev")
        for name, value in values.items():
            if (tag, name) in FETCHED and fetches:
                self.fetched.append(value)
            if name == "style" and "url(" in value:
                self.fetched += urls_of_css(value)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.anchors |= {values[name] for name in ("id", "name") if name in values}

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "script":
            self.scripts.append(data)
        elif self._tag == "style":
            self.fetched += urls_of_css(data)
        else:
            self.text.append(data)


def urls_of_css(text: str) -> list[str]:
    found = re.findall(r"url\(\s*['\"]?([^'\")]+)", text)
    return found + re.findall(r"@import\s+['\"]([^'\"]+)", text)


def is_elsewhere(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed (make install-docs)")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_each_page_of_the_folder_is_in_the_site(site: Path, pages: dict[Path, Page]) -> None:
    built = {path.relative_to(site).with_suffix(".md") for path in pages}
    assert {page.relative_to(DOCS) for page in DOCS.rglob("*.md")} <= built


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_a_section_twice(page: Path) -> None:
    """As an edit leaves it that takes the wrong one of two places for its end."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#{1,2} .+$", text, flags=re.MULTILINE)
    assert len(headings) == len(set(headings))


def test_no_page_loads_anything_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    elsewhere = [
        (path.name, url)
        for path, page in pages.items()
        for url in page.fetched
        if is_elsewhere(url)
    ]
    for style in site.rglob("*.css"):
        elsewhere += [(style.name, u) for u in urls_of_css(style.read_text()) if is_elsewhere(u)]
    assert elsewhere == []


def test_no_inline_script_names_another_host(pages: dict[Path, Page]) -> None:
    named = {
        (path.name, url)
        for path, page in pages.items()
        for script in page.scripts
        for url in re.findall(r"https?://[^\s\"']+", script)
    }
    assert named == set()


def targets(site: Path, page: Page, urls: list[str]) -> Iterator[tuple[str, Path, str]]:
    """Return each internal URL of a page with the file and the anchor that it leads to."""
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        # 404.html is shown for any path, so its links begin at the root.
        start = site if parts.path.startswith("/") else page.path.parent
        path = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else page.path
        yield url, path, unquote(parts.fragment)


def test_links_and_anchors_lead_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for page in pages.values():
        for url, path, anchor in targets(site, page, page.links + page.fetched):
            if path.is_dir():
                path /= "index.html"
            anchors = pages[path].anchors if path in pages else {anchor}
            if not path.is_file() or (anchor and anchor not in anchors):
                broken.append((page.path.name, url))
    assert broken == []


def test_search_works_without_a_server(site: Path, pages: dict[Path, Page]) -> None:
    index = (site / "search" / "search_index.js").read_text()
    assert "UNDERSTUDY_TIMEOUT_S" in index
    shims = [url for url in pages[site / "index.html"].fetched if "iframe-worker" in url]
    assert shims == ["assets/iframe-worker.js"]


def test_the_settings_are_those_of_the_code(site: Path, pages: dict[Path, Page]) -> None:
    page = " ".join(" ".join(pages[site / "reference" / "settings.html"].text).split())
    for variable, default in Settings.table():
        assert variable.name in page
        assert default in page
        assert " ".join(variable.help.split()) in page


def test_every_command_and_option_has_its_place(site: Path, pages: dict[Path, Page]) -> None:
    # Highlighted code is in pieces.
    page = "".join("".join(pages[site / "reference" / "commands.html"].text).split())

    def shows(text: str) -> bool:
        return "".join(text.split()) in page

    for name in commands.names():
        command = commands.find(name)
        assert isinstance(command, Command)
        assert shows(f"understudy {name} ")
        for param in command.params:
            if isinstance(param, click.Option) and param.hidden:
                continue
            is_option = isinstance(param, click.Option)
            options = param.opts if is_option else [param.make_metavar(click.Context(command))]
            help_text = getattr(param, "help", None)
            assert help_text
            assert all(map(shows, options)), (name, options)
            assert shows(help_text), (name, help_text)
        assert all(
            shows(f"understudy {line} # {words}") for line, words in command.examples.items()
        )


def test_the_endpoints_are_those_of_a_running_application(
    site: Path, pages: dict[Path, Page]
) -> None:
    page = pages[site / "reference" / "endpoints.html"]
    text = " ".join(page.text)
    for request in (
        "POST /v1/models/{model}:predict",
        "POST /v1/models/{model}:classify",
        "POST /v1/models/{model}:regress",
        "/v1/models/{model}/versions/{version}:predict",
        "/v1/models/{model}/labels/{label}:predict",
        "PUT /v1/models/{model}/policy",
        "POST /v2/models/{model}/infer",
        "GET /metrics",
        "image/png",
    ):
        assert request in text
    # A name of a Python function in place of a summary: the route lacks a description.
    assert re.findall(r"\b[a-z]\w+_v[12]\.\w+", text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = [path.rstrip(".") for path in PATH.findall(page.read_text())]
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_targets_of_make_that_a_page_names_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`|\$ )make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_that_a_page_names_exist(page: Path) -> None:
    known = {variable.name for variable, _ in Settings.table()}
    known |= set(re.findall(r"UNDERSTUDY_[A-Z_]+", (ROOT / "docker-compose.yml").read_text()))
    assert set(re.findall(r"`(UNDERSTUDY_[A-Z_]+)", page.read_text())) <= known


def test_pages_that_the_code_names_exist() -> None:
    tracked = subprocess.run(
        ["git", "grep", "-IhoE", r"\bdocs/[A-Za-z0-9_/-]+\.md", "--", ".", ":!CHANGELOG.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    named = set(tracked.split())
    assert named
    assert sorted(path for path in named if not (ROOT / path).is_file()) == []


def test_messages_that_troubleshooting_quotes_are_in_the_code() -> None:
    literals = [
        node.value
        for half in ("service", "training")
        for path in (ROOT / half).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    quoted = re.findall(r'"`([^`]+)`"', (DOCS / "troubleshooting.md").read_text())
    assert len(quoted) >= 20
    assert [text for text in quoted if not any(text in literal for literal in literals)] == []


def test_lines_of_the_log_that_a_page_quotes_are_as_the_log_has_them() -> None:
    written = {
        level: json.loads(
            JsonFormatter().format(logging.LogRecord("", level, "", 0, "", (), None))
        )["level"]
        for level in (logging.INFO, logging.WARNING, logging.ERROR)
    }
    quoted = [level for page in PAGES for level in LEVEL.findall(page.read_text())]
    assert quoted
    assert set(quoted) <= set(written.values())


def test_anchors_of_the_readme_hold() -> None:
    for page, anchor in DOCUMENT.findall((ROOT / "README.md").read_text()):
        headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
        assert not anchor or anchor[1:] in {slug(heading) for heading in headings}, (page, anchor)


def slug(heading: str) -> str:
    """Return the anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
