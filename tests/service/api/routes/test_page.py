"""The page's files: small, all of this host, and turned off by a setting."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.api.routes.page import FOLDER
from tests.service.conftest import MakeApp

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
# types.d.ts is for editors alone.
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".ts")
MOST_BYTES = 120_000


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    return make_app().test_client()


def test_all_files_together_are_small() -> None:
    """As they lie here; a browser gets them packed, in less than half."""
    assert sum(path.stat().st_size for path in FILES) <= MOST_BYTES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_of_this_host_and_makes_no_markup_of_text(path: Path) -> None:
    text = path.read_text()
    foreign = re.sub(r"http://www\.w3\.org/(1999|2000)/\w+", "", text)
    assert not re.search(r"""["'(]https?://""", foreign)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r'\s(style|on\w+)="', text)
    assert len(text.splitlines()) < 400


def test_every_import_is_a_file_of_the_page() -> None:
    names = {path.name for path in FILES}
    for path in FILES:
        assert set(re.findall(r'from "\./([^"]+)"', path.read_text())) <= names, path.name


def test_the_page_knows_no_model_by_name() -> None:
    for path in FILES:
        text = path.read_text().lower()
        names = ("clothing", "sentiment", "mpg", "mnist", "horsepower")
        assert not [name for name in names if name in text], path.name


@pytest.mark.parametrize("path", ["/", "/models/affine", "/models/nobody"])
def test_browsers_get_the_page(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers=BROWSER)
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", response.text)
    for file in re.findall(r'(?:src|href)="(/ui/[^"]+)"', response.text):
        assert client.get(file).status_code == 200


def test_a_file_is_sent_once(client: FlaskClient) -> None:
    for path in FILES:
        if path.name == "index.html":
            continue
        first = client.get(f"/ui/{path.name}")
        assert first.data == path.read_bytes()
        assert first.headers["X-Content-Type-Options"] == "nosniff"
        again = client.get(f"/ui/{path.name}", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["none.js", "../routes/root.py", "..%2fapp.py", "index.html"])
def test_nothing_else_is_sent(client: FlaskClient, name: str) -> None:
    assert client.get(f"/ui/{name}").status_code == 404


def test_a_setting_turns_it_off(make_app: MakeApp) -> None:
    client = make_app(page=False).test_client()
    assert "<script" not in client.get("/", headers=BROWSER).text
    for path in ("/models/affine", "/ui/main.js", "/ui/overview"):
        assert client.get(path).status_code == 404
    # The API's page keeps its look.
    assert "--accent" in client.get("/docs/page.css").text
