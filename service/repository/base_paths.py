"""Models whose versions lie at base paths anywhere, configured as for TensorFlow Serving."""

import hashlib
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from service.repository.atomic_files import write_atomically
from service.repository.errors import RepositoryError
from service.repository.folder_names import is_version_name
from service.repository.model_policy import Policy, read_policy
from service.repository.model_server_config import (
    ModelConfig,
    ModelConfigs,
    base_path_of,
    check_name,
    parse_model_configs,
)
from service.repository.model_store import versions_in
from service.repository.safe_open import read_file
from service.repository.unserved_entries import (
    GRAPHS,
    UnservedEntry,
    printable,
    unreadable,
    unserved_in_model,
    why_no_versions,
)

_MOST_BYTES = 2**20
# In the folder that the workers of one service share: what the file last said that was valid.
_LAST_GOOD = "models.config"


class OneModel:
    """The configuration of a single model, which never changes.

    Attributes:
        name: what messages call it.
    """

    name = "UNDERSTUDY_MODEL_BASE_PATH"

    def __init__(self, model: str, base_path: str) -> None:
        """The configuration of ``model``.

        Raises:
            RepositoryError: the name or the path cannot be one.
        """
        check_name(model, "UNDERSTUDY_MODEL_NAME")
        self._configs = {model: ModelConfig(base_path_of(base_path, self.name))}

    def read(self) -> tuple[ModelConfigs, str]:
        """Return the model; nothing is ever wrong with it."""
        return self._configs, ""

    def replace(self, text: bytes) -> None:
        """Refuse other models.

        Raises:
            RepositoryError: always.
        """
        raise RepositoryError(
            f"{self.name} names the one model that is served; list models in "
            "UNDERSTUDY_MODEL_CONFIG_FILE to change them."
        )


class ModelConfigFile:
    """A file that lists models; one that is broken leaves what it said before in force.

    Attributes:
        name: what messages call it.
    """

    def __init__(self, path: Path, *, poll_s: float, shared: Path | None) -> None:
        """The file at ``path``; nothing is read yet.

        Args:
            path: the file.
            poll_s: seconds between looks at it; 0: it is read once a service.
            shared: a folder in which the workers of a service remember what it last said that was
                valid, so that one that starts later goes by that; ``None``: there is one worker.
        """
        self.name = printable(path.name)
        self._path = path
        self._poll_s = poll_s
        self._last_good = None if shared is None else shared / _LAST_GOOD
        self._configs: ModelConfigs | None = None
        self._problem = ""
        self._digest = b""
        self._next_look = 0.0
        # Which file of last good models was taken: its inode, and its time of change in ns.
        self._taken: tuple[int, int] | None = None

    def read(self) -> tuple[ModelConfigs, str]:
        """Return the models that are listed, and what is wrong with the file, in a sentence."""
        if self._poll_s == 0:
            # Another worker may have been given other models.
            self._take_last_good()
        if self._configs is None or (self._poll_s and time.monotonic() >= self._next_look):
            self._next_look = time.monotonic() + self._poll_s
            try:
                self.load()
            except RepositoryError as error:
                self._problem = str(error)
                if self._configs is None:
                    self._take_last_good()
        return self._configs or {}, self._problem

    def load(self) -> ModelConfigs:
        """Read the file, and remember what it says.

        Raises:
            RepositoryError: it is not valid; the message names the place.
        """
        try:
            data = read_file(self._path, most_bytes=_MOST_BYTES)
        except OSError as error:
            message = f"{self.name}: It cannot be read: {error.strerror or error}."
            raise RepositoryError(message) from error
        digest = hashlib.sha256(data).digest()
        if self._configs is None or digest != self._digest:
            self._configs = parse_model_configs(data, self.name)
            self._digest = digest
            # Without room for it, a worker that starts later goes by the file itself.
            with suppress(OSError):
                if self._last_good is not None:
                    write_atomically(self._last_good, data, durable=False)
        self._problem = ""
        return self._configs

    def replace(self, text: bytes) -> None:
        """Take other models in force, for all workers, until the service is started or reloaded.

        Args:
            text: of a ``ModelServerConfig``. The file itself stays as it is.

        Raises:
            RepositoryError: the file is polled, and so decides; or the models cannot be written
                for the other workers.
        """
        if self._poll_s:
            raise RepositoryError(
                f"{self.name} is read again every {self._poll_s:g} s, and decides which models "
                "serve; change it there."
            )
        configs = parse_model_configs(text, self.name)
        if self._last_good is not None:
            try:
                write_atomically(self._last_good, text, durable=False)
            except OSError as error:
                message = f"The models cannot be passed to the workers: {error.strerror or error}."
                raise RepositoryError(message) from error
        self._configs, self._problem = configs, ""

    def _take_last_good(self) -> None:
        if self._last_good is None:
            return
        with suppress(OSError, RepositoryError):
            found = self._last_good.stat()
            mark = (found.st_ino, found.st_mtime_ns)
            if mark == self._taken:
                return
            data = read_file(self._last_good, most_bytes=_MOST_BYTES)
            self._configs = parse_model_configs(data, self.name)
            self._taken = mark


