"""What lies in a folder of models and is not served, and why.

Each entry is checked by itself: one that cannot be read hides no other. What is clearly not a
model (a README, a hidden folder, a publisher's unfinished version) is skipped silently.
"""

import errno
import os
import re
import shlex
import stat
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.repository.folder_names import is_version_name
from service.repository.model_policy import POLICY

GRAPHS = ("saved_model.pb", "saved_model.pbtxt")

# Files of models, as other tools write them, and what to do with them.
_KERAS = (".keras", ".h5", ".hdf5")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz", ".7z")
_OTHERS = (".tflite", ".onnx", ".pt", ".pth", ".ckpt", ".pkl", ".joblib")
_MOST_VERSION = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class UnservedEntry:
    """An entry of the folder of models that is not served.

    Attributes:
        path: where it lies, relative to the folder of models and with slashes; bytes that are no
            UTF-8 are written as ``\\xff``.
        reason: why it is not served and what to do, in sentences.
    """

    path: str
    reason: str


def printable(name: str) -> str:
    """Return a file's name as text that any log and any JSON can hold."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def is_utf8(name: str) -> bool:
    """Whether a file's name is text, and can so be a part of a request's path."""
    return printable(name) == name


def unserved_in_root(
    root: Path, is_model_name: Callable[[str], bool], versions: Callable[[str], Mapping[int, Path]]
) -> tuple[list[str], list[UnservedEntry]]:
    """Look through a folder of models.

    Args:
        root: the folder.
        is_model_name: whether a name can be a model's.
        versions: returns the versions of a model and their folders.

    Returns:
        The names of the models, those of which at least one version is there, and what is
        ignored; both sorted.
    """
    models: list[str] = []
    ignored: list[UnservedEntry] = []
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError as error:
        return [], [UnservedEntry(".", unreadable(error))]
    if any(entry.name in GRAPHS for entry in entries):
        reason = "It holds a SavedModel itself; move that into <model>/<version>/ below it."
        return [], [UnservedEntry(".", reason)]
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if not is_model_name(entry.name) or not is_utf8(entry.name):
                reason = _bad_name(entry)
            elif entry.is_dir():
                found = versions(entry.name)
                reason = "" if found else _no_versions(Path(entry.path))
                if found:
                    models.append(entry.name)
                    ignored += unserved_in_model(entry.name, Path(entry.path), found)
            else:
                reason = _no_folder(entry, "<model>/<version>/")
        except OSError as error:
            reason = unreadable(error)
        if reason:
            ignored.append(UnservedEntry(printable(entry.name), reason))
    return models, sorted(ignored)


def unserved_in_model(
    model: str, folder: Path, versions: Mapping[int, Path]
) -> Iterator[UnservedEntry]:
    """Yield what lies beside a model's versions, and those versions that hold no graph.

    Args:
        model: the model's name.
        folder: the folder that holds its versions.
        versions: the versions and their folders.
    """
    taken = {path.name for path in versions.values()}
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield UnservedEntry(model, unreadable(error))
        return
    for entry in entries:
        if entry.name in taken or entry.name.startswith("."):
            continue
        reason = _beside_versions(entry, versions)
        if reason:
            yield UnservedEntry(f"{model}/{printable(entry.name)}", reason)
    for path in versions.values():
        reason = why_no_graph(path)
        if reason:
            yield UnservedEntry(f"{model}/{path.name}", reason)


def why_no_graph(version: Path) -> str:
    """Return what a version waits for that holds no graph.

    It is empty when there is a graph, or nothing can be seen: such a version is refused as one.
    """
    if any(os.path.lexists(version / name) for name in GRAPHS):
        return ""
    try:
        entries = sorted(os.scandir(version), key=lambda entry: entry.name)
    except OSError:
        return ""
    for entry in entries:
        if entry.name.endswith((*_KERAS, *_ARCHIVES, *_OTHERS)):
            return f"It waits for {GRAPHS[0]}. {printable(entry.name)}: {_no_folder(entry, '')}"
        if _holds_graph(entry):
            return (
                f"It waits for {GRAPHS[0]}, which is one level too low: move what is in "
                f"{printable(entry.name)}/ up."
            )
    return f"It waits for {GRAPHS[0]}."


def _beside_versions(entry: os.DirEntry[str], versions: Container[int]) -> str:
    """Return what is wrong with an entry of a model's folder that is no version, if it matters."""
    name = entry.name
    if name == POLICY:
        return ""  # Whatever it is: what is wrong with a policy is said of its model.
    try:
        if name in GRAPHS:
            return (
                "A SavedModel is beside the versions; move it, with its variables/ and assets/, "
                "into a folder of its own with the next number."
            )
        if name.isascii() and name.isdecimal():
            if not entry.is_dir():
                return _no_folder(entry, "a folder of this name")
            if int(name) in versions:
                return (
                    f"It is version {int(name)} as well; another folder is served as that version."
                )
            return f"Its number is too large for a version: at most {_MOST_VERSION}."
        if not entry.is_dir():
            is_file = entry.is_file()
            known = name.lower().endswith((*_KERAS, *_ARCHIVES, *_OTHERS))
            return _no_folder(entry, "<version>/") if known or not is_file else ""
    except OSError as error:
        return unreadable(error)
    if name in ("variables", "assets", "assets.extra"):
        return ""  # Of the SavedModel beside it, which is named.
    return _no_number(name)


