"""A small WSGI application for tests of the worker: it does what the path says."""

import os
import threading
import time
from collections.abc import Iterable
from typing import Any

from service.metrics import Metrics

LARGE = bytes(range(256)) * 4096 * 16


class Echo:
    """Answers with its process id, what it was sent, or in ways that are hard on a server."""

    def __init__(self) -> None:
        self._metrics = Metrics()
        self.extensions = {"lifecycle": self, "metrics": self._metrics}

    def drain(self) -> None:
        """As the service's lifecycle does; there is nothing to do."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = [("Content-Type", "text/plain")]
        match environ["PATH_INFO"].split("/")[1:]:
            case ["echo"]:
                body = environ["wsgi.input"].read()
            case ["pid"]:
                body = b"%d" % os.getpid()
            case ["sleep", seconds]:
                time.sleep(float(seconds))
                body = b"slept"
            case ["large"]:
                body = LARGE
            case ["threads"]:
                body = b"%d" % threading.active_count()
            case ["status", status]:
                start_response(f"{status} Whatever", headers)
                return [b""]
            case ["stream"]:
                start_response("200 OK", headers)
                return iter([b"one", b"", b"two"])
            case ["file"]:
                start_response("200 OK", [*headers, ("Content-Length", "6")])
                return environ["wsgi.file_wrapper"](open(os.environ["FILE"], "rb"))  # noqa: PTH123
            case ["metrics"]:
                body = self._metrics.exposition()
            case ["unread"]:
                body = b"not read"
            case _:
                raise RuntimeError("as asked")
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]


app = Echo()
