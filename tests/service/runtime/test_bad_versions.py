"""Every way in which a version can be bad, made for real; the old one goes on serving."""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from service.repository.golden_examples import GOLDEN, Golden, GoldenExample
from service.repository.manifest import MANIFEST, write_manifest
from service.repository.model_card import CARD
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State
from tests.lifecycles import started
from tests.savedmodels.affine import fill_affine, publish_affine
from tests.savedmodels.shapes import save_shapes

DATA = "variables/variables.data-00000-of-00001"


@pytest.fixture
def lifecycle(tmp_path: Path) -> Iterator[Lifecycle]:
    """A lifecycle that serves version 1; version 2 is for the tests to spoil."""
    publish_affine(tmp_path / "models", bias=1.0)
    lifecycle = started(tmp_path / "models")
    yield lifecycle
    lifecycle.stop()


def truncate(version: Path) -> None:
    data = (version / DATA).read_bytes()
    (version / DATA).write_bytes(data[:-8])


def flip_a_bit(version: Path) -> None:
    data = bytearray((version / DATA).read_bytes())
    data[1] ^= 4
    (version / DATA).write_bytes(data)


def mix_two_versions(version: Path) -> None:
    """Take the variables of another version: TensorFlow loads that without a word."""
    other = version.parent / "other"
    fill_affine(other, bias=9.0)
    shutil.rmtree(version / "variables")
    shutil.copytree(other / "variables", version / "variables")


def lose_a_file(version: Path) -> None:
    (version / "fingerprint.pb").unlink()


def add_a_file(version: Path) -> None:
    (version / "variables" / "notes.txt").write_text("mine")


def link_out(version: Path) -> None:
    outside = version.parent / "outside.pb"
    (version / "saved_model.pb").rename(outside)
    (version / "saved_model.pb").symlink_to(outside)


def spoil_the_card(version: Path) -> None:
    (version / CARD).write_text("title: no JSON")
    write_manifest(version)


def change_the_signature(version: Path) -> None:
    shutil.rmtree(version / "variables")
    shutil.copytree(version / "assets.extra", version.parent / "extra")
    shutil.rmtree(version)
    save_shapes(version)
    shutil.copytree(version.parent / "extra", version / "assets.extra")
    write_manifest(version)


def rename_an_input(version: Path) -> None:
    card = json.loads((version / CARD).read_text())
    card["contract"]["serving_default"]["inputs"][0]["name"] = "z"
    (version / CARD).write_text(json.dumps(card))
    write_manifest(version)


def lie_in_the_golden_answers(version: Path) -> None:
    golden = json.loads((version / GOLDEN).read_text())
    golden["examples"][0]["prediction"]["y"] += 1
    (version / GOLDEN).write_text(json.dumps(golden))
    write_manifest(version)


def take_nan_for_weights(version: Path) -> None:
    shutil.rmtree(version)
    # Only the text is golden: the numbers of this version are no numbers.
    example = GoldenExample(
        "serving_default", {"x": [1, 2], "text": "quiet", "shift": None}, {"loud": "QUIET"}
    )
    fill_affine(version, bias=float("nan"), golden=Golden([example]))
    write_manifest(version)


SPOILS: list[tuple[Callable[[Path], None], str]] = [
    (truncate, f"{DATA} has 302 bytes, the manifest says 310."),
    (flip_a_bit, f"{DATA} does not have the content that the manifest says."),
    (mix_two_versions, "does not have the content that the manifest says."),
    (lose_a_file, "fingerprint.pb is in the manifest but not on disk."),
    (add_a_file, "variables/notes.txt is on disk but not in the manifest."),
    (link_out, "saved_model.pb is a symbolic link."),
    (spoil_the_card, "assets.extra/card.json is not JSON"[13:]),
    (change_the_signature, "The card has a signature 'serving_default' that the SavedModel lacks."),
    (rename_an_input, "the card's inputs are shift, text, z, the SavedModel's are shift, text, x."),
    (lie_in_the_golden_answers, "Golden example 0 (plain) answers y = 7.0, expected 8.0."),
    (take_nan_for_weights, "It answers NaN or infinity in 'y' to a golden example."),
]


def answer(lifecycle: Lifecycle) -> tuple[int, float]:
    with lifecycle.lease("affine") as servable:
        outputs = servable.predict(servable.contract["only_y"], {"x": np.ones((1, 2), np.float32)})
        return servable.version, float(outputs["y"][0])


def wait_for(lifecycle: Lifecycle, state: State) -> str:
    """Wait until version 2 is in ``state``, and return the reason."""
    deadline = time.monotonic() + 30
    while True:
        for item in lifecycle.status("affine"):
            if item.version == 2 and item.state is state:
                return item.reason
        assert time.monotonic() < deadline, lifecycle.status("affine")
        time.sleep(0.02)


@pytest.mark.parametrize(("spoil", "reason"), SPOILS, ids=[spoil.__name__ for spoil, _ in SPOILS])
def test_a_bad_version_is_refused_and_says_why(
    lifecycle: Lifecycle, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    version = tmp_path / "version"
    fill_affine(version, bias=2.0)
    write_manifest(version)
    spoil(version)
    version.rename(tmp_path / "models" / "affine" / "2")
    assert reason in wait_for(lifecycle, State.FAILED)
    assert answer(lifecycle) == (1, 4.0)


def test_a_version_that_may_not_be_read_is_refused(lifecycle: Lifecycle, tmp_path: Path) -> None:
    version = tmp_path / "version"
    fill_affine(version, bias=2.0)
    write_manifest(version)
    (version / DATA).chmod(0)
    command = ["cat", str(version / DATA)]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        pytest.skip("this user may read everything")
    version.rename(tmp_path / "models" / "affine" / "2")
    assert f"{DATA} cannot be read: Permission denied." in wait_for(lifecycle, State.FAILED)
    assert answer(lifecycle) == (1, 4.0)


def test_a_version_that_is_copied_slowly_is_taken_when_it_is_whole(
    lifecycle: Lifecycle, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    fill_affine(source, bias=2.0)
    write_manifest(source)
    target = tmp_path / "models" / "affine" / "2"
    files = sorted(path for path in source.rglob("*") if path.is_file())
    assert files[-1].parent.name == "variables"
    # The manifest is not the last to come: a copy keeps no order.
    assert [path.name for path in files].index(MANIFEST) < len(files) - 1

    def copy_slowly() -> None:
        for path in files:
            time.sleep(10 / len(files))
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)

    copying = threading.Thread(target=copy_slowly)
    copying.start()
    while copying.is_alive():
        assert answer(lifecycle) == (1, 4.0)
        time.sleep(0.02)
    wait_for(lifecycle, State.AVAILABLE)
    assert answer(lifecycle) == (2, 5.0)
