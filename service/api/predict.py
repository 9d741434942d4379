"""``POST /v1/models/<model>[/versions/<v>|/labels/<l>]:predict``, as in TensorFlow Serving."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from flask import Blueprint, Response, g

from service.api.body import json_body
from service.api.codec import rows
from service.api.routing import SERVABLE_PATHS
from service.api.schemas import SchemaBook
from service.metrics import Metrics
from service.runtime.lifecycle import Lifecycle


def predict_routes(lifecycle: Lifecycle, metrics: Metrics, *, max_errors: int) -> Blueprint:
    """Return the prediction routes.

    Args:
        lifecycle: where the servables are.
        metrics: where phases and predictions are counted.
        max_errors: the most problems of one request that are listed.
    """
    blueprint = Blueprint("predict", __name__)
    schemas = SchemaBook(limit=max_errors)

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        start = perf_counter()
        yield
        metrics.phase_seconds.labels(g.model, name).observe(perf_counter() - start)

    def predict(model: str, version: int | None = None, label: str | None = None) -> Response:
        lifecycle.require(model)
        g.model = model
        # Read before a version is leased: a slow client must not keep one from retiring.
        body = json_body()
        with lifecycle.lease(model, version, label) as servable:
            g.version = servable.version
            with phase("parse"):
                document = rows.parse(body)
            with phase("validate"):
                asked = rows.read(
                    document,
                    servable.contract,
                    lambda signature: schemas.schema(servable, signature),
                    limit=max_errors,
                )
            with phase("infer"):
                outputs = servable.predict(asked.signature, asked.inputs)
            with phase("serialise"):
                answer = rows.encode(asked, outputs)
        metrics.predictions.labels(model, servable.version).inc(asked.instances)
        return Response(answer, mimetype="application/json")

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:predict", view_func=predict, methods=["POST"])
    return blueprint
