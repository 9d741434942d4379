"""Where a request really came from, when a proxy says so that is trusted."""

import functools
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

# More than requests pass proxies.
_MOST_HOPS = 20
# Some proxies write brackets around addresses of IPv6, and ports behind any.
_WITH_PORT = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
_MAPPED_BITS = 96


class TrustedProxies:
    """The proxies whose ``X-Forwarded-For`` is believed; that of other clients is ignored."""

    def __init__(self, addresses: Iterable[str]) -> None:
        """The proxies at these addresses and in these networks, such as ``10.0.0.0/8``.

        Raises:
            ValueError: one is neither.
        """
        self._networks = [network_of(address) for address in addresses]
        self._is_trusted = functools.lru_cache(maxsize=1000)(self._trusts)

    def client(self, environ: Mapping[str, Any], peer: str) -> str:
        """Return the client's address: the last one that no trusted proxy has.

        Args:
            environ: the request's headers, as WSGI names them.
            peer: the address at the other end of the connection.
        """
        if not self._networks or not self._is_trusted(peer):
            return peer
        client = peer
        # Each proxy adds whom it saw, at the end; what stands before that may be made up.
        for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")[-_MOST_HOPS:]):
            address = _address(hop.strip())
            if address is None:
                break
            client = str(address)
            if not self._is_trusted(client):
                break
        return client

    def _trusts(self, address: str) -> bool:
        found = _address(address)
        return found is not None and any(found in network for network in self._networks)


def network_of(text: str) -> IPv4Network | IPv6Network:
    """Return the network that a text names, also by one of its addresses; an address is one.

    Raises:
        ValueError: it names none.
    """
    found = ip_network(text, strict=False)
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is None or found.prefixlen < _MAPPED_BITS:
        return found
    return IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    parts = _WITH_PORT.fullmatch(text)
    try:
        found = ip_address(text if parts is None else parts[1] or parts[2])
    except ValueError:
        return None
    # How a socket for both families shows an address of IPv4.
    return getattr(found, "ipv4_mapped", None) or found
