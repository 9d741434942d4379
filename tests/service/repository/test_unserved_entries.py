"""What lies in a folder of models and is not served: each entry is named with a reason."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from service.repository.model_store import Store


def save(folder: Path) -> None:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")


def reasons(root: Path) -> dict[str, str]:
    return {item.path: item.reason for item in Store(root).survey()[1]}


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def loop(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.name)


def dangle(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("nowhere")


def pipe(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


def listen(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


# Each: an entry beside a good model "good" with version 1, who makes it, its path as it is named,
# and a part of the reason.
ODD: list[tuple[str, Callable[[Path], None], str, str]] = [
    # One level too high or too low, or no number.
    ("m", save, "m", "m/1/"),
    ("v1", save, "v1", "v1/1/"),
    ("2", save, "2", "MODELS is one level too deep"),
    ("group/m/1", save, "group", "one level too high: m/ in it holds versions"),
    ("good/2/export", save, "good/2", "one level too low: move what is in export/ up"),
    ("good/2/model.savedmodel", save, "good/2", "move what is in model.savedmodel/ up"),
    ("good/saved_model.pb", write, "good/saved_model.pb", "a folder of its own"),
    ("m/latest", save, "m", "latest: Its name is not a version"),
    ("good/v2", save, "good/v2", "a whole number, such as 2"),
    ("good/V0002", save, "good/V0002", "a whole number, such as 2"),
    ("good/2.0", save, "good/2.0", "a whole number, such as 2"),
    ("good/2_new", save, "good/2_new", "Its name is not a version"),
    ("good/-2", save, "good/-2", "Its name is not a version"),
    ("good/\u0662", save, "good/\u0662", "Its name is not a version"),
    ("good/1 (copy)", save, "good/1 (copy)", "Its name is not a version"),
    ("good/01", save, "good/01", "It is version 1 as well"),
    (f"good/{2**63}", save, f"good/{2**63}", "too large"),
    ("good/" + "9" * 200, save, "good/" + "9" * 200, "too large"),
    ("empty", Path.mkdir, "empty", "It holds no version"),
    ("good/3", Path.mkdir, "good/3", "It waits for saved_model.pb"),
    # Names that cannot be.
    (
        "a:b/1",
        save,
        "a:b",
        "A request's path cannot name such a model; rename it, for example to a_b",
    ),
    # Other tools' files.
    ("m.keras", write, "m.keras", "It is a Keras file"),
    ("m.H5", write, "m.H5", "m.H5 --name m"),
    ("my net.h5", write, "my net.h5", "my net.h5' --name my_net"),
    ("good/m.keras", write, "good/m.keras", "m.keras --name good"),
    ("m/m.keras", write, "m", "m.keras: It is a Keras file. `understudy import "),
    ("good/2/m.keras", write, "good/2", "m.keras --name good"),
    ("m.zip", write, "m.zip", "It is an archive"),
    ("good/2.tar.gz", write, "good/2.tar.gz", "It is an archive"),
    ("good/2/2.tgz", write, "good/2", "2.tgz: It is an archive"),
    ("m.onnx", write, "m.onnx", "Only SavedModels are served"),
    # What is no folder at all.
    ("good/2", write, "good/2", "It is a file; expected a folder of this name"),
    ("m", loop, "m", "a link to itself"),
    ("good/2", loop, "good/2", "a link to itself"),
    ("m", dangle, "m", "a broken link"),
    ("good/2", dangle, "good/2", "a broken link"),
    ("m", pipe, "m", "a named pipe"),
    ("good/2", pipe, "good/2", "a named pipe"),
    ("m", listen, "m", "a socket"),
    ("good/2", listen, "good/2", "a socket"),
]


@pytest.mark.parametrize(("entry", "make", "path", "reason"), ODD)
def test_what_is_ignored_is_named_and_hides_nothing(
    tmp_path: Path, entry: str, make: Callable[[Path], None], path: str, reason: str
) -> None:
    save(tmp_path / "good" / "1")
    make(tmp_path / entry)
    found = reasons(tmp_path)
    assert list(found) == [path]
    assert reason in found[path]
    assert found[path].endswith(".")
    store = Store(tmp_path)
    assert store.models() == ["good"]
    assert store.versions("good")[1] == tmp_path / "good" / "1"
    json.dumps(found, ensure_ascii=False).encode()


def test_names_that_are_no_text_are_printed_all_the_same(tmp_path: Path) -> None:
    save(tmp_path / "good" / "1")
    for name in (b"caf\xe9", b"good/caf\xe9", b"good/2\xff"):
        (tmp_path / os.fsdecode(name)).mkdir(parents=True)
    found = reasons(tmp_path)
    assert list(found) == ["caf\\xe9", "good/2\\xff", "good/caf\\xe9"]
    assert found["caf\\xe9"] == "Its name is not UTF-8, so no request can name it; rename it."
    json.dumps(found, ensure_ascii=False).encode()
    assert Store(tmp_path).models() == ["good"]


def test_what_is_plainly_no_model_is_passed_by(tmp_path: Path) -> None:
    save(tmp_path / "good" / "1")
    for name in (
        "README.md",
        "odd name?.txt",
        ".git/config",
        ".models.zip",
        "good/policy.json",
        "good/rollout.json",
        "good/config.pbtxt",
        "good/labels.txt",
        "good/.policy.json-123",
        "good/.incoming-abc/saved_model.pb",
        "new/.incoming-abc/saved_model.pb",
        "good/1/assets/1/a.zip",
    ):
        write(tmp_path / name)
    assert reasons(tmp_path) == {}


@pytest.mark.parametrize("make", [Path.mkdir, pipe, loop, dangle, write])
def test_a_policy_is_no_entry_of_its_own_whatever_it_is(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """What is wrong with it is told as the model's ``policy_problem``."""
    save(tmp_path / "good" / "1")
    make(tmp_path / "good" / "policy.json")
    assert reasons(tmp_path) == {}


