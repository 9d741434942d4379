"""Flask and TensorFlow as most first attempts join them: it is right, and it checks nothing."""

from typing import Any

import numpy as np
import tensorflow as tf
from flask import Flask, Response, jsonify, request

from benchmarks.servers.loaded import load_models


def create_app() -> Flask:
    """Return an application that answers ``POST /v1/models/<name>:predict``."""
    models = load_models()
    app = Flask(__name__)

    def predict(name: str) -> Response:
        instances = request.get_json()["instances"]
        signature = models[name].signatures["serving_default"]
        specs = signature.structured_input_signature[1]
        if isinstance(instances[0], dict):
            columns = {key: [row[key] for row in instances] for key in specs}
        else:
            columns = {next(iter(specs)): instances}
        outputs = signature(
            **{
                key: tf.constant(np.array(values), dtype=specs[key].dtype)
                for key, values in columns.items()
            }
        )
        answers = {key: _plain(value) for key, value in outputs.items()}
        if len(answers) == 1:
            return jsonify(predictions=next(iter(answers.values())))
        return jsonify(
            predictions=[
                {key: values[i] for key, values in answers.items()} for i in range(len(instances))
            ]
        )

    app.add_url_rule("/v1/models/<name>:predict", view_func=predict, methods=["POST"])
    app.add_url_rule("/readyz", view_func=lambda: "ready", endpoint="readyz")
    return app


def _plain(tensor: Any) -> list[Any]:
    values: list[Any] = tensor.numpy().tolist()
    return [value.decode() if isinstance(value, bytes) else value for value in values]
