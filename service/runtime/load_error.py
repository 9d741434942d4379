"""Why a version cannot serve."""

from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a version that cannot serve: a fixed list, fit for a metric's label."""

    MANIFEST = "manifest"
    CARD = "card"
    GRAPH = "graph"
    OPERATIONS = "operations"
    CONTRACT = "contract"
    GOLDEN = "golden"
    WARM_UP = "warm_up"
    NOT_FINITE = "not_finite"
    DEADLINE = "deadline"
    REPLACED = "replaced"
    UNFORESEEN = "unforeseen"


class LoadError(Exception):
    """A version cannot serve; the message says why in a sentence."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
