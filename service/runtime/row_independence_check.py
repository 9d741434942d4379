"""The second guard of row independence: a model gets rows alone, and among others.

It can take back what a card or a graph says, and grants nothing.
"""

import contextlib
from collections.abc import Mapping

from service.errors import ServiceError
from service.repository.contract import Signature
from service.repository.golden_examples import Tensors
from service.repository.row_dependence_probe import Run, neighbours_matter, varied_rows

# Each is asked alone, and all of them together in several ways.
_CHECKED_ROWS = 4


class IndependenceCheck:
    """The second guard: a model gets rows alone, together and among others."""

    def __init__(self, golden: Mapping[str, Tensors], *, absolute: float, relative: float) -> None:
        """A check against golden rows.

        Args:
            golden: golden inputs by signature, where there are any.
            absolute: with ``relative``, how closely numbers must agree.
            relative: see there.
        """
        self._golden = golden
        self._absolute = absolute
        self._relative = relative

    def revokes(self, signature: Signature, run: Run) -> str:
        """Return how a signature shows that its rows depend on one another; empty if it does not.

        It gets golden rows and varied ones: golden rows may be clear cases, whose
        answers hardly move. That it refuses its input says nothing.
        """
        golden = {
            name: tensor[:_CHECKED_ROWS]
            for name, tensor in self._golden.get(signature.name, {}).items()
        }
        for inputs in (golden, varied_rows(signature, _CHECKED_ROWS)):
            if not inputs or next(iter(inputs.values())).shape[0] < 2:
                continue
            with contextlib.suppress(ServiceError):
                reason = neighbours_matter(
                    run, inputs, absolute=self._absolute, relative=self._relative
                )
                if reason:
                    return reason
        return ""
