"""Models of plain bodies: pictures, arrays, texts and records."""

from pathlib import Path

import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from tests.savedmodels.saving import card, publish, save, written_once


class Album(tf.Module):
    """Tells the sizes of pictures, and the brightness of their top left corners."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 3], tf.float32, name="image")])
    def plain(self, image):
        return {"total": tf.reduce_sum(image, axis=[1, 2])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def from_encoded(self, image_bytes):
        def look(encoded):
            pixels = tf.io.decode_image(encoded, expand_animations=False)
            corner = tf.reduce_mean(tf.cast(pixels[0, 0], tf.float32))
            return tf.concat([tf.cast(tf.shape(pixels)[:2], tf.float32), [corner]], 0)

        seen = tf.map_fn(look, image_bytes, fn_output_signature=tf.TensorSpec([3], tf.float32))
        return {"height": seen[:, 0], "width": seen[:, 1], "corner": seen[:, 2]}


class Echo(tf.Module):
    """Says what it is told in upper case."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve(self, text):
        return {"loud": tf.strings.upper(text, encoding="utf-8")}


class Cars(tf.Module):
    """Records of fields of all kinds: adds up the numbers, and joins the rest."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, name="doors"),
            tf.TensorSpec([None], tf.float32, name="weight"),
            tf.TensorSpec([None], tf.float32, name="power"),
            tf.TensorSpec([None], tf.string, name="origin"),
            tf.TensorSpec([None], tf.bool, name="fresh"),
        ]
    )
    def serve(self, doors, weight, power, origin, fresh):
        known = tf.where(tf.math.is_nan(power), -1.0, power)
        return {
            "total": tf.cast(doors, tf.float32) + weight + known,
            "words": tf.strings.join([origin, tf.strings.as_string(fresh)], " "),
        }


_ROWS = (None,)


_CONTENT_TYPES = ("image/png", "image/jpeg", "image/gif", "image/bmp")


_PLAIN_BODIES: dict[str, tuple[tf.Module, dict[str, str], Contract]] = {
    "album": (
        Album(),
        {"serving_default": "plain", "from_encoded": "from_encoded"},
        {
            "serving_default": Signature(
                "serving_default",
                (Field(name="image", dtype="float32", shape=(None, 2, 3), minimum=0, maximum=255),),
                (Field(name="total", dtype="float32", shape=_ROWS),),
            ),
            "from_encoded": Signature(
                "from_encoded",
                (
                    Field(
                        name="image_bytes",
                        dtype="string",
                        shape=_ROWS,
                        max_length=200_000,
                        content_types=_CONTENT_TYPES,
                    ),
                ),
                tuple(
                    Field(name=name, dtype="float32", shape=_ROWS)
                    for name in ("height", "width", "corner")
                ),
            ),
        },
    ),
    "echo": (
        Echo(),
        {"serving_default": "serve"},
        {
            "serving_default": Signature(
                "serving_default",
                (Field(name="text", dtype="string", shape=_ROWS, max_length=100),),
                (Field(name="loud", dtype="string", shape=_ROWS),),
            )
        },
    ),
    "cars": (
        Cars(),
        {"serving_default": "serve"},
        {
            "serving_default": Signature(
                "serving_default",
                (
                    Field(name="doors", dtype="int32", shape=_ROWS, minimum=0, maximum=9),
                    Field(name="weight", dtype="float32", shape=_ROWS, unit="lb", minimum=0),
                    Field(name="power", dtype="float32", shape=_ROWS, unit="hp", nullable=True),
                    Field(name="origin", dtype="string", shape=_ROWS, choices=("usa", "japan")),
                    Field(name="fresh", dtype="bool", shape=_ROWS),
                ),
                (
                    Field(name="total", dtype="float32", shape=_ROWS),
                    Field(name="words", dtype="string", shape=_ROWS),
                ),
            )
        },
    ),
}


def publish_plain_bodies(root: Path) -> None:
    """Publish ``album`` (pictures and arrays), ``echo`` (texts) and ``cars`` (records)."""
    for name, (_, _, contract) in _PLAIN_BODIES.items():
        publish(root, card(name, contract), _save_plain, name=name)


@written_once
def _save_plain(directory: Path, *, name: str) -> None:
    module, functions, _ = _PLAIN_BODIES[name]
    named = {signature: getattr(module, function) for signature, function in functions.items()}
    save(directory, module, **named)
