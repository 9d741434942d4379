"""What the document shows of a signature beside its schemas."""

import pytest

from service.api.openapi.signature_schemas import predict_bodies
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Golden, GoldenExample

X = Field(name="x", dtype="float32", shape=(None, None))
SIGNATURE = Signature("serving_default", (X,), ())


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [((3, 3, 3), ["0", "1"]), ((150_528, 3, 3), ["1"]), ((150_528, 150_528), [])],
)
def test_examples_are_short_enough_to_read(sizes: tuple[int, ...], shown: list[str]) -> None:
    """A picture of 224 x 224 x 3 values is not."""
    examples = [
        GoldenExample("serving_default", {"x": [0.5] * size}, {}, str(number))
        for number, size in enumerate(sizes)
    ]
    bodies = predict_bodies(SIGNATURE, Golden(examples), {}, max_rows=10)
    assert list(bodies.examples) == shown
