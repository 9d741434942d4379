"""A classifier of small colour pictures whose default signature gives scores alone."""

from pathlib import Path

import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from tests.savedmodels.saving import card, publish, save, written_once

LABELS = ("red", "green", "blue")
_PICTURE = Field(name="picture", dtype="float32", shape=(None, 4, 5, 3))
_SCORES = Field(name="scores", dtype="float32", shape=(None, 3))
PHOTOS_CONTRACT: Contract = {
    "serving_default": Signature("serving_default", (_PICTURE,), (_SCORES,)),
    "named": Signature(
        "named",
        (_PICTURE,),
        (Field(name="label", dtype="string", shape=(None,), choices=LABELS), _SCORES),
    ),
}


class Photos(tf.Module):
    """The mean of each colour is its score."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 5, 3], tf.float32, name="picture")])
    def serve(self, picture):
        return {"scores": tf.reduce_mean(picture, axis=[1, 2])}

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 5, 3], tf.float32, name="picture")])
    def named(self, picture):
        scores = tf.reduce_mean(picture, axis=[1, 2])
        return {"label": tf.gather(LABELS, tf.argmax(scores, axis=1)), "scores": scores}


def publish_photos(root: Path) -> int:
    """Publish a version of ``Photos``, as model "photos"."""
    return publish(root, card("photos", PHOTOS_CONTRACT, task="classification"), _save_photos)


@written_once
def _save_photos(directory: Path) -> None:
    photos = Photos()
    save(directory, photos, serving_default=photos.serve, named=photos.named)
