"""Which networks over- and which underfit, by their learning curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# The held-out curve of one and the same network moves by some per cent from epoch to epoch: less
# than this says nothing.
_TELLING = 0.05
# A network that errs on what it learned from by less than half as much as on what it never saw
# owes most of what it knows of the former to having seen it.
_MEMORISED = 0.5

RULE = (
    f"A network **underfits** when even on the data that it learned from, at its best epoch, it "
    f"errs more than {_TELLING:.0%} worse than the best network of the study does on data that "
    f"it never saw: the error is not for want of data, it could not learn, or not long enough. "
    f"It **overfits** when the last epoch is more than {_TELLING:.0%} worse than the best one on "
    f"the data that it never saw while on its own data it got better, or when at the last epoch "
    f"the gap between the two, as a share of the error on the data never seen, is above "
    f"{_MEMORISED:.0%}. Otherwise it **fits**. Less than {_TELLING:.0%} is what curves "
    f"move by chance."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """One network's errors, epoch by epoch.

    Attributes:
        name: of the network in its study.
        description: how it differs.
        parameters: how many weights it has.
        train: its error on data that it learned from, after each epoch, as it would serve.
        held_out: the same on data that it never saw.
    """

    name: str
    description: str
    parameters: int
    train: Sequence[float]
    held_out: Sequence[float]

    @property
    def best(self) -> int:
        """The epoch with the least error on held-out data, from 0."""
        return int(np.argmin(self.held_out))

    def gap(self, epoch: int) -> float:
        """Return how much less it errs on its own data, as a share of the error on the other."""
        return 1 - self.train[epoch] / self.held_out[epoch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The diagnosis of a network by its curves: ``word`` is "overfits", "underfits" or "fits"."""

    word: str
    why: str


def diagnose(curves: Sequence[Curves]) -> list[Verdict]:
    """Diagnose networks that were trained on the same data, by ``RULE``."""
    reached = min(network.held_out[network.best] for network in curves)
    return [_diagnosed(network, reached) for network in curves]


def _diagnosed(network: Curves, reached: float) -> Verdict:
    train, held_out, best = network.train, network.held_out, network.best
    rise = held_out[-1] / held_out[best] - 1
    gap = network.gap(-1)
    if train[best] > reached * (1 + _TELLING):
        still = best == len(held_out) - 1
        return Verdict(
            word="underfits",
            why=f"{train[best]:.3g} even on its own data; the best network reaches {reached:.3g} "
            f"on data never seen" + ("; it was still getting better" if still else ""),
        )
    if rise > _TELLING and train[-1] < train[best]:
        return Verdict(
            word="overfits",
            why=f"after epoch {best + 1} the error on its own data fell from {train[best]:.3g} to "
            f"{train[-1]:.3g}, the error on data never seen rose from {held_out[best]:.3g} to "
            f"{held_out[-1]:.3g} (+{rise:.0%})",
        )
    if gap > _MEMORISED:
        return Verdict(
            word="overfits",
            why=f"at the end it errs by {train[-1]:.3g} on its own data and by "
            f"{held_out[-1]:.3g} on data never seen, a gap of {gap:.0%}",
        )
    return Verdict(
        word="fits",
        why=f"at the end no more than {max(rise, 0):.0%} above its best, and a gap of {gap:.0%}",
    )


def diagnosis_to_json(curves: Sequence[Curves]) -> list[dict[str, Any]]:
    """Return each network's figures and verdict as JSON; epochs count from 1."""
    return [
        {
            "name": network.name,
            "description": network.description,
            "parameters": network.parameters,
            "epochs": len(network.held_out),
            "best_epoch": network.best + 1,
            "best": _figures(network, network.best),
            "last": _figures(network, -1),
            "verdict": verdict.word,
            "why": verdict.why,
        }
        for network, verdict in zip(curves, diagnose(curves), strict=True)
    ]


def _figures(network: Curves, epoch: int) -> dict[str, float]:
    return {
        "train": network.train[epoch],
        "held_out": network.held_out[epoch],
        "gap": network.gap(epoch),
    }