def test_the_folder_of_models_itself(tmp_path: Path) -> None:
    assert reasons(tmp_path) == {}
    assert "No such file" in reasons(tmp_path / "nowhere")["."]
    write(tmp_path / "file")
    assert "Not a directory" in reasons(tmp_path / "file")["."]
    loop(tmp_path / "loop")
    assert reasons(tmp_path / "loop")["."] == "It is a link to itself; remove it."
    save(tmp_path / "model")
    assert "move that into <model>/<version>/" in reasons(tmp_path / "model")["."]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE])
@pytest.mark.parametrize("place", ["bad", "good/2"])
def test_what_cannot_be_read_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, place: str
) -> None:
    save(tmp_path / "good" / "1")
    save(tmp_path / "bad" / "1")
    save(tmp_path / "good" / "2")
    real = os.scandir

    def scandir(path: os.PathLike[str]) -> object:
        if str(path) == str(tmp_path / place):
            raise OSError(number, os.strerror(number), os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    models, ignored = Store(tmp_path).survey()
    if place == "bad":
        assert models == ["good"]
        assert [item.path for item in ignored] == ["bad"]
        assert ignored[0].reason.startswith("It cannot be read: ")
        with pytest.raises(OSError, match=os.strerror(number)):
            Store(tmp_path).versions("bad")
    else:
        assert models == ["bad", "good"]
    assert list(Store(tmp_path).versions("good")) == [1, 2]


def test_another_user_sees_what_it_may(tmp_path: Path, repository_root: Path) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("only root becomes another user, by setpriv")
    save(tmp_path / "good" / "1")
    save(tmp_path / "locked" / "1")
    save(tmp_path / "hidden" / "1")
    (tmp_path / "locked").chmod(0o000)
    (tmp_path / "hidden").chmod(0o444)  # Its names can be read, but nothing behind them.
    temporary = Path(tempfile.gettempdir())
    for folder in (tmp_path, *tmp_path.parents):
        if temporary in folder.parents and folder.stat().st_uid == 0:
            folder.chmod(0o755)
    script = (
        "import json, sys; from pathlib import Path; from service.repository.model_store import Store\n"
        "models, ignored = Store(Path(sys.argv[1])).survey()\n"
        "print(json.dumps([models, {item.path: item.reason for item in ignored}]))"
    )
    # As this interpreter may lie where another user cannot look, the capabilities go, not the user.
    output = subprocess.run(
        [
            setpriv,
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search",
            "--reuid=12345",
            "--clear-groups",
            sys.executable,
            "-c",
            script,
            str(tmp_path),
        ],
        cwd=repository_root,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission denied" in output.stderr or "shared libraries" in output.stderr:
        pytest.skip("another user cannot run this interpreter")
    assert output.returncode == 0, output.stderr
    models, ignored = json.loads(output.stdout)
    assert "good" in models
    assert "lacks the permission" in ignored["locked"]
