"""How large the difference between live rows and a reference is, beside how sure it is."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64] | npt.NDArray[np.float64]


def jensen_shannon_distance(counts: Counts, reference: Counts) -> float:
    """Return the Jensen-Shannon distance of two samples, from 0 (alike) to 1 (nothing in common).

    The square root of the divergence in bits, which is a metric: Endres and Schindelin, IEEE
    Transactions on Information Theory 2003.

    Args:
        counts: rows by bin, [bins]; one row at least.
        reference: the reference's rows by bin, [bins]; one row at least.
    """
    live, known = counts / counts.sum(), reference / reference.sum()
    middle = (live + known) / 2
    bits = (_entropy_to(live, middle) + _entropy_to(known, middle)) / 2
    return math.sqrt(min(max(bits, 0.0), 1.0))


def population_stability_index(counts: Counts, reference: Counts) -> float:
    """Return the population stability index (PSI), the symmetrised relative entropy in nats.

    Half a row is added to each bin of both samples, because empty bins would make it infinite.

    Args:
        counts: rows by bin, [bins].
        reference: the reference's rows by bin, [bins].
    """
    live, known = counts + 0.5, reference + 0.5
    live, known = live / live.sum(), known / known.sum()
    return float(((live - known) * np.log(live / known)).sum())


def stability_index_by_chance(
    rows: float, reference_rows: float, bins: int, share: float = 0.99
) -> float:
    """Return what the PSI of samples of the same source stays below in a share of all cases.

    The customary bounds of 0.1 and 0.25 ignore how many rows there are. Without drift
    ``rows m / (rows + m) PSI`` is about chi-square with ``bins - 1`` degrees of freedom (Yurdakul
    and Naranjo, Journal of Risk Model Validation 2020), whose quantile is taken by Wilson and
    Hilferty's approximation (PNAS 1931).

    Args:
        rows: of the live sample, above 0.
        reference_rows: m, above 0.
        bins: how many there are, at least 2.
        share: the share of cases, between 0 and 1.
    """
    free = bins - 1
    spread = 2 / (9 * free)
    normal = NormalDist().inv_cdf(share)
    quantile = free * (1 - spread + normal * math.sqrt(spread)) ** 3
    return float(quantile * (1 / rows + 1 / reference_rows))


def _entropy_to(shares: Counts, others: Counts) -> float:
    used = shares > 0
    return float((shares[used] * np.log2(shares[used] / others[used])).sum())
