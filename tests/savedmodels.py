"""Tiny SavedModels for tests: quick to make, quick to load, with answers known by heart."""

from functools import partial
from pathlib import Path

import tensorflow as tf

from service.repository.card import Card, write_card
from service.repository.contract import Contract, Field, Signature
from service.repository.golden import Golden, GoldenExample, write_golden
from service.repository.store import Store


class Affine(tf.Module):
    """``y = x0 + 2 * x1 + bias + shift``, and the text it was given, in upper case.

    A ``shift`` of NaN, which stands for null, is none.
    """

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.weights = tf.Variable([[1.0], [2.0]])
        self.bias = tf.Variable(bias)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, name="x"),
            tf.TensorSpec([None], tf.string, name="text"),
            tf.TensorSpec([None], tf.float32, name="shift"),
        ]
    )
    def serve(self, x, text, shift):
        known = tf.where(tf.math.is_nan(shift), 0.0, shift)
        return {
            "y": (x @ self.weights)[:, 0] + self.bias + known,
            "loud": tf.strings.upper(text),
        }

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def only_y(self, x):
        return {"y": (x @ self.weights)[:, 0] + self.bias}


def save_affine(directory: Path, *, bias: float = 0.0) -> None:
    """Write a SavedModel as plain ``tf.saved_model.save`` does: no card, no manifest."""
    model = Affine(bias)
    tf.saved_model.save(
        model,
        str(directory),
        signatures={
            "serving_default": model.serve.get_concrete_function(),
            "only_y": model.only_y.get_concrete_function(),
        },
    )


AFFINE_CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(
            Field(
                name="x",
                dtype="float32",
                shape=(None, 2),
                description="two numbers",
                unit="m",
                minimum=-100,
                maximum=100,
                example=[1.0, 2.0],
            ),
            Field(
                name="text",
                dtype="string",
                shape=(None,),
                choices=("quiet", "loud"),
                example="quiet",
            ),
            Field(name="shift", dtype="float32", shape=(None,), nullable=True, example=0.0),
        ),
        outputs=(
            Field(name="y", dtype="float32", shape=(None,)),
            Field(name="loud", dtype="string", shape=(None,)),
        ),
    )
}


def affine_golden(bias: float) -> Golden:
    """Return the golden examples of ``Affine(bias)``."""
    return Golden(
        [
            GoldenExample(
                "serving_default",
                {"x": [1.0, 2.0], "text": "quiet", "shift": None},
                {"y": 5.0 + bias, "loud": "QUIET"},
                "plain",
            ),
            GoldenExample("only_y", {"x": [3.0, 4.0]}, {"y": 11.0 + bias}, "other signature"),
        ]
    )


def fill_affine(directory: Path, *, bias: float = 0.0, golden: Golden | None = None) -> None:
    """Write a whole version but for its manifest, which ``Store.publish`` adds."""
    save_affine(directory, bias=bias)
    write_card(
        directory,
        Card(
            name="affine",
            title="A weighted sum",
            task="regression",
            contract=AFFINE_CONTRACT,
            created_at="2026-01-01T00:00:00+00:00",
        ),
    )
    write_golden(directory, golden or affine_golden(bias))


def publish_affine(root: Path, *, model: str = "affine", bias: float = 0.0) -> int:
    """Publish a version of ``Affine`` as a trainer would, and return its number."""
    return Store(root).publish(model, lambda directory: fill_affine(directory, bias=bias))


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
    for name in _PLAIN_BODIES:
        Store(root).publish(name, partial(_fill_plain_bodies, name))


def _fill_plain_bodies(name: str, directory: Path) -> None:
    module, functions, contract = _PLAIN_BODIES[name]
    signatures = {
        signature: getattr(module, function).get_concrete_function()
        for signature, function in functions.items()
    }
    tf.saved_model.save(module, str(directory), signatures=signatures)
    card = Card(name=name, title=name, task="regression", contract=contract, created_at="")
    write_card(directory, card)


