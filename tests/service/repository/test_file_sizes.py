"""Files of a version that are too large to be read, by all who read them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from service.repository.contract import Field, Signature
from service.repository.errors import RepositoryError
from service.repository.file_sizes import check_sizes
from service.repository.golden_examples import read_golden
from service.repository.json_files import read_object
from service.repository.manifest import content_digest, verify_manifest
from service.repository.model_card import read_card
from service.repository.model_policy import read_policy
from service.repository.publication_marks import was_published_here
from service.repository.row_independence import decide, proof, prove_independence
from service.repository.safe_open import MOST_BYTES, read_file
from service.repository.serving_records import version_digest

GRAPH = 2**31 - 1


def sparse(path: Path, size: int = 2**42) -> None:
    """Make a file of a size that no memory holds, and that costs no disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, size)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("saved_model.pb", GRAPH),
        ("saved_model.pbtxt", 64 * 2**20),
        ("fingerprint.pb", 2**20),
        ("manifest.json", MOST_BYTES),
        ("assets.extra/card.json", MOST_BYTES),
        ("assets.extra/golden.json", MOST_BYTES),
        ("assets/vocabulary.txt", GRAPH),
        ("assets/deeper/vocabulary.txt", GRAPH),
    ],
)
def test_what_is_read_whole_has_a_bound(tmp_path: Path, name: str, most: int) -> None:
    sparse(tmp_path / name, most)
    sparse(tmp_path / "variables" / "variables.data-00000-of-00001")
    check_sizes(tmp_path)
    sparse(tmp_path / name, most + 1)
    with pytest.raises(RepositoryError) as found:
        check_sizes(tmp_path)
    assert str(found.value) == f"{name} has {most + 1} bytes; at most {most} can be read."


def test_the_size_of_what_a_link_leads_to_counts(tmp_path: Path) -> None:
    sparse(tmp_path / "elsewhere")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RepositoryError, match=r"saved_model\.pb has"):
        check_sizes(tmp_path / "1")


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "card": ("assets.extra/card.json", read_card),
    "golden examples": ("assets.extra/golden.json", read_golden),
    "manifest": ("manifest.json", verify_manifest),
    "manifest, for its digest": ("manifest.json", content_digest),
    "policy": ("policy.json", read_policy),
    "any object": ("object.json", lambda folder: read_object(folder / "object.json")),
    "any file": ("file", lambda folder: read_file(folder / "file")),
}


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_takes_it_in(tmp_path: Path, reader: str) -> None:
    """The file has more bytes than this machine's memory: nobody can have tried to read it."""
    name, read = READERS[reader]
    sparse(tmp_path / name)
    with pytest.raises(RepositoryError, match=r"is larger than \d+ bytes\."):
        read(tmp_path)


def test_a_manifest_that_is_too_large_is_no_mark_and_a_digest_all_the_same(tmp_path: Path) -> None:
    sparse(tmp_path / "m" / "1" / "manifest.json")
    assert not was_published_here(tmp_path / "m" / "1")
    before = version_digest(tmp_path / "m" / "1")
    sparse(tmp_path / "m" / "1" / "other")
    assert version_digest(tmp_path / "m" / "1") != before


def test_a_graph_that_is_too_large_to_look_at_is_not_proved_and_says_why(tmp_path: Path) -> None:
    sparse(tmp_path / "saved_model.pb", proof.MOST_BYTES + 1)
    proofs = prove_independence(tmp_path)
    field = Field(name="x", dtype="float32", shape=(None,))
    signature = Signature("serving_default", inputs=(field,), outputs=(field,))
    found = decide(signature, proofs.get("serving_default"), "", None)
    assert not found.holds
    assert found.reason == "The graph is too large to be analysed: more than 67108864 bytes."
    # A person may still know.
    assert decide(signature, proofs.get("serving_default"), "", True).holds


def test_json_that_nests_more_than_tensors_do_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"a": ' + "[" * 99 + "]" * 99 + "}")
    assert read_object(path)
    path.write_text('{"a": ' + "[" * 100 + "]" * 100 + "}")
    with pytest.raises(RepositoryError, match=r"file\.json nests lists or objects 100 times"):
        read_object(path)
