"""TensorFlow Serving's configuration of models, a ``ModelServerConfig``: text, or a message."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from service.repository.errors import RepositoryError
from service.repository.folder_names import LAST_VERSION, is_served_name
from service.repository.model_policy import Policy, is_label
from service.repository.proto_messages import Tables, message_of_tables
from service.repository.text_protos import parse_text_proto

# Numbers are those of model_server_config.proto, file_system_storage_path_source.proto and
# logging_config.proto.
_MESSAGES: Tables = {
    "Latest": [("num_versions", "uint32", 1)],
    "All": [],
    "Specific": [("versions", "*int64", 1)],
    "ServableVersionPolicy": [
        ("latest", "Latest", 100),
        ("all", "All", 101),
        ("specific", "Specific", 102),
    ],
    "LogCollectorConfig": [("type", "string", 1), ("filename_prefix", "string", 2)],
    "SamplingConfig": [("sampling_rate", "double", 1), ("attributes", "int32", 2)],
    "LoggingConfig": [
        ("log_collector_config", "LogCollectorConfig", 1),
        ("sampling_config", "SamplingConfig", 2),
    ],
    "VersionLabel": [("key", "string", 1), ("value", "int64", 2)],
    "ModelConfig": [
        ("name", "string", 1),
        ("base_path", "string", 2),
        ("model_type", "ModelType", 3),
        ("model_platform", "string", 4),
        ("logging_config", "LoggingConfig", 6),
        ("model_version_policy", "ServableVersionPolicy", 7),
        ("version_labels", "*VersionLabel", 8),
    ],
    "ModelConfigList": [("config", "*ModelConfig", 1)],
    "Any": [("type_url", "string", 1), ("value", "bytes", 2)],
    "ModelServerConfig": [
        ("model_config_list", "ModelConfigList", 1),
        ("custom_model_config", "Any", 2),
    ],
}
_ENUMS = {"ModelType": ("MODEL_TYPE_UNSPECIFIED", "TENSORFLOW", "OTHER")}
_OTHER_TYPE = 2
_CONFIG = message_of_tables("understudy.model_config", "ModelServerConfig", _MESSAGES, _ENUMS)
_PLATFORM = "tensorflow"
# Above all numbers of versions that a folder may hold.
_ALL = 10**9
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Where the versions of a model lie, and which of them serve.

    Attributes:
        base_path: the folder that holds the versions.
        policy: which versions serve and their labels; ``None`` leaves that to the model's policy
            file, which decides on everything else in any case.
        ignored: names of fields that have no effect here.
    """

    base_path: Path
    policy: Policy | None = None
    ignored: tuple[str, ...] = field(default=(), compare=False)

    def over(self, policy: Policy) -> Policy:
        """Return the model's own policy, with what this says of versions and labels instead."""
        if self.policy is None:
            return policy
        own = self.policy
        return replace(policy, latest=own.latest, versions=own.versions, labels=own.labels)


ModelConfigs = Mapping[str, ModelConfig]


def parse_model_configs(data: bytes, name: str) -> dict[str, ModelConfig]:
    """Return the models in the text of a ``ModelServerConfig``, by their names.

    Args:
        data: the text.
        name: of the file, for messages.

    Raises:
        RepositoryError: it is no such text, or names something that cannot be; it names the place.
    """
    message = parse_text_proto(data, _CONFIG, name)
    if message.HasField("custom_model_config"):
        raise RepositoryError(
            f"{name}: custom_model_config is not supported; list the models in model_config_list."
        )
    if not message.HasField("model_config_list"):
        raise RepositoryError(
            f"{name}: It names no models; expected model_config_list {{ config {{ ... }} }}."
        )
    found: dict[str, ModelConfig] = {}
    for number, config in enumerate(message.model_config_list.config):
        place = f"{name}: config {number + 1}"
        check_name(config.name, f"{place}: name")
        place += f" ({config.name})"
        if config.name in found:
            raise RepositoryError(f"{place}: There is another model of that name above.")
        found[config.name] = _model_config(config, place)
    return found


