"""Whether two versions refuse the same requests before their graphs run."""

from typing import Any

from service.repository.contract import refuse_alike
from service.runtime.servable import Servable


def have_same_refusals(one: Servable, other: Servable) -> bool:
    """Whether two versions refuse the same requests before their graphs run, whatever those are."""
    return refuse_alike(one.contract, other.contract) and _asked(one) == _asked(other)


def _asked(servable: Servable) -> tuple[bool, dict[str, Any]]:
    """Return what decides besides the contract what ``:classify`` and ``:regress`` take.

    A candidate that differs in it may refuse all their requests, which the champion answers.
    """
    is_regression = servable.card is not None and servable.card.task == "regression"
    return is_regression, {
        name: (servable.signature_def[name]["method_name"], servable.parses_examples(name))
        for name in servable.contract
    }
