"""MkDocs' hooks: put what is generated from the code in place of its markers in the pages."""

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # for `mkdocs`, which does not look in the current folder

from tools.docs.command_pages import command_reference  # noqa: E402
from tools.docs.endpoint_pages import endpoints  # noqa: E402
from tools.docs.settings_table import settings_table  # noqa: E402


@functools.cache
def _endpoints() -> str:
    """Return the reference of the HTTP API; starting the application takes some seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.docs.openapi_document"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PluginError(f"The API's description could not be made:\n{done.stderr[-4000:]}")
    return endpoints(json.loads(done.stdout))


GENERATED: dict[str, Callable[[], str]] = {
    "<!-- generated: commands -->": command_reference,
    "<!-- generated: endpoints -->": _endpoints,
    "<!-- generated: settings -->": settings_table,
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page's text with its generated parts."""
    for marker, generate in GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, generate())
    return markdown
