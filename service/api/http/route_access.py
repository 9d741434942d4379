"""Which routes need an API key, and what their answers show."""

from collections.abc import Mapping, Set
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect

from service.access.access_control import AccessControl
from service.access.key_file import ANY_RIGHT, PREDICTING, Right

# In an ASGI scope: the name of the key of a request that was checked before its body was read.
ADMITTED = "understudy.admitted"

PREDICTIONS = frozenset(
    ("predict.predict", "classify.classify", "regress.regress", "inference_v2.infer")
)
# They write and show what clients of the model have sent. Who may predict may correct answers; to
# read others' rows, and to answer for them, is a right of its own.
EVENTS: Mapping[str, Set[Right]] = {
    "feedback.put_truths": ANY_RIGHT,
    "feedback.audits": frozenset({Right.AUDIT}),
}
# They say whether the service lives, or are files that are the same everywhere.
OPEN = frozenset(
    (
        "health.livez",
        "health.readyz",
        "inference_v2.live",
        "inference_v2.ready",
        "root.root",
        "page.at_model",
        "page.file",
        "openapi.page",
        "openapi.script",
        "openapi.style",
    )
)
PROBES = frozenset(("health.livez", "health.readyz", "inference_v2.live", "inference_v2.ready"))
# They ask for the admin token.
ADMIN = frozenset(
    (
        "admin.get_policy",
        "admin.put_policy",
        "admin.roll_back",
        "repository_v2.load",
        "repository_v2.unload",
        "rollouts.start_rollout",
    )
)


def needs_key(endpoint: str, *, reads_need_keys: bool) -> bool:
    """Whether a route needs an API key, where keys are in force.

    Args:
        endpoint: Flask's name of the route; empty where there is none.
        reads_need_keys: whether what predicts nothing needs one too.
    """
    if endpoint in PREDICTIONS or endpoint in EVENTS:
        return True
    return reads_need_keys and endpoint not in OPEN and endpoint not in ADMIN


class RouteAccess:
    """Checks the requests that Flask answers."""

    def __init__(self, app: Flask, access: AccessControl) -> None:
        """Checks for an application; its routes may be added later.

        Args:
            app: the application.
            access: what there is to check.
        """
        self._app = app
        self._access = access
        self._urls: MapAdapter | None = None

    def check(self, environ: Mapping[str, Any], method: str, path: str) -> str:
        """Check a request by its method and its path, before its body is read.

        Returns:
            As ``check_route``.

        Raises:
            ServiceError: as ``check_route``.
        """
        if self._access.is_open:
            return ""
        if self._urls is None:
            self._urls = self._app.url_map.bind("localhost")
        try:
            endpoint, arguments = self._urls.match(path, method)
        except (HTTPException, RequestRedirect):
            endpoint, arguments = "", {}
        return self.check_route(environ, method, endpoint, arguments)

    def check_route(
        self, environ: Mapping[str, Any], method: str, endpoint: str, arguments: Mapping[str, Any]
    ) -> str:
        """Check a request whose route is known.

        Args:
            environ: its headers, as WSGI names them.
            method: its method.
            endpoint: Flask's name of the route; empty where there is none.
            arguments: what the route takes from the path.

        Returns:
            The name of its key; empty where it needs none.

        Raises:
            ServiceError: 421, another host is asked.
            UnauthenticatedError: it lacks a key that may ask this.
            RateLimitedError: the key has used up its rate.
        """
        access = self._access
        if access.is_open:
            return ""
        if endpoint not in PROBES:
            # Probes address a container by its IP address, and their answers reveal nothing.
            access.hosts.check(environ.get("HTTP_HOST"))
        if needs_key(endpoint, reads_need_keys=access.reads_need_keys):
            # Browsers send no key with the question whether they may ask.
            if method != "OPTIONS":
                rights = PREDICTING if endpoint in PREDICTIONS else EVENTS.get(endpoint, ANY_RIGHT)
                return access.admit(environ, arguments.get("model"), rights)
        else:
            access.check_keys_if_due()
        return ""
