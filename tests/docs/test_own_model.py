"""The page on serving a Keras model of one's own: its code publishes a version that serves."""

import re
import shutil
from pathlib import Path

import pytest

from service.app import create_app
from service.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-own-model.md"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page's model, and with a copy that is a SavedModel and no more."""
    _, publishing = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(publishing, PAGE.name, "exec"), {})
    version = folder / "models" / "iris" / "1"
    plain = folder / "models" / "plain" / "1"
    without = shutil.ignore_patterns("manifest.json", "card.json", "golden.json")
    shutil.copytree(version, plain, ignore=without)
    return folder / "models"


def test_the_code_publishes_a_whole_version(models: Path) -> None:
    files = {path.name for path in (models / "iris" / "1").rglob("*")}
    assert files >= {"saved_model.pb", "card.json", "golden.json", "manifest.json"}


def test_both_serve_and_refuse_with_the_words_of_the_page(models: Path) -> None:
    app = create_app(Settings(models=models, workers=1, quiet_s=0.0, poll_interval_s=0.1))
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    try:
        assert lifecycle.wait_until_settled(60)
        client = app.test_client()

        def ask(model: str, values: list[float]) -> tuple[int, str]:
            answer = client.post(f"/v1/models/{model}:predict", json={"instances": [values]})
            return answer.status_code, answer.get_json().get("error", "")

        for model in ("iris", "plain"):
            assert ask(model, [5.1, 3.5, 1.4, 0.2]) == (200, "")
            status, error = ask(model, [5.1, 3.5, 1.4])
            assert status == 400
            assert error in PAGE.read_text()
        status, error = ask("iris", [5.1, 3.5, 1.4, -1])
        assert status == 400
        assert error in PAGE.read_text()
        # Without a card there is no range.
        assert ask("plain", [5.1, 3.5, 1.4, -1]) == (200, "")
    finally:
        lifecycle.stop()
