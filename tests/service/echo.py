"""A small application for tests of the worker: it does what the path says."""

import os
import threading
import time
from collections.abc import Iterable
from typing import Any

from service.api.http.request_context import RequestObserver
from service.api.inference.prediction_loop import PredictionRoutes
from service.app import Predictions
from service.asgi import Application
from service.monitoring.prometheus_metrics import Metrics
from service.settings.settings import Settings

LARGE = bytes(range(256)) * 4096 * 16


class Echo:
    """Answers with its process id, what it was sent, or in ways that are hard on a server."""

    def __init__(self) -> None:
        self._metrics = Metrics()
        observer = RequestObserver(self._metrics, access_log=False)
        self.extensions = {
            "lifecycle": self,
            "metrics": self._metrics,
            # No path leads to a prediction, so nobody will ask how one is made.
            "predictions": Predictions(PredictionRoutes({"none": None}, None), None, observer),
        }
        self.wsgi_app = self

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
            case ["metrics"]:
                body = self._metrics.exposition()
            case ["unread"]:
                body = b"not read"
            case _:
                raise RuntimeError("as asked")
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]


app = Application(Echo(), Settings.from_environ(os.environ))