def text_of_model_configs(data: bytes) -> bytes:
    """Return the text of a ``ModelServerConfig`` that is given as a message's bytes.

    Raises:
        DecodeError: they are no such message.
    """
    text: str = text_format.MessageToString(_CONFIG.FromString(data))
    return text.encode()


def check_name(name: str, place: str) -> None:
    """Check that a model can have a name.

    Raises:
        RepositoryError: it cannot; the message begins with ``place``.
    """
    if not name:
        raise RepositoryError(f"{place}: It is missing; a model needs a name.")
    if not is_served_name(name):
        raise RepositoryError(
            f"{place}: {name!r} cannot be named in a request's path: no '/', ':' or control "
            "character, and not starting with '.'."
        )


def base_path_of(text: str, place: str) -> Path:
    """Return a base path as a folder's path.

    Raises:
        RepositoryError: it cannot be a folder on this machine; the message begins with ``place``.
    """
    if not text:
        raise RepositoryError(f"{place}: It is missing; name the folder that holds the versions.")
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() == "file":
        text = text[scheme.end() :]
    elif scheme:
        raise RepositoryError(
            f"{place}: {text!r} is not on a file system of this machine; mount the storage, or "
            "copy the model, and name that folder."
        )
    if "\0" in text or not text.startswith("/"):
        raise RepositoryError(
            f"{place}: Expected an absolute path such as /models/half, not {text!r}."
        )
    return Path(text)


def _model_config(config: Any, place: str) -> ModelConfig:
    platform = config.model_platform
    if platform and config.model_type:
        raise RepositoryError(
            f"{place}: model_type and model_platform are both given; leave model_type out."
        )
    if config.model_type == _OTHER_TYPE or platform not in ("", _PLATFORM):
        kind = f"model_platform: {platform!r}" if platform else "model_type: OTHER"
        raise RepositoryError(
            f'{place}: {kind} is not supported; SavedModels of "{_PLATFORM}" are served alone.'
        )
    path = base_path_of(config.base_path, f"{place}: base_path")
    ignored = ("logging_config",) if config.HasField("logging_config") else ()
    has_policy = config.HasField("model_version_policy")
    if not has_policy and not config.version_labels:
        return ModelConfig(path, None, ignored)
    policy = _policy(config.model_version_policy, f"{place}: model_version_policy")
    return ModelConfig(path, replace(policy, labels=_labels(config, place)), ignored)


def _policy(message: Any, place: str) -> Policy:
    given = [name for name in ("latest", "all", "specific") if message.HasField(name)]
    if len(given) > 1:
        raise RepositoryError(f"{place}: {' and '.join(given)} exclude each other; keep one.")
    match given:
        case ["all"]:
            return Policy(latest=_ALL)
        case ["specific"]:
            versions = tuple(message.specific.versions)
            if not versions:
                raise RepositoryError(
                    f"{place}: specific names no versions; expected specific {{ versions: 1 }}."
                )
            for version in versions:
                _check_version(version, f"{place}: specific")
            return Policy(versions=versions)
        case _:
            # As there, 0 stands for the default.
            return Policy(latest=message.latest.num_versions or 1)


def _labels(config: Any, place: str) -> dict[str, int]:
    labels = {}
    for entry in config.version_labels:
        where = f"{place}: version_labels"
        if not is_label(entry.key):
            raise RepositoryError(
                f"{where}: {entry.key!r} cannot be a label: letters, digits and _ only."
            )
        _check_version(entry.value, f"{where}: {entry.key}")
        labels[entry.key] = entry.value
    return labels


def _check_version(version: int, place: str) -> None:
    if not 0 <= version <= LAST_VERSION:
        raise RepositoryError(f"{place}: {version} is not a version; a version is 0 or above.")
