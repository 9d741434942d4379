"""FastAPI as an engineer writes it by hand: a pydantic model for each request and answer.

Endpoints are plain functions, so that FastAPI runs them on threads and the loop stays free while
TensorFlow works.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
import tensorflow as tf
from fastapi import FastAPI
from pydantic import BaseModel, Field

from benchmarks.servers.loaded import load_models

Pixel = Annotated[float, Field(ge=0, le=255)]
PixelRow = Annotated[list[Pixel], Field(min_length=28, max_length=28)]
Image = Annotated[list[PixelRow], Field(min_length=28, max_length=28)]


class Images(BaseModel):
    """Pictures of garments."""

    instances: Annotated[list[Image], Field(min_length=1)]


class Distributions(BaseModel):
    """A probability for each kind of garment."""

    predictions: list[list[float]]


Number = Annotated[float, Field(allow_inf_nan=False)]


class Rows(BaseModel):
    """Rows of nine numbers."""

    instances: Annotated[
        list[Annotated[list[Number], Field(min_length=9, max_length=9)]], Field(min_length=1)
    ]


class Values(BaseModel):
    """A value for each row."""

    predictions: list[list[float]]


class Garment(BaseModel):
    """One garment, recognised."""

    label: str
    class_id: int
    confidence: float
    probabilities: list[float]


class Garments(BaseModel):
    """Garments, recognised."""

    predictions: list[Garment]


class Reviews(BaseModel):
    """Texts of reviews."""

    instances: Annotated[list[str], Field(min_length=1)]


class Sentiment(BaseModel):
    """What one review feels."""

    label: Literal["positive", "negative"]
    probability: float


class Sentiments(BaseModel):
    """What reviews feel."""

    predictions: list[Sentiment]


class Car(BaseModel):
    """What is known of one car."""

    cylinders: Annotated[float, Field(gt=0)]
    displacement: Annotated[float, Field(gt=0)]
    horsepower: Annotated[float, Field(gt=0)] | None = None
    weight: Annotated[float, Field(gt=0)]
    acceleration: Annotated[float, Field(gt=0)]
    model_year: Annotated[float, Field(ge=70, le=82)]
    origin: Literal["usa", "europe", "japan"]


class Cars(BaseModel):
    """What is known of cars."""

    instances: Annotated[list[Car], Field(min_length=1)]


class Consumption(BaseModel):
    """Miles a gallon of one car, with an interval."""

    mpg: float
    mpg_low: float
    mpg_high: float


class Consumptions(BaseModel):
    """Miles a gallon of cars."""

    predictions: list[Consumption]


def create_app() -> FastAPI:
    """Return an application with a typed route for each model that there is."""
    models = load_models()
    app = FastAPI()

    def call(name: str, **inputs: Any) -> dict[str, Any]:
        outputs: Mapping[str, Any] = models[name].signatures["serving_default"](**inputs)
        return {key: _plain(tensor) for key, tensor in outputs.items()}

    def clothing_dense(images: Images) -> Distributions:
        outputs = call("clothing_dense", image=_image(images))
        return Distributions(predictions=outputs["probabilities"])

    def row_dense(rows: Rows) -> Values:
        outputs = call("row_dense", row=tf.constant(np.asarray(rows.instances, dtype=np.float32)))
        return Values(predictions=outputs["value"])

    def clothing(images: Images) -> Garments:
        outputs = call("clothing", image=_image(images))
        return Garments(predictions=[Garment(**row) for row in _rows(outputs)])

    def sentiment(reviews: Reviews) -> Sentiments:
        outputs = call("sentiment", text=tf.constant(reviews.instances))
        return Sentiments(predictions=[Sentiment(**row) for row in _rows(outputs)])

    def mpg(cars: Cars) -> Consumptions:
        outputs = call("mpg", **_columns(cars))
        return Consumptions(predictions=[Consumption(**row) for row in _rows(outputs)])

    endpoints: Mapping[str, Callable[..., BaseModel]] = {
        endpoint.__name__: endpoint
        for endpoint in (clothing_dense, row_dense, clothing, sentiment, mpg)
    }
    for name in models:
        app.add_api_route(f"/v1/models/{name}:predict", endpoints[name], methods=["POST"])
    app.add_api_route("/readyz", lambda: "ready")
    return app


def _image(images: Images) -> Any:
    return tf.constant(np.asarray(images.instances, dtype=np.float32))


def _columns(cars: Cars) -> dict[str, Any]:
    columns = {}
    for key in Car.model_fields:
        values = [getattr(car, key) for car in cars.instances]
        if key == "origin":
            columns[key] = tf.constant(values)
        else:
            known = [float("nan") if value is None else value for value in values]
            columns[key] = tf.constant(known, dtype=tf.float32)
    return columns


def _plain(tensor: Any) -> list[Any]:
    values: list[Any] = tensor.numpy().tolist()
    if tensor.dtype == tf.string:
        return [value.decode() for value in values]
    return values


def _rows(outputs: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