class Shapes(tf.Module):
    """Signatures of every kind that a foreign SavedModel may bring."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.int32, name="count"),
            tf.TensorSpec([], tf.bool, name="twice"),
        ]
    )
    def scalar(self, count, twice):
        return {"result": tf.where(twice, 2 * count, count)}

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 3], tf.uint8, name="grid")])
    def grid(self, grid):
        return {"total": tf.reduce_sum(tf.cast(grid, tf.int64), axis=[1, 2])}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, name="words")])
    def words(self, words):
        return {
            "joined": tf.strings.reduce_join(words, axis=1, separator=" "),
            "raw_bytes": tf.strings.reduce_join(words, axis=1),
        }

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float64, name="anything")])
    def any_shape(self, anything):
        return {"sum": tf.reduce_sum(anything), "same": anything}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def logarithm(self, x):
        return {"log": tf.math.log(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="png_bytes")])
    def decode(self, png_bytes):
        sizes = tf.map_fn(
            lambda item: tf.shape(tf.io.decode_png(item))[0],
            png_bytes,
            fn_output_signature=tf.int32,
        )
        return {"height": sizes}

    @tf.function(
        input_signature=[
            tf.TensorSpec(None, tf.float32, name="a"),
            tf.TensorSpec(None, tf.float32, name="Meta"),
        ]
    )
    def two_of_any_shape(self, a, Meta):  # noqa: N803
        return {"sum": a + Meta}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.complex64, name="z")])
    def complex_only(self, z):
        return {"magnitude": tf.abs(z)}


SHAPES_SIGNATURES = [
    "scalar",
    "grid",
    "words",
    "any_shape",
    "two_of_any_shape",
    "logarithm",
    "decode",
    "complex_only",
]


def save_shapes(directory: Path) -> None:
    """Write a foreign SavedModel with all signatures of ``Shapes`` and no default one."""
    model = Shapes()
    tf.saved_model.save(
        model,
        str(directory),
        signatures={
            name: getattr(model, name).get_concrete_function() for name in SHAPES_SIGNATURES
        },
    )


class Slow(tf.Module):
    """Works for as many rounds as the largest of its inputs says; a round is about 1 ms."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="rounds")])
    def serve(self, rounds):
        matrix = tf.eye(200)
        for _ in tf.range(tf.cast(tf.reduce_max(rounds), tf.int32)):
            matrix = matrix @ tf.eye(200)
        return {"done": rounds * matrix[0, 0]}


def publish_slow(root: Path) -> int:
    """Publish a version of ``Slow`` as the model ``slow``, without a card."""

    def fill(directory: Path) -> None:
        model = Slow()
        tf.saved_model.save(
            model,
            str(directory),
            signatures={"serving_default": model.serve.get_concrete_function()},
        )

    return Store(root).publish("slow", fill)


def save_half_plus_three(directory: Path) -> None:
    """Write a model as TensorFlow Serving's own example of that name: ``y = x / 2 + 3``.

    Its signatures of kind "regress" and "classify" take serialised ``tf.train.Example`` messages,
    of feature ``x`` and, for labels, of ``name`` and ``count``.
    """
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        features = tf.io.parse_example(
            serialized,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "name": tf.io.FixedLenFeature([], tf.string, default_value="it"),
                "count": tf.io.FixedLenFeature([], tf.int64, default_value=0),
            },
        )
        slope = v1.get_variable("slope", initializer=0.5)
        direct = v1.placeholder(tf.float32, None, name="x")
        y = features["x"] * slope + 3.0
        counts = tf.strings.as_string(features["count"])
        classes = tf.stack(
            [features["name"] + " is small", counts + " " + features["name"]], axis=1
        )
        scores = tf.concat([1 - y / 8, y / 8], axis=1)
        session.run(v1.global_variables_initializer())
        info, define = v1.saved_model.build_tensor_info, v1.saved_model.build_signature_def
        examples = {"inputs": info(serialized)}
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            signature_def_map={
                "serving_default": define(
                    {"x": info(direct)},
                    {"y": info(direct * slope + 3.0)},
                    "tensorflow/serving/predict",
                ),
                "tensorflow/serving/regress": define(
                    examples, {"outputs": info(y)}, "tensorflow/serving/regress"
                ),
                "classify_x": define(
                    examples,
                    {"classes": info(classes), "scores": info(scores)},
                    "tensorflow/serving/classify",
                ),
                "scores_only": define(
                    examples, {"scores": info(scores)}, "tensorflow/serving/classify"
                ),
                "classes_only": define(
                    examples, {"classes": info(classes)}, "tensorflow/serving/classify"
                ),
                "two_columns": define(
                    examples, {"outputs": info(scores)}, "tensorflow/serving/regress"
                ),
            },
        )
        builder.save()


