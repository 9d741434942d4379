"""Evidence that live rows are unlike the reference, valid however often one looks at it.

Rows come in blocks of counts by bin. For each block and field an *e-value* is computed: a number
that is at most 1 on average unless there is drift, so that a large one is evidence. Blocks are
combined as by Shiryaev and Roberts, ``M <- (M + 1) e``, which forgets the evidence of good days;
the mean over the fields is compared with one bound. Sources:

- universal inference, a likelihood of the data against the best one within the null hypothesis:
  Wasserman, Ramdas and Balakrishnan, PNAS 2020;
- the alternative, a Dirichlet mixture for counts: Lindon and Malek, NeurIPS 2022;
- e-detectors, whose mean time to a false alarm at a bound of A is at least A blocks, also of means
  over dependent ones: Shin, Ramdas and Rinaldo, NEJSDS 2024;
- how far a sample's shares are from the true ones in relative entropy: Agrawal, IEEE Transactions
  on Information Theory 2020.

A Bayes factor of the two samples would treat the reference as random anew in each block, although
all blocks share it, and chance in it would add up. So the null hypothesis is a set here: all
distributions that are so close to the reference that they may be its source, or are too close for
the difference to matter. That also makes the minimum effect a part of the test.
"""

import math

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64] | npt.NDArray[np.float64]

# Krichevsky and Trofimov's prior; and how much of a field's history is kept from block to block.
_PRIOR = 0.5
HISTORY_KEPT = 0.9
# Halvings of the interval in which a multiplier is searched.
_HALVINGS = 32
_LARGEST_LOG = 45.0


def reference_radius(rows: int, bins: int, chance: float) -> float:
    """Return how far the source of a reference may be from the reference's shares.

    Args:
        rows: of the reference, at least 1.
        bins: how many there are, at least 2.
        chance: the probability that the source is further away, between 0 and 1.

    Returns:
        a bound of the relative entropy of the shares to the source, in nats: the solution above
        ``(bins - 1) / rows`` of ``exp(-rows r) (e rows r / (bins - 1)) ** (bins - 1) = chance``.
        For bins between quantiles of the same rows the bound is wider than it need be: the shares
        of the source there follow a Dirichlet distribution, whose tail is thinner.

    Source: Agrawal (2020), theorem 1.2.
    """
    free = bins - 1
    low, high = float(free), free + 2.0
    while _log_tail(high, free) > math.log(chance):
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _log_tail(middle, free) > math.log(chance):
            low = middle
        else:
            high = middle
    return high / rows


def log_e_value(
    counts: Counts, reference: Counts, radius: float, history: Counts | None = None
) -> float:
    """Return the logarithm of the evidence of one block of one field.

    Args:
        counts: the block's rows by bin, [bins].
        reference: the reference's rows by bin, [bins]; one row at least.
        radius: the null hypothesis holds all distributions to which the relative entropy of the
            reference's shares is at most this, in nats, above 0.
        history: rows by bin of blocks before this one, discounted; with them the alternative
            follows what came before, else it is uniform.

    Returns:
        the logarithm of an e-value; 0 for a block without rows.
    """
    counts = np.asarray(counts, np.float64)
    if not counts.sum():
        return 0.0
    prior = np.full(len(counts), _PRIOR)
    alternative = log_dirichlet_multinomial(counts, prior)
    if history is not None:
        informed = log_dirichlet_multinomial(counts, prior + history)
        alternative = float(np.logaddexp(alternative, informed)) - math.log(2)
    return alternative - largest_log_likelihood(counts, reference, radius)


def log_dirichlet_multinomial(counts: Counts, prior: Counts) -> float:
    """Return the log probability of a sequence with these counts, its shares drawn from a prior.

    Args:
        counts: rows by bin, [bins].
        prior: the parameters of the Dirichlet distribution, [bins], all above 0.
    """
    total, rows = float(prior.sum()), float(counts.sum())
    each = sum(map(math.lgamma, (prior + counts).tolist())) - sum(map(math.lgamma, prior.tolist()))
    return math.lgamma(total) - math.lgamma(total + rows) + each


def largest_log_likelihood(counts: Counts, reference: Counts, radius: float) -> float:
    """Return the log probability of a sequence under the distribution of the null that suits best.

    By Lagrange's multipliers that distribution is a mixture of the block's shares and the
    reference's: ``(counts + w shares) / (rows + w)``, where the weight w is the smallest that puts
    it within the radius.

    Args:
        counts: rows by bin, [bins], one at least.
        reference: as in ``log_e_value``.
        radius: see there.
    """
    counts = np.asarray(counts, np.float64)
    shares = reference / reference.sum()
    rows = counts.sum()

    def mixture(log_weight: float) -> npt.NDArray[np.float64]:
        weight = rows * math.exp(log_weight)
        return np.asarray((counts + weight * shares) / (rows + weight))

    low, high = -_LARGEST_LOG, _LARGEST_LOG
    if relative_entropy(shares, counts / rows) <= radius:
        best = counts / rows
    else:
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if relative_entropy(shares, mixture(middle)) > radius:
                low = middle
            else:
                high = middle
        # The lower end is just outside: its likelihood is a little too large, which is on the
        # careful side.
        best = mixture(low)
    seen = counts > 0
    return float((counts[seen] * np.log(best[seen])).sum())


def relative_entropy(shares: Counts, others: Counts) -> float:
    """Return the relative entropy (Kullback-Leibler divergence) of two distributions, in nats.

    Infinity where ``others`` has nothing in a bin in which ``shares`` has something.
    """
    used = shares > 0
    if (others[used] == 0).any():
        return math.inf
    return float((shares[used] * np.log(shares[used] / others[used])).sum())


def after_block(log_restart: float, log_e: float, largest: float) -> tuple[float, float]:
    """Return a field's evidence after a block, by Shiryaev's and Roberts' rule.

    Args:
        log_restart: what this function returned for the block before; 0 at first.
        log_e: the logarithm of the block's e-value.
        largest: evidence beyond this is cut off, so that an alarm ends soon after the drift does.

    Returns:
        the logarithm of ``M + 1``, for the next block; and M.
    """
    evidence = math.exp(min(log_restart + log_e, math.log(largest)))
    return math.log1p(evidence), evidence


def _log_tail(scaled: float, free: int) -> float:
    """Return the logarithm of Agrawal's bound; ``scaled`` is rows times radius, above ``free``."""
    return -scaled + free * (1 + math.log(scaled / free))
