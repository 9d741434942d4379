"""The floor: what gunicorn and Flask cost when there is nothing to do but to read and answer."""

import json
import os
from pathlib import Path

from flask import Flask, Response, request


def create_app() -> Flask:
    """Return an application that answers ``POST /<payload>`` from memory."""
    answers: dict[str, str] = json.loads(Path(os.environ["BENCHMARK_ANSWERS"]).read_bytes())
    bodies = {name: answer.encode() for name, answer in answers.items()}
    app = Flask(__name__)

    def answer(name: str) -> Response:
        request.get_data(cache=False)
        return Response(bodies[name], mimetype="application/json")

    app.add_url_rule("/<name>", view_func=answer, methods=["POST"])
    app.add_url_rule("/readyz", view_func=lambda: "ready", endpoint="readyz")
    return app