def _no_versions(folder: Path) -> str:
    """Return what is wrong with a folder that has a model's name but no version."""
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    names = [entry.name for entry in entries]
    if any(name in GRAPHS for name in names):
        return (
            "It holds a SavedModel but no version: move what is in it into a folder with a "
            f"number, {folder.name}/1/. If it is a version itself, MODELS is one level too deep."
        )
    if any(name.startswith(".incoming-") for name in names):
        return ""  # Somebody publishes the first version.
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _holds_versions(entry):
            return (
                f"It is one level too high: {printable(entry.name)}/ in it holds versions. Move "
                "that up into the folder of models, or set MODELS to this folder."
            )
        reason = _beside_versions(entry, {})
        if reason:
            return f"It holds no version that can serve. {printable(entry.name)}: {reason}"
    return "It holds no version: a version is a folder with a number for a name, such as 1/."


def why_no_versions(base_path: Path) -> str:
    """Return in a sentence why a base path holds no version of its model."""
    try:
        entries = sorted(os.scandir(base_path), key=lambda entry: entry.name)
    except FileNotFoundError:
        return "Its base path is not there."
    except NotADirectoryError:
        return "Its base path is a file; expected the folder that holds the versions."
    except OSError as error:
        return f"Its base path: {unreadable(error)}"
    if is_version_name(base_path.name) and any(entry.name in GRAPHS for entry in entries):
        return (
            f"Its base path is one level too deep: it is version {int(base_path.name)} itself. The "
            "base path is the folder above."
        )
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _holds_versions(entry):
            return (
                f"Its base path is one level too high: {printable(entry.name)}/ in it holds "
                "versions. The base path is that folder."
            )
        reason = _beside_versions(entry, {})
        if reason:
            return f"Its base path holds no version. {printable(entry.name)}: {reason}"
    return "Its base path holds no version: a version is a folder with a number for a name."


def _bad_name(entry: os.DirEntry[str]) -> str:
    if not entry.is_dir():
        # A file with an odd name matters as little as any other file.
        return _no_folder(entry, "<model>/<version>/") if not entry.is_file() else ""
    if not is_utf8(entry.name):
        return "Its name is not UTF-8, so no request can name it; rename it."
    better = re.sub(r"[^A-Za-z0-9_.-]", "_", entry.name.lstrip("-")) or "model"
    return f"A request's path cannot name such a model; rename it, for example to {better}."


def _no_number(name: str) -> str:
    hint = ""
    bare = name.lstrip("vV")
    if bare != name and bare.isascii() and bare.isdecimal():
        hint = f", such as {int(bare[:19])}"
    elif name.split(".")[0].isascii() and name.split(".")[0].isdecimal():
        hint = f", such as {int(name.split('.')[0][:19])}"
    return f"Its name is not a version: a version is a whole number{hint}. Rename it, or remove it."


def _no_folder(entry: os.DirEntry[str], place: str) -> str:
    """Return what to do with an entry that should be a folder; empty for files without meaning."""
    name = entry.name.lower()
    if entry.is_symlink() and not os.path.lexists(os.path.realpath(entry.path)):
        return "It is a broken link; point it to a folder, or remove it."
    mode = entry.stat().st_mode
    if not stat.S_ISREG(mode):
        if stat.S_ISDIR(mode):
            return ""
        kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
        what = kinds.get(stat.S_IFMT(mode), "a device")
        return f"It is {what}, neither file nor folder; remove it."
    where = f" into {place}" if place else ""
    if name.endswith(_KERAS):
        return f"It is a Keras file. `{_import_command(Path(entry.path), place)}` publishes it."
    if name.endswith(_ARCHIVES):
        return f"It is an archive, which is not unpacked here. Unpack it{where}."
    if name.endswith(_OTHERS):
        return f"It is not a SavedModel. Only SavedModels are served; put one{where or ' here'}."
    if name in GRAPHS or place == "a folder of this name":
        return f"It is a file; expected {place}."
    return ""


def _import_command(file: Path, place: str) -> str:
    """Return the command that publishes a Keras file under the name that its place suggests."""
    if place == "<model>/<version>/":
        name = file.stem  # In the folder of models itself.
    else:
        name = file.parent.name if place else file.parent.parent.name
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip(".-") or "model"
    return f"understudy import {shlex.quote(printable(str(file)))} --name {name}"


def _holds_graph(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and any(os.path.lexists(Path(entry.path, name)) for name in GRAPHS)
    except OSError:
        return False


def _holds_versions(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and any(
            found.name.isascii() and found.name.isdecimal() and found.is_dir()
            for found in list(os.scandir(entry.path))
        )
    except OSError:
        return False


def unreadable(error: OSError) -> str:
    """Return in a sentence why an entry cannot be read."""
    if error.errno == errno.ELOOP:
        return "It is a link to itself; remove it."
    if error.errno == errno.EACCES:
        return "It cannot be read: this user lacks the permission to read and search it."
    return f"It cannot be read: {error.strerror or error}."
