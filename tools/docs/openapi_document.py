"""Prints the OpenAPI document of a running application that serves committed models.

It runs in a process of its own, so that building the documentation does not import TensorFlow.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from service.app import create_app
from service.settings.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
# Together they have every route, and take every kind of body.
MODELS = ("mpg", "sentiment", "clothing")
_WAIT_S = 120


def openapi_document(folder: Path) -> dict[str, Any]:
    """Return ``/openapi.json`` of an application that serves copies of ``MODELS``.

    Args:
        folder: an empty folder for the copies.

    Raises:
        TimeoutError: the models did not serve within two minutes.
    """
    for model in MODELS:
        shutil.copytree(ROOT / "saved_models" / model, folder / model)
        _label_newest(folder / model)
    app = create_app(Settings(models=folder, workers=1, quiet_s=0.0))
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    try:
        if not lifecycle.wait_until_settled(_WAIT_S):
            raise TimeoutError(f"{', '.join(MODELS)} did not serve within {_WAIT_S} s.")
        client = app.test_client()
        document: dict[str, Any] = json.loads(client.get("/openapi.json").data)
        return document
    finally:
        lifecycle.stop()


def _label_newest(model: Path) -> None:
    """Give the newest version a label, so that the document has the routes of labels."""
    path = model / "policy.json"
    policy = json.loads(path.read_text()) if path.exists() else {}
    newest = max(int(child.name) for child in model.iterdir() if child.name.isdecimal())
    path.write_text(json.dumps({**policy, "labels": {"stable": newest}}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        json.dump(openapi_document(Path(temporary)), sys.stdout)