class Kinds(tf.Module):
    """A classification in three, one in two, the best class alone, and a regression of two."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2, 2], tf.float32, name="grid"),
            tf.TensorSpec([None], tf.float32, name="bonus"),
        ]
    )
    def of_three(self, grid, bonus):
        total = tf.reduce_sum(grid, axis=[1, 2]) + bonus
        logits = tf.stack([total, tf.zeros_like(total), -total], axis=1)
        labels = tf.constant(["much", "nil", "little"])
        return {
            "label": tf.gather(labels, tf.argmax(logits, axis=1)),
            "probabilities": tf.nn.softmax(logits),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def of_two(self, text):
        p = tf.minimum(tf.cast(tf.strings.length(text), tf.float32) / 8.0, 1.0)
        return {"label": tf.where(p > 0.5, "long", "short"), "probability": p}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def best(self, text):
        return {"label": tf.strings.upper(text), "confidence": 0.25 + 0.0 * self._size(text)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def bounds(self, x):
        return {"middle": x, "low": x - 1.0}

    @staticmethod
    def _size(text):
        return tf.cast(tf.strings.length(text), tf.float32)


KINDS_CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(
            Field(name="grid", dtype="float32", shape=(None, 2, 2), maximum=9),
            Field(name="bonus", dtype="float32", shape=(None,)),
        ),
        outputs=(
            Field(name="label", dtype="string", shape=(None,), choices=("much", "nil", "little")),
            Field(name="probabilities", dtype="float32", shape=(None, 3)),
        ),
    ),
    "of_two": Signature(
        "of_two",
        inputs=(Field(name="text", dtype="string", shape=(None,), max_length=20),),
        outputs=(
            Field(name="label", dtype="string", shape=(None,), choices=("short", "long")),
            Field(name="probability", dtype="float32", shape=(None,), minimum=0, maximum=1),
        ),
    ),
    "best": Signature(
        "best",
        inputs=(Field(name="text", dtype="string", shape=(None,)),),
        outputs=(
            Field(name="label", dtype="string", shape=(None,)),
            Field(name="confidence", dtype="float32", shape=(None,), minimum=0, maximum=1),
        ),
    ),
    "bounds": Signature(
        "bounds",
        inputs=(Field(name="x", dtype="float32", shape=(None,)),),
        outputs=(
            Field(name="middle", dtype="float32", shape=(None,)),
            Field(name="low", dtype="float32", shape=(None,)),
        ),
    ),
}


def publish_kinds(root: Path, *, model: str = "kinds", task: str = "regression") -> int:
    """Publish ``Kinds`` as a trainer would, and return the version's number."""

    def fill(directory: Path) -> None:
        module = Kinds()
        functions = {"serving_default": module.of_three} | {
            name: getattr(module, name) for name in ("of_two", "best", "bounds")
        }
        tf.saved_model.save(
            module,
            str(directory),
            signatures={k: f.get_concrete_function() for k, f in functions.items()},
        )
        write_card(
            directory,
            Card(
                name=model,
                title="Kinds of answers",
                task=task,
                contract=KINDS_CONTRACT,
                created_at="2026-01-01T00:00:00+00:00",
            ),
        )

    return Store(root).publish(model, fill)


# A signature's inputs of each dtype that TensorFlow and the protocols have in common.
DTYPES = {
    name: tf.dtypes.as_dtype(name)
    for name in (
        *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "float32", "float64", "string"),
    )
}


