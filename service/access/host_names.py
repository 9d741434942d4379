"""The names under which this service may be asked.

A page of any site can let its own name resolve to this machine's address (DNS rebinding). To the
browser the service then belongs to that site, and its scripts read every answer. Their requests
carry the site's name in ``Host``, so a list of the right names keeps them out.
"""

import contextlib
from collections.abc import Iterable
from ipaddress import IPv6Address

from service.errors import ServiceError

_ANY_BELOW = "*."
# Of what clients send; a worker does not remember more.
_MOST_KNOWN = 1000


class AllowedHosts:
    """Names and addresses in ``Host`` that are answered."""

    def __init__(self, names: Iterable[str]) -> None:
        """The hosts of a list.

        Args:
            names: names, addresses (IPv6 ones in brackets) and ``*.example.org`` for all names
                below one; without ports, which may be any. Empty for all hosts.
        """
        names = [_normal(name) for name in names]
        self._names = frozenset(name for name in names if not name.startswith(_ANY_BELOW))
        self._below = tuple(name[1:] for name in names if name.startswith(_ANY_BELOW))
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._names or self._below)

    def check(self, host: str | None) -> None:
        """Check the ``Host`` of a request, if there is a list.

        Raises:
            ServiceError: 421, the host is not in the list.
        """
        if not self:
            return
        host = host or ""
        is_allowed = self._known.get(host)
        if is_allowed is None:
            is_allowed = self._allows(host)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[host] = is_allowed
        if not is_allowed:
            raise ServiceError(
                f"This service does not answer to the host {host[:60]!r}; UNDERSTUDY_ALLOWED_HOSTS "
                "lists its names.",
                status=421,
            )

    def _allows(self, host: str) -> bool:
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        name = _normal(name)
        return name in self._names or name.endswith(self._below)


def _normal(name: str) -> str:
    """Return a name as it is compared: an address of IPv6 can be written in many ways."""
    if name.startswith("["):
        with contextlib.suppress(ValueError):
            return f"[{IPv6Address(name[1:-1])}]"
    return name.lower().rstrip(".")
