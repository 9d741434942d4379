"""Where a service finds its models: in one folder of models, or at base paths anywhere."""

from pathlib import Path
from typing import Protocol

from service.repository.base_paths import BasePaths, ModelConfigFile, OneModel
from service.repository.model_policy import Policy
from service.repository.model_store import Store
from service.repository.object_store.bucket import bucket_url
from service.repository.object_store.origin import SERVING, mirror_folder_of
from service.repository.unserved_entries import UnservedEntry
from service.settings.settings import Settings


class ModelSource(Protocol):
    """What a service asks of the place where its models lie; each call looks at the disk."""

    @property
    def records(self) -> Path | None:
        """The folder in which a service writes down what serves; ``None``: nowhere."""
        ...

    def models(self) -> list[str]:
        """Return the names of the models, those of which at least one version is there."""
        ...

    def survey(self) -> tuple[list[str], list[UnservedEntry]]:
        """Return the names of the models, and what else is there and not served, with reasons."""
        ...

    def reconfigure(self, text: bytes) -> None:
        """Take the models of another configuration, in all workers.

        Args:
            text: of TensorFlow Serving's ``ModelServerConfig``.

        Raises:
            RepositoryError: it is not valid, or the models are decided elsewhere; the message says
                where.
        """
        ...

    def why_unreadable(self) -> str:
        """Return why nothing of it can be seen, in a sentence; empty if it can."""
        ...

    def versions(self, model: str) -> dict[int, Path]:
        """Return a model's versions and their folders, lowest first.

        Raises:
            OSError: the folder of versions is there but cannot be read.
        """
        ...

    def policy(self, model: str) -> Policy:
        """Return what should serve of a model.

        Raises:
            RepositoryError: the policy file is not a policy; the message names the place.
        """
        ...

    def policy_folder(self, model: str) -> Path:
        """Return the folder whose policy file a change of the model's policy is written to.

        Raises:
            RepositoryError: the policy is decided elsewhere; the message says where.
        """
        ...


def model_source(settings: Settings) -> ModelSource:
    """Return where a service with ``settings`` finds its models.

    Raises:
        RepositoryError: the name or the base path of the one model cannot be one.
    """
    configuration = configuration_of(settings)
    return Store(folder_of(settings)) if configuration is None else BasePaths(configuration)


def store_url(settings: Settings) -> str | None:
    """Return the URL of the object store whose mirror is served; ``None`` where there is none."""
    return bucket_url(settings.models) if configuration_of(settings) is None else None


def folder_of(settings: Settings) -> Path:
    """Return the folder of models that ``MODELS`` names, or that mirrors the store it names."""
    url = bucket_url(settings.models)
    if url is None:
        return settings.models
    return settings.mirror_folder or mirror_folder_of(url, SERVING)


def configuration_of(settings: Settings) -> OneModel | ModelConfigFile | None:
    """Return the configuration that lists base paths; ``None`` where there is a folder of models.

    Raises:
        RepositoryError: the name or the base path of the one model cannot be one.
    """
    if settings.model_config_file is not None:
        return ModelConfigFile(
            settings.model_config_file,
            poll_s=settings.model_config_poll_s,
            shared=settings.workers_folder,
        )
    if settings.model_base_path:
        return OneModel(settings.model_name, settings.model_base_path)
    return None