class EveryDtype(tf.Module):
    """Gives back what it is given, a tensor of each dtype."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], dtype, name=name) for name, dtype in DTYPES.items()
        ]
    )
    def same(self, *tensors):
        return {
            f"same_{name}": tf.identity(tensor)
            for name, tensor in zip(DTYPES, tensors, strict=True)
        }


def save_every_dtype(directory: Path) -> None:
    """Write a foreign SavedModel with an input and an output of each dtype."""
    model = EveryDtype()
    tf.saved_model.save(model, str(directory), signatures=model.same.get_concrete_function())


class Scores(tf.Module):
    """The scores of three classes, and the name of the highest."""

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def serve(self, x):
        return {
            "scores": x,
            "counts": tf.cast(x, tf.uint8),
            "label": tf.gather(["low", "middle", "high"], tf.argmax(x, axis=1)),
        }


SCORES_CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(Field(name="x", dtype="float32", shape=(None, 3)),),
        outputs=(
            Field(name="scores", dtype="float32", shape=(None, 3)),
            Field(name="counts", dtype="uint8", shape=(None, 3)),
            Field(name="label", dtype="string", shape=(None,), choices=("low", "middle", "high")),
        ),
    )
}


def publish_scores(root: Path) -> int:
    """Publish a version of ``Scores``, as model "scores"."""

    def fill(directory: Path) -> None:
        model = Scores()
        tf.saved_model.save(model, str(directory), signatures=model.serve.get_concrete_function())
        write_card(
            directory,
            Card(
                name="scores",
                title="Three classes",
                task="classification",
                contract=SCORES_CONTRACT,
                created_at="2026-01-01T00:00:00+00:00",
            ),
        )

    return Store(root).publish("scores", fill)


class Types(tf.Module):
    """One input of many dtypes and shapes each; ``ok`` is how many rows there are, in each row."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int8, name="small"),
            tf.TensorSpec([None], tf.uint64, name="big"),
            tf.TensorSpec([None], tf.int64, name="whole"),
            tf.TensorSpec([None], tf.float16, name="half"),
            tf.TensorSpec([None], tf.float64, name="double"),
            tf.TensorSpec([None], tf.bool, name="flag"),
            tf.TensorSpec([None], tf.int32, name="grade"),
            tf.TensorSpec([None], tf.float32, name="level"),
            tf.TensorSpec([None], tf.string, name="note"),
            tf.TensorSpec([None, None], tf.float32, name="series"),
            tf.TensorSpec([None, 2], tf.float32, name="gaps"),
            tf.TensorSpec([None, 2], tf.string, name="tags"),
        ]
    )
    def serve(self, small, big, whole, half, double, flag, grade, level, note, series, gaps, tags):
        return {"ok": tf.fill([tf.size(note)], tf.size(note))}

    @tf.function(input_signature=[tf.TensorSpec([None, 28, 28], tf.float32, name="image")])
    def picture(self, image):
        return {"mean": tf.reduce_mean(image, axis=[1, 2])}


TYPES_CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(
            Field(name="small", dtype="int8", shape=(None,)),
            Field(name="big", dtype="uint64", shape=(None,)),
            Field(name="whole", dtype="int64", shape=(None,), minimum=0, unit="pieces"),
            Field(name="half", dtype="float16", shape=(None,)),
            Field(name="double", dtype="float64", shape=(None,)),
            Field(name="flag", dtype="bool", shape=(None,)),
            Field(name="grade", dtype="int32", shape=(None,), choices=(1, 2, 3)),
            Field(name="level", dtype="float32", shape=(None,), choices=(0.5, 1, 2)),
            Field(name="note", dtype="string", shape=(None,), max_length=8),
            Field(name="series", dtype="float32", shape=(None, None), maximum=9),
            Field(name="gaps", dtype="float32", shape=(None, 2), nullable=True),
            Field(name="tags", dtype="string", shape=(None, 2)),
        ),
        outputs=(Field(name="ok", dtype="int32", shape=(None,)),),
    ),
    "picture": Signature(
        "picture",
        inputs=(
            Field(name="image", dtype="float32", shape=(None, 28, 28), minimum=0, maximum=255),
        ),
        outputs=(Field(name="mean", dtype="float32", shape=(None,)),),
    ),
}


def publish_types(root: Path) -> int:
    """Publish ``Types`` as a trainer would, and return the version's number."""

    def fill(directory: Path) -> None:
        module = Types()
        functions = {"serving_default": module.serve, "picture": module.picture}
        tf.saved_model.save(
            module,
            str(directory),
            signatures={k: f.get_concrete_function() for k, f in functions.items()},
        )
        write_card(
            directory,
            Card(
                name="types",
                title="Many types",
                task="regression",
                contract=TYPES_CONTRACT,
                created_at="2026-01-01T00:00:00+00:00",
            ),
        )

    return Store(root).publish("types", fill)
