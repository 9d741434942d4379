"""The page on serving a Keras model of one's own: what it shows is run, and serves."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from flask.testing import FlaskClient

from service.app import create_app
from service.settings.settings import Settings
from tests.docs.test_readme import assert_shown
from understudy import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-own-model.md"
# Of Keras, when it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, str]]:
    """Return the commands of the ``console`` blocks, each with what is shown below it."""
    parts = [part for block in blocks("console") for part in re.split(r"^\$ ", block, flags=re.M)]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts if part]


@contextmanager
def served(models: Path) -> Iterator[FlaskClient]:
    app = create_app(Settings(models=models, workers=1, quiet_s=0.0, poll_interval_s=0.1))
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    try:
        assert lifecycle.wait_until_settled(60)
        yield app.test_client()
    finally:
        lifecycle.stop()


def ask(client: FlaskClient, command: str) -> dict[str, Any]:
    """Send what a curl command sends."""
    words = shlex.split(command)
    path = words[-1].partition(":8501")[2]
    answer: dict[str, Any] = client.post(path, data=words[words.index("-d") + 1]).get_json()
    return answer


def test_every_command_does_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODELS", raising=False)
    making, importing, _ = blocks("python")
    exec(compile(making, PAGE.name, "exec"), {})
    (tmp_path / "churn.toml").write_text(blocks("toml")[0])
    capsys.readouterr()
    first, good, wrong, second, outside = steps()

    command, printed = first
    assert cli.main(shlex.split(command)[1:]) == 0
    assert_shown(capsys.readouterr().out, printed)
    with served(tmp_path / "saved_models") as client:
        answer = ask(client, good[0])["predictions"][0]
        assert answer.keys() == {"label", "probability"}
        assert (answer["label"] == "leaves") == (answer["probability"] >= 0.5)
        assert f'"error": "{ask(client, wrong[0])["error"]}"' in wrong[1]

    command, printed = second
    assert cli.main(shlex.split(command.removesuffix(" --force"))[1:]) == 3
    capsys.readouterr()
    assert cli.main(shlex.split(command)[1:]) == 0
    assert_shown(capsys.readouterr().out, printed)
    with served(tmp_path / "saved_models") as client:
        assert f'"error": "{ask(client, outside[0])["error"]}"' in outside[1]
        # What the page in the browser tries it with.
        shown = client.get("/ui/overview").get_json()
        assert [model["name"] for model in shown["models"]] == ["churn"]

    exec(compile(importing, PAGE.name, "exec"), {})
    assert (tmp_path / "saved_models" / "churn" / "3" / "manifest.json").is_file()


class Verdicts(keras.Model):
    """Takes strings, which Keras does not keep of a subclass, and drops all that it may."""

    def __init__(self) -> None:
        super().__init__()
        self.words = keras.layers.StringLookup(vocabulary=["good"], output_mode="one_hot")
        self.drop = keras.layers.Dropout(0.99)

    def call(self, text: Any) -> Any:
        return self.drop(self.words(text))


def test_a_subclass_that_takes_strings_is_exported_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exporting = blocks("python")[-1]
    model = Verdicts()
    model(tf.constant(["good"]))
    exec(compile(exporting, PAGE.name, "exec"), {"keras": keras, "model": model})
    assert cli.main(["import", "folder", "--name", "verdicts", "--models", str(tmp_path)]) == 0
    with served(tmp_path) as client:
        answer = client.post("/v1/models/verdicts:predict", json={"instances": ["good", "bad"]})
        assert answer.get_json() == {"predictions": [[0.0, 1.0], [1.0, 0.0]]}
