"""What the document says of API keys and of this host's names, where they are checked."""

from dataclasses import dataclass
from typing import Any

from service.api.http.route_access import PROBES, needs_key
from service.api.openapi.shared_parts import error_component, ref

_SCHEMES: dict[str, dict[str, str]] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, as Authorization: Bearer <key>.",
    },
    "key-header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key in a header of its own, which counts where both are sent.",
    },
}
_LACKS_KEY, _MISDIRECTED, _USED_UP = 401, 421, 429


@dataclass(frozen=True, slots=True)
class DocumentedAccess:
    """What is checked of requests.

    Attributes:
        needs_keys: whether predictions need an API key.
        reads_need_keys: whether everything but probes and the page's files needs one.
        checks_hosts: whether requests to other hosts' names are refused.
    """

    needs_keys: bool = False
    reads_need_keys: bool = False
    checks_hosts: bool = False

    @property
    def schemes(self) -> dict[str, dict[str, str]]:
        """How a key can be sent, as security schemes by name; none where there are no keys."""
        return _SCHEMES if self.needs_keys else {}

    @property
    def components(self) -> dict[str, dict[str, Any]]:
        """The answers to requests that are refused, beside those of a service without checks."""
        statuses = [_USED_UP] if self.needs_keys else []
        statuses += [_MISDIRECTED] if self.checks_hosts else []
        return {f"Error{status}": error_component(status) for status in statuses}

    def add_to(self, operation: dict[str, Any], endpoint: str) -> dict[str, Any]:
        """Return an operation with what is checked before it.

        Args:
            operation: the operation; it is not changed.
            endpoint: Flask's name of its route.
        """
        statuses = []
        if self.checks_hosts and endpoint not in PROBES:
            statuses.append(_MISDIRECTED)
        is_asked = self.needs_keys and needs_key(endpoint, reads_need_keys=self.reads_need_keys)
        if is_asked:
            statuses += [_LACKS_KEY, _USED_UP]
        if not statuses:
            return operation
        refusals = {str(status): ref("responses", f"Error{status}") for status in statuses}
        found = {**operation, "responses": {**operation["responses"], **refusals}}
        if is_asked:
            found["security"] = [{name: []} for name in _SCHEMES]
        return found