class BasePaths:
    """The models of a configuration.

    ``survey`` looks at the configuration; all else goes by what it found last.
    """

    # Trainers do not publish here; they go by the policies.
    records: Path | None = None

    def __init__(self, configuration: OneModel | ModelConfigFile) -> None:
        """The models of ``configuration``; nothing is read yet."""
        self._configuration = configuration
        self._configs: ModelConfigs | None = None
        self._problem = ""
        self._reading = threading.Lock()

    def models(self) -> list[str]:
        """Return the names of the models, those of which at least one version is there."""
        return self._look()[0]

    def survey(self) -> tuple[list[str], list[UnservedEntry]]:
        """Return the names of the models, and what else is there and not served, with reasons.

        A configuration that is not valid is among the latter, and the last valid one stays in
        force.
        """
        self._read()
        return self._look()

    def reconfigure(self, text: bytes) -> None:
        """Take the models of another configuration, in all workers.

        Args:
            text: of a ``ModelServerConfig``.

        Raises:
            RepositoryError: it is not valid, or other models cannot be taken; the message says why.
        """
        with self._reading:
            self._configuration.replace(text)
        self._read()

    def why_unreadable(self) -> str:
        """Return nothing: a base path that cannot be read is the matter of its own model."""
        return ""

    def versions(self, model: str) -> dict[int, Path]:
        """Return a model's versions and their folders, lowest first; none of one not listed.

        Raises:
            OSError: the base path is there but cannot be read.
        """
        config = self._listed().get(model)
        return {} if config is None else versions_at(config.base_path)

    def policy(self, model: str) -> Policy:
        """Return what should serve of a model: nothing of one that is not listed any more.

        Raises:
            RepositoryError: the policy file is not a policy; the message names the place.
        """
        config = self._listed().get(model)
        if config is None:
            return Policy(unloaded=True)
        return config.over(read_policy(config.base_path))

    def policy_folder(self, model: str) -> Path:
        """Return the folder whose policy file a change of the model's policy is written to.

        Raises:
            RepositoryError: the configuration decides on the model's versions, or has no such
                model.
        """
        name = self._configuration.name
        config = self._listed().get(model)
        if config is None:
            raise RepositoryError(f"There is no model {model!r} in {name}.")
        if config.policy is not None:
            raise RepositoryError(
                f"{name} says which versions of {model!r} serve; change it there."
            )
        return config.base_path

    def _listed(self) -> ModelConfigs:
        return self._read() if self._configs is None else self._configs

    def _read(self) -> ModelConfigs:
        # A survey that began earlier must not replace newer models by older ones.
        with self._reading:
            self._configs, self._problem = self._configuration.read()
            return self._configs

    def _look(self) -> tuple[list[str], list[UnservedEntry]]:
        models: list[str] = []
        ignored: list[UnservedEntry] = []
        for model, config in sorted(self._listed().items()):
            try:
                found = versions_at(config.base_path)
            except OSError as error:
                ignored.append(UnservedEntry(model, f"Its base path: {unreadable(error)}"))
                continue
            if found:
                models.append(model)
            if config.base_path in found.values():
                continue
            if found:
                ignored += unserved_in_model(model, config.base_path, found)
            else:
                ignored.append(UnservedEntry(model, why_no_versions(config.base_path)))
        if self._problem:
            problem = f"{self._problem} What it said before stays in force."
            ignored.append(UnservedEntry(self._configuration.name, problem))
        return models, sorted(ignored)


def versions_at(base_path: Path) -> dict[int, Path]:
    """Return the versions at a base path and their own folders, lowest first.

    A SavedModel that lies there itself, without versions beside it, is version 1: KServe puts what
    a URI names there, and nobody can move it. Where the folder's name is a number it is one version
    of a model whose base path is the folder above.

    Raises:
        OSError: the base path is there but cannot be read.
    """
    found = versions_in(base_path)
    if found or is_version_name(base_path.name):
        return found
    return {1: base_path} if any(os.path.lexists(base_path / name) for name in GRAPHS) else {}
