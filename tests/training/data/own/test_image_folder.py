"""Folders of pictures by class."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from service.repository.contract import Field
from service.repository.folder_walk import remove_tree
from tests.owndata import draw_shapes
from tests.service.repository.test_folder_walk import nest
from training.data.dataset_types import Images
from training.data.fashion_mnist import GARMENTS
from training.data.own.bad_rows import BadRows
from training.data.own.image_folder import as_sent, read
from training.errors import TrainingError
from training.preprocessing.images import from_encoded


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    draw_shapes(tmp_path / "shapes", 20)
    return tmp_path / "shapes"


FIELD = Field(
    name="file",
    dtype="string",
    shape=(None,),
    max_length=50_000,
    content_types=("image/png", "image/jpeg", "image/gif", "image/bmp"),
)


def prepare(encoded: Any) -> Any:
    return from_encoded(encoded, 28)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def images(folder: Path, tolerated: float = 0.0) -> tuple[Images, BadRows]:
    bad = BadRows(tolerated)
    return read(folder, bad, field=FIELD, prepare=prepare, standard=GARMENTS), bad


def test_pictures_of_all_modes_are_prepared_as_the_service_will(shapes: Path) -> None:
    data, bad = images(shapes)
    assert len(bad) == 0
    assert data.labels == ("circle", "line", "square")
    assert data.train.shape == (51, 28, 28)
    assert data.train.dtype == np.uint8
    assert np.bincount(data.train_labels).tolist() == [17, 17, 17]
    assert np.bincount(data.test_labels).tolist() == [3, 3, 3]
    every = {picture.tobytes() for picture in (*data.train, *data.test)}
    for path in sorted((shapes / "line").iterdir()):
        pixels = prepare(tf.constant(path.read_bytes())).numpy()
        assert np.rint(pixels).astype(np.uint8).tobytes() in every
    assert data.own is not None
    assert {key: value for key, value in data.own.items() if key != "findings"} == {
        "classes": {"circle": 20, "line": 20, "square": 20},
        "division": "15 % of each class for the test, by hash of content",
        "bad_rows": 0,
    }


def test_pictures_that_were_exchanged_are_read_anew(tmp_path: Path) -> None:
    """Corrected labels: the files have the same names, sizes and times as before."""
    folder, out = tmp_path / "shapes", tmp_path / "out"
    for name, grey in (("black", 10), ("white", 200)):
        (folder / name).mkdir(parents=True)
        for row in range(12):
            pixels = np.zeros((28, 28), np.uint8)
            pixels[4:20, 2 : 8 + row] = grey
            path = folder / name / f"{row}.bmp"
            Image.fromarray(pixels).save(path)
            os.utime(path, (10**9, 10**9))
    images(folder)
    one, other = folder / "black" / "3.bmp", folder / "white" / "3.bmp"
    one.rename(out), other.rename(one), out.rename(other)
    data, _ = images(folder)
    bright = [picture.max() for picture in (*data.train, *data.test)]
    labels = [*data.train_labels, *data.test_labels]
    assert sum((grey > 100) != label for grey, label in zip(bright, labels, strict=True)) == 2


def test_a_file_that_could_not_be_read_is_tried_again(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def fail(path: Path) -> bytes:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        patch.setattr(Path, "read_bytes", fail)
        with pytest.raises(TrainingError, match="cannot be read: Too many open files"):
            images(shapes)
    assert len(images(shapes)[1]) == 0


def test_a_picture_stays_a_test_picture_wherever_it_lies(shapes: Path) -> None:
    before, _ = images(shapes)
    (shapes / "line" / "deeper").mkdir()
    for path in (shapes / "line").glob("*.png"):
        path.rename(shapes / "line" / "deeper" / f"z{path.name}")
    shutil.copytree(shapes / "circle", shapes / "circle" / "copies")
    after, _ = images(shapes)
    tested = {picture.tobytes() for picture in before.test}
    assert tested <= {picture.tobytes() for picture in after.test}
    assert not tested & {picture.tobytes() for picture in after.train}


def test_hidden_files_and_files_beside_the_classes_are_not_read(shapes: Path) -> None:
    (shapes / "README.txt").write_text("Shapes.")
    (shapes / "line" / ".DS_Store").write_bytes(b"x")
    (shapes / ".cache").mkdir()
    (shapes / ".cache" / "x.png").write_bytes(b"x")
    data, bad = images(shapes)
    assert len(data.labels) == 3
    assert bad.lines == []


def test_what_is_no_picture_is_listed(shapes: Path) -> None:
    whole = next((shapes / "line").glob("*.png")).read_bytes()
    (shapes / "line" / "half.png").write_bytes(whole[: len(whole) // 2])
    (shapes / "line" / "empty.jpg").write_bytes(b"")
    (shapes / "square" / "notes.txt").write_text("Not a picture.")
    with pytest.raises(TrainingError) as caught:
        images(shapes, tolerated=0.02)
    problem = "Expected a PNG, JPEG, GIF or BMP picture, not"
    assert str(caught.value).splitlines() == [
        f"{shapes}: 3 of 63 rows are bad (4.76 %), more than the 2 % that --max-bad-rows allows:",
        f"  line/empty.jpg: {problem} an empty file",
        "  line/half.png: is not a complete PNG, JPEG, GIF or BMP",
        f"  square/notes.txt: {problem} a file that begins with b'Not a pictur'",
    ]
    data, bad = images(shapes, tolerated=0.05)
    assert len(bad) == 3
    assert data.own is not None
    assert data.own["bad_rows"] == 3


def test_folders_named_as_the_garments_are_the_garments(tmp_path: Path) -> None:
    draw_shapes(tmp_path / "shapes", 12)
    for garment in GARMENTS:
        shutil.copytree(tmp_path / "shapes" / "line", tmp_path / "own" / garment.replace("/", "_"))
    data, _ = images(tmp_path / "own")
    assert data.labels == GARMENTS


def test_pictures_are_decoded_once(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shapes / "line" / "empty.jpg").write_bytes(b"")
    before, _ = images(shapes, tolerated=0.1)
    monkeypatch.setattr(
        "training.data.own.image_folder._picture", lambda *_: pytest.fail("decoded again")
    )
    after, bad = images(shapes, tolerated=0.1)
    assert (after.train == before.train).all()
    assert bad.lines == [
        "line/empty.jpg: Expected a PNG, JPEG, GIF or BMP picture, not an empty file"
    ]
    (shapes / "line" / "empty.jpg").write_bytes(b"x")
    with pytest.raises(pytest.fail.Exception, match="decoded again"):
        images(shapes, tolerated=0.1)


def test_one_class_and_a_class_of_few(shapes: Path) -> None:
    for path in sorted((shapes / "line").iterdir())[9:]:
        path.unlink()
    with pytest.raises(TrainingError, match="'line' has 9 different rows; at least 10 are needed"):
        images(shapes)
    shutil.rmtree(shapes / "line")
    shutil.rmtree(shapes / "square")
    with pytest.raises(TrainingError, match="has only the class 'circle'; at least two are needed"):
        images(shapes)


def test_names_that_are_not_utf_8(shapes: Path) -> None:
    """Old archives bring such; a file needs no name, a class does."""
    pictures = sorted((shapes / "line").iterdir())
    named = os.fsencode(shapes / "line")
    pictures[0].rename(Path(os.fsdecode(named + b"/caf\xe9" + os.fsencode(pictures[0].suffix))))
    latin = Path(os.fsdecode(os.fsencode(shapes / "caf") + b"\xe9"))
    latin.mkdir()
    pictures[1].rename(latin / "a.png")
    (shapes / "line" / "two\nlines.png").write_text("no picture")
    data, bad = images(shapes, tolerated=0.1)
    assert data.labels == ("circle", "line", "square")
    assert len(data.train) + len(data.test) == 59
    assert sorted(bad.lines) == [
        "caf\\xe9/a.png: is in a folder whose name is not UTF-8, or has line breaks: "
        "it cannot name a class",
        "line/two\\nlines.png: Expected a PNG, JPEG, GIF or BMP picture, not a file that begins with "
        "b'no picture'",
    ]


def test_a_picture_is_what_people_see_however_its_file_lies(tmp_path: Path) -> None:
    """The orientation that Exif tells of is followed, as the service does."""
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    draw_shapes(tmp_path / "shapes", 12)
    shown = {}
    for path in sorted((tmp_path / "shapes").rglob("*.*")):
        with Image.open(path) as image:
            seen = image.convert("L")
        path.unlink()
        for orientation in (1, 3, 6):
            exif = Image.Exif()
            exif[0x0112] = orientation
            lying = seen.transpose(undo[orientation]) if orientation > 1 else seen
            name = tmp_path / f"turned-{orientation}" / path.parent.name / f"{path.stem}.png"
            name.parent.mkdir(parents=True, exist_ok=True)
            lying.save(name, exif=exif)
    for orientation in (1, 3, 6):
        shown[orientation], _ = images(tmp_path / f"turned-{orientation}")
    for orientation in (3, 6):
        assert (shown[orientation].train == shown[1].train).all()
        assert (shown[orientation].test == shown[1].test).all()


def test_what_the_service_would_refuse_is_not_learned_from(shapes: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(shapes / "line" / "heavy.png")
    Image.new("1", (6000, 5000)).save(shapes / "line" / "vast.png")
    Image.new("L", (40, 40)).save(shapes / "line" / "modern.webp")
    _, bad = images(shapes, tolerated=0.1)
    size = (shapes / "line" / "heavy.png").stat().st_size
    kinds = "Expected a PNG, JPEG, GIF or BMP picture"
    assert bad.lines == [
        f"line/heavy.png: Expected a file of at most 50000 bytes, not {size}",
        f"line/modern.webp: {kinds}, not a WebP file",
        f"line/vast.png: {kinds} of at most 25000000 pixels, not 6000 x 5000",
    ]


def test_each_test_picture_knows_its_file(shapes: Path) -> None:
    data, _ = images(shapes)
    for picture, path in zip(data.test, data.test_files, strict=True):
        pixels = prepare(tf.constant(as_sent(path.read_bytes(), FIELD))).numpy()
        assert (pixels == picture).all()


def test_a_bottomless_folder_is_named(shapes: Path) -> None:
    try:
        nest(shapes / "line" / "more")
        with pytest.raises(TrainingError, match=r"line/more/d/\.\.\. is deeper than"):
            images(shapes)
    finally:
        remove_tree(shapes)
