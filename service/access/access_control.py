"""Whether a request may be asked: under this host's name, with a key that is known.

An unknown key and one that may not ask a model get the same answer after the same steps, whether
the model exists or not: so nobody learns by trying which keys there are, or which models.
"""

import hmac
from collections.abc import Callable, Mapping, Set
from typing import Any

from service.access.host_names import AllowedHosts
from service.access.key_file import PREDICTING, ApiKey, Right, digest_of
from service.access.key_file_reload import KeyInForce, KeysInForce
from service.access.rate_limit import whole_seconds
from service.errors import RateLimitedError, UnauthenticatedError
from service.monitoring.prometheus_metrics import Metrics
from service.settings.settings import Settings

# No key is as long; what is hashed of a request must not depend on the client.
_MOST_CHARACTERS = 256
# In the place of a key that is not known: it may ask nothing.
_NOBODY = KeyInForce(ApiKey("", bytes(32), frozenset()), 1)


class AccessControl:
    """Checks requests before their bodies are read.

    Attributes:
        hosts: the names under which the service may be asked.
        reads_need_keys: whether everything but probes and the page's files needs a key, and not
            predictions alone.
    """

    def __init__(
        self,
        hosts: AllowedHosts,
        keys: KeysInForce | None,
        metrics: Metrics,
        *,
        reads_need_keys: bool,
    ) -> None:
        """Access as the settings have it.

        Args:
            hosts: the names under which the service may be asked.
            keys: those in force; ``None`` where no request needs one.
            metrics: where requests are counted by their keys' names.
            reads_need_keys: as the attribute.
        """
        self.hosts = hosts
        self._keys = keys
        self.reads_need_keys = reads_need_keys and keys is not None
        self._count = metrics.keys.count

    @property
    def has_keys(self) -> bool:
        """Whether anything needs a key."""
        return self._keys is not None

    @property
    def is_open(self) -> bool:
        """Whether there is nothing to check."""
        return self._keys is None and not self.hosts

    def check_keys_if_due(self) -> None:
        """Check the file of keys if that is due, for a request that needs no key."""
        if self._keys is not None:
            self._keys.current()

    def follow_keys(self) -> None:
        """Check the file of keys while no request arrives; reading it may take a while."""
        if self._keys is not None:
            self._keys.reload_if_changed()

    def admit(
        self,
        environ: Mapping[str, Any],
        model: str | None,
        rights: Set[Right] = PREDICTING,
    ) -> str:
        """Check the key of a request, and let it use some of the key's rate.

        Args:
            environ: its headers, as WSGI names them.
            model: the model that it asks, which need not exist; ``None`` for what shows all models,
                and needs a key for all.
            rights: of which the key must have one.

        Returns:
            The key's name; empty where none is needed.

        Raises:
            UnauthenticatedError: there is no key, or not one that may ask that.
            RateLimitedError: the key has used up its rate.
        """
        if self._keys is None:
            return ""
        found = self._found(
            self._keys.current(),
            environ,
            lambda key: key.may_ask(model) & bool(key.may & rights),
        )
        wait_s = found.bucket.take() if found.bucket else 0.0
        if wait_s:
            self._count(found.key.name, "limited")
            raise RateLimitedError(found.key.name, retry_after_s=whole_seconds(wait_s))
        self._count(found.key.name, "ok")
        return found.key.name

    def check_sender(self, environ: Mapping[str, Any]) -> None:
        """Check that a request brings a key that may predict something, though not yet what.

        For requests whose body says which model they ask: nobody else's body is to be read. It
        uses nothing of the key's rate; ``admit`` follows.

        Args:
            environ: the request's headers, as WSGI names them.

        Raises:
            UnauthenticatedError: there is no such key.
        """
        if self._keys is not None:
            self._found(self._keys.current(), environ, lambda key: bool(key.may & PREDICTING))

    def require(self, environ: Mapping[str, Any], model: str, right: Right) -> None:
        """Check that the key of a request that was admitted has a further right.

        Args:
            environ: the request's headers, as WSGI names them.
            model: the model that it asks.
            right: which the key must have.

        Raises:
            UnauthenticatedError: it has not.
        """
        if self._keys is not None:
            self._found(
                self._keys.current(),
                environ,
                lambda key: key.may_ask(model) & (right in key.may),
            )

    def _found(
        self,
        keys: Mapping[bytes, KeyInForce],
        environ: Mapping[str, Any],
        may_ask: Callable[[ApiKey], bool],
    ) -> KeyInForce:
        """Return the key of a request.

        Raises:
            UnauthenticatedError: there is no key, or not one that ``may_ask``.
        """
        sent = _key_in(environ)
        if not sent:
            self._count("", "missing")
            raise UnauthenticatedError(
                "Expected an API key, as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'."
            )
        # The digest says nothing of which keys are near to the one that was sent, so neither does
        # the time that it takes to look it up.
        digest = digest_of(sent[:_MOST_CHARACTERS].encode("latin-1", errors="replace"))
        found = keys.get(digest, _NOBODY)
        is_known = hmac.compare_digest(found.key.digest, digest) & (len(sent) <= _MOST_CHARACTERS)
        if not (is_known & may_ask(found.key)):
            self._count(found.key.name, "refused")
            raise UnauthenticatedError(
                "This API key is not known here, or may not be used for what is asked.",
                key_name=found.key.name,
            )
        return found


def access_of(settings: Settings, metrics: Metrics) -> AccessControl:
    """Return what is checked of requests with these settings."""
    keys = None
    if settings.keys_file is not None:
        keys = KeysInForce(
            settings.keys_file,
            workers=settings.workers,
            poll_interval_s=settings.poll_interval_s,
            shared_folder=settings.workers_folder,
            on_problem=metrics.key_file_problem.set,
            on_change=metrics.keys.follow,
        )
    hosts = AllowedHosts(settings.allowed_hosts)
    return AccessControl(hosts, keys, metrics, reads_need_keys=settings.keys_for_reads)


def _key_in(environ: Mapping[str, Any]) -> str:
    """Return the key that a request brings in one of its headers; never in its address."""
    sent: str = environ.get("HTTP_X_API_KEY", "").strip()
    if sent:
        return sent
    scheme, _, rest = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""
