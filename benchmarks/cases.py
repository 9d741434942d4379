"""What is asked: the payloads, how many connections send them, and the right answers."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.models import CLOTHING, DENSE, MPG, SENTIMENT
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.golden import Golden, GoldenExample, mismatches

# The mean length of a review in the IMDB data, in words.
REVIEW_WORDS = 230

_TITLES: Mapping[str, str] = {
    DENSE: "Clothing, dense network",
    CLOTHING: "Clothing, committed model",
    MPG: "Fuel consumption",
    SENTIMENT: "Sentiment",
}
_ROWS: Mapping[str, tuple[str, str]] = {
    DENSE: ("image", "images"),
    CLOTHING: ("image", "images"),
    MPG: ("row", "rows"),
    SENTIMENT: ("review", "reviews"),
}
# Model, rows a request, connections.
_PLAN = (
    (DENSE, 1, (1, 8, 32)),
    (DENSE, 64, (2,)),
    (CLOTHING, 1, (1, 8, 32)),
    (CLOTHING, 64, (2,)),
    (MPG, 1, (8, 32)),
    (SENTIMENT, 1, (8,)),
)


@dataclass(frozen=True)
class Payload:
    """One request, and what a right answer to it is.

    Attributes:
        model: the model that is asked.
        golden: the model's golden examples, for their tolerance.
        examples: those of them that are sent, one a row.
    """

    model: str
    golden: Golden
    examples: Sequence[GoldenExample]

    @property
    def name(self) -> str:
        return f"{self.model}-{len(self.examples)}"

    @cached_property
    def body(self) -> bytes:
        """The request's body: rows, in JSON without spaces, as browsers write it."""
        return _dump({"instances": [_bare(example.instance) for example in self.examples]})

    @cached_property
    def answer(self) -> bytes:
        """The body of the right answer."""
        return _dump({"predictions": [_bare(example.prediction) for example in self.examples]})

    def problems(self, answer: bytes) -> list[str]:
        """Say, a sentence each, what is wrong with a server's answer."""
        try:
            predictions = json.loads(answer)["predictions"]
            outputs = self._columns(predictions)
        except (ValueError, KeyError, TypeError):
            return [f"The answer is not {len(self.examples)} predictions: {answer[:200]!r}."]
        return mismatches(self.golden, self.examples, outputs)

    def _columns(self, predictions: list[Any]) -> dict[str, Any]:
        if len(predictions) != len(self.examples):
            raise ValueError(predictions)
        names = list(self.examples[0].prediction)
        if len(names) == 1:
            return {names[0]: np.array(predictions)}
        return {name: np.array([row[name] for row in predictions]) for name in names}


@dataclass(frozen=True)
class Case:
    """A payload that a number of connections send without pause."""

    payload: Payload
    connections: int

    @property
    def name(self) -> str:
        """The name by which the command line chooses the case."""
        return case_name(self.payload.model, self.rows, self.connections)

    @property
    def rows(self) -> int:
        """Predictions a request."""
        return len(self.payload.examples)

    @property
    def title(self) -> str:
        """The case in words, for people."""
        row = _ROWS[self.payload.model][self.rows > 1]
        connection = "connection" if self.connections == 1 else "connections"
        return (
            f"{_TITLES[self.payload.model]}: {self.rows} {row} a request, "
            f"{self.connections} {connection}"
        )


def case_name(model: str, rows: int, connections: int) -> str:
    """Return the name of a case, such as ``clothing-64x2``."""
    return f"{model}-{rows}x{connections}"


def all_case_names() -> list[str]:
    """Return the names of all cases, in the order in which they run."""
    return [
        case_name(model, rows, connections)
        for model, rows, counts in _PLAN
        for connections in counts
    ]


def build_cases(golden: Mapping[str, Golden], names: Iterable[str]) -> list[Case]:
    """Return the cases of those names whose models there are.

    Args:
        golden: the golden examples of each model that there is.
        names: names of cases.
    """
    wanted = set(names)
    cases = []
    for model, rows, counts in _PLAN:
        if model in golden:
            payload = Payload(model, golden[model], choose(golden[model].examples, rows))
            cases += [Case(payload, connections) for connections in counts]
    return [case for case in cases if case.name in wanted]


def choose(examples: Sequence[GoldenExample], rows: int) -> list[GoldenExample]:
    """Return ``rows`` examples that any server can be asked: no unknown values, usual lengths.

    Raises:
        BenchmarkError: there is no such example.
    """
    usable = [
        example
        for example in examples
        if example.signature == DEFAULT_SIGNATURE and None not in example.instance.values()
    ]
    if not usable:
        raise BenchmarkError("The golden examples hold none for the default signature.")
    usable.sort(key=_oddness)
    return list(itertools.islice(itertools.cycle(usable), rows))


def _oddness(example: GoldenExample) -> int:
    """How far a lone text is from a usual review's length, in words; 0 for all else."""
    match list(example.instance.values()):
        case [str(text)]:
            return abs(len(text.split()) - REVIEW_WORDS)
        case _:
            return 0


def _bare(values: Mapping[str, Any]) -> Any:
    """Return a row as TensorFlow Serving writes it: a lone value without its name."""
    whole = {name: _integral(value) for name, value in values.items()}
    return next(iter(whole.values())) if len(whole) == 1 else whole


def _integral(value: Any) -> Any:
    """Write pictures with whole numbers, as clients send them."""
    if isinstance(value, list):
        return [_integral(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
