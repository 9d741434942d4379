"""What is asked: the payloads, how many connections send them, and the right answers."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.errors import BenchmarkError
from benchmarks.models import CLOTHING, DENSE, MPG, ROW, SENTIMENT
from benchmarks.protocols import ROWS, Protocol
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.golden_examples import Golden, GoldenExample, mismatches

# The mean length of a review in the IMDB data, in words.
REVIEW_WORDS = 230
# So many that only ours is asked: the others are not made for it.
MANY_CONNECTIONS = 1000

# Model, rows a request, connections.
_PLAN = (
    (DENSE, 1, (1, 8, 32, 128, MANY_CONNECTIONS)),
    (DENSE, 64, (2,)),
    (ROW, 1, (1, 8, 32, 128, MANY_CONNECTIONS)),
    (CLOTHING, 1, (32,)),
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

    def body(self, protocol: Protocol = ROWS) -> bytes:
        """Return the request's body."""
        return protocol.body(self.examples)

    def problems(self, answer: bytes, protocol: Protocol = ROWS) -> list[str]:
        """Say, a sentence each, what is wrong with a server's answer."""
        try:
            outputs = protocol.columns(self.examples, answer)
        except (ValueError, KeyError, TypeError):
            return [f"The answer is not {len(self.examples)} predictions: {answer[:200]!r}."]
        return mismatches(self.golden, self.examples, outputs)


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
