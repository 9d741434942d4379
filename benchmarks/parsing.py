"""What requests and answers cost without a model between: ``python -m benchmarks.parsing``.

Processor time in microseconds, from a body's bytes to checked tensors, and from a model's outputs
to the response's bytes, without a server: the least of some rounds in which the ways take turns,
since whatever disturbs a measurement can only add to it. Beside the way that the service goes
stands the reference, which makes a Python object of every number
(service/api/codecs/tfserving/predict_requests.py).
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.cases import choose
from benchmarks.errors import BenchmarkError
from benchmarks.models import CLOTHING, MPG, golden_of, latest_version
from benchmarks.process import ROOT
from benchmarks.table import markdown_table, number
from service.api.codecs.tfserving import predict_requests, predict_responses
from service.api.validation.schemas import signature_schema
from service.repository.contract import DEFAULT_SIGNATURE, Contract
from service.repository.golden_examples import Tensors
from service.repository.model_card import read_card

_IMAGES = (1, 64)
_CARS = (1, 1000)
_CLASSES = 10
_LARGE = (64, 1000)
# Many short ones: on a busy machine only a few fall into a quiet moment.
_ROUNDS = 60
_ROUND_S = 0.01
_MOST_PROBLEMS = 20

_Work = Callable[[], Any]


def main() -> None:
    """Measure requests and answers, and print a table of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parsing")
    parser.add_argument("--models", type=Path, default=ROOT / "saved_models")
    models = parser.parse_args().models
    table = []
    for title, body, contract in [*_pictures(models), *_cars(models)]:
        costs = _least_us(_reader(body, contract), _reference(body, contract))
        table.append([title, f"{len(body):,}", *map(number, costs)])
    print(markdown_table(["request", "bytes", "us", "reference, us"], table))
    table = []
    for title, asked, outputs in _answers(_contract(models, CLOTHING)):
        (cost,) = _least_us(_encoder(asked, outputs))
        table.append(
            [title, f"{len(predict_responses.encode_response(asked, outputs)):,}", number(cost)]
        )
    print("\n" + markdown_table(["answer", "bytes", "us"], table))


def _least_us(*ways: _Work) -> list[float]:
    best = [float("inf")] * len(ways)
    for _ in range(_ROUNDS):
        best = [min(least, _cpu_us(work)) for least, work in zip(best, ways, strict=True)]
    return best


def _cpu_us(work: _Work) -> float:
    work()
    calls, end, before = 0, time.perf_counter() + _ROUND_S, time.process_time()
    while calls == 0 or time.perf_counter() < end:
        work()
        calls += 1
    return (time.process_time() - before) * 1e6 / calls


def _reader(body: bytes, contract: Contract) -> _Work:
    schemas = {name: signature_schema(s, limit=_MOST_PROBLEMS) for name, s in contract.items()}
    return lambda: predict_requests.read_request(
        predict_requests.parse_json(body), contract, lambda s: schemas[s.name], limit=_MOST_PROBLEMS
    )


def _reference(body: bytes, contract: Contract) -> _Work:
    schemas = {name: signature_schema(s, limit=_MOST_PROBLEMS) for name, s in contract.items()}
    return lambda: predict_requests.reference_request(
        body, contract, lambda s: schemas[s.name], limit=_MOST_PROBLEMS
    )


def _encoder(asked: predict_requests.PredictRequest, outputs: Tensors) -> _Work:
    return lambda: predict_responses.encode_response(asked, outputs)


def _pictures(models: Path) -> Iterator[tuple[str, bytes, Contract]]:
    contract = _contract(models, CLOTHING)
    examples = golden_of(models, CLOTHING).examples
    for count in _IMAGES:
        images = [np.array(e.instance["image"], np.int64) for e in choose(examples, count)]
        pixels = [image.tolist() for image in images]
        scaled = [(image / 255).astype(np.float32) for image in images]
        yield _several(count, "image"), _dump({"instances": pixels}), contract
        named = [{"image": image} for image in pixels]
        yield _several(count, "image") + " by name", _dump({"instances": named}), contract
        yield (
            _several(count, "image") + " as column",
            _dump({"inputs": {"image": pixels}}),
            contract,
        )
        yield _several(count, "image") + " of fractions", _dump({"instances": scaled}), contract


def _cars(models: Path) -> Iterator[tuple[str, bytes, Contract]]:
    contract = _contract(models, MPG)
    cars = [e.instance for e in golden_of(models, MPG).examples]
    for count in _CARS:
        chosen = [cars[i % len(cars)] for i in range(count)]
        yield _several(count, "record"), _dump({"instances": chosen}), contract


def _answers(contract: Contract) -> Iterator[tuple[str, predict_requests.PredictRequest, Tensors]]:
    signature = contract[DEFAULT_SIGNATURE]
    labels = next(field.choices for field in signature.outputs if field.choices)
    random = np.random.default_rng(0)
    for count in _IMAGES:
        scores = random.dirichlet(np.full(_CLASSES, 0.3), count).astype(np.float32)
        best = scores.argmax(1)
        outputs = {
            "label": np.array([str(labels[i]).encode() for i in best], dtype=object),
            "class_id": best,
            "confidence": scores.max(1),
            "probabilities": scores,
        }
        yield (
            _several(count, "classification"),
            predict_requests.PredictRequest(signature, {}, count),
            outputs,
        )
    large = random.random(_LARGE, dtype=np.float32)
    shape = " x ".join(map(str, _LARGE))
    yield f"{shape} alone", predict_requests.PredictRequest(signature, {}, _LARGE[0]), {"y": large}
    both: Tensors = {"y": large, "n": np.arange(_LARGE[0])}
    yield f"{shape} and a number", predict_requests.PredictRequest(signature, {}, _LARGE[0]), both
    yield f"{shape} as column", predict_requests.PredictRequest(signature, {}, None), both


def _contract(models: Path, model: str) -> Contract:
    card = read_card(latest_version(models, model))
    if card is None:
        raise BenchmarkError(f"Model {model!r} has no card to check requests against.")
    return card.contract


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


if __name__ == "__main__":
    main()
