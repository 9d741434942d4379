"""A receiver of OpenTelemetry's protocol over HTTP, which keeps the spans that it gets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What has been received so far.

    Attributes:
        url: for ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        headers: of the requests that brought spans.
        resources: the attributes of the processes that sent them, by name.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.headers: list[dict[str, str]] = []
        self.resources: list[dict[str, Any]] = []
        self._spans: list[Any] = []
        self._lock = threading.Lock()

    def take(self, headers: dict[str, str], request: Any) -> None:
        """Keep the spans of one request."""
        with self._lock:
            self.headers.append(headers)
            for resource in request.resource_spans:
                self.resources.append(attributes_of(resource.resource))
                for scope in resource.scope_spans:
                    self._spans += scope.spans

    def spans(self, name: str = "") -> list[Any]:
        """Return the spans with a name, or all."""
        with self._lock:
            return [span for span in self._spans if not name or span.name == name]


def attributes_of(span: Any) -> dict[str, Any]:
    """Return the attributes of a span or a resource, by name."""
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes
    }


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Receive spans on a free port."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.take(dict(self.headers), ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
