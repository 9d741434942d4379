"""When replicas that each look at a store by themselves take a version over, and what clients see.

A simulation of the mirror's looks (``service.mirroring.mirror_loop``), of the service's own look at
its folder, and of loading. All times are in seconds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Timing:
    """What a replica does between a publication and its swap.

    Attributes:
        interval_s: between two looks at the store.
        jitter: by what share of it an interval is shorter or longer, at most.
        fetch_s: what fetching a version takes.
        poll_s: between the service's looks at its folder.
        load_s: what verifying, loading and proving take.
        spread: by what share fetching and loading take shorter or longer, at most.
    """

    interval_s: float = 30.0
    jitter: float = 0.1
    fetch_s: float = 1.0
    poll_s: float = 1.0
    load_s: float = 1.0
    spread: float = 0.3


def swap_times(timing: Timing, replicas: int, trials: int, seed: int = 1) -> Floats:
    """Return when each replica swaps after a publication, shape [trials, replicas].

    Replicas were started at any time, so a publication falls somewhere into an interval of each,
    and more likely into a long one.
    """
    random = np.random.default_rng(seed)
    shape = (trials, replicas)
    least, most = (timing.interval_s * (1 + sign * timing.jitter) for sign in (-1, 1))
    intervals = np.sqrt(least**2 + random.random(shape) * (most**2 - least**2))

    def takes(seconds: float) -> Floats:
        return seconds * random.uniform(1 - timing.spread, 1 + timing.spread, shape)

    looked = intervals * random.random(shape)
    polled = timing.poll_s * random.random(shape)
    found: Floats = looked + takes(timing.fetch_s) + polled + takes(timing.load_s)
    return found


def windows(times: Floats) -> Floats:
    """Return for how long replicas serve different versions, shape [trials]."""
    found: Floats = times.max(axis=1) - times.min(axis=1)
    return found


@dataclass(frozen=True, slots=True)
class Flips:
    """What clients see of one publication, on average over clients.

    Attributes:
        changes: how often a client's next answer is by another version than its last.
        backwards: how often by an older one.
        affected: the share of clients that see an older one at least once.
    """

    changes: float
    backwards: float
    affected: float


def flips(times: Floats, every_s: float, *, sticks: bool = False, seed: int = 1) -> Flips:
    """Return what clients see that ask again and again, one client a trial.

    Args:
        times: as ``swap_times`` returns them.
        every_s: seconds between two requests of a client.
        sticks: whether a client asks one replica alone, as by a hash of its key; else any.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    trials, replicas = times.shape
    # The first before the publication.
    asked = np.arange(-every_s, float(times.max()) + 2 * every_s, every_s)
    asked_at = asked[None, :] + every_s * random.random((trials, 1))
    width = 1 if sticks else len(asked)
    chosen = random.integers(replicas, size=(trials, width))
    is_new = asked_at >= np.take_along_axis(times, chosen, axis=1)
    changes = is_new[:, 1:] != is_new[:, :-1]
    backwards = changes & is_new[:, :-1]
    return Flips(
        float(changes.sum(axis=1).mean()),
        float(backwards.sum(axis=1).mean()),
        float(backwards.any(axis=1).mean()),
    )
