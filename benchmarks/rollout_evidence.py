"""How soon harm is shown, and how often without harm: ``python -m benchmarks.rollout_evidence``.

Streams of requests are drawn, and the service's own assessment looks at them: first 2,000 streams
of candidates that are as good as the champion, with a look at every request that can change the
evidence; then harmful ones, by kind and size, and counted are the clients whom a candidate reaches
before it is rolled back. Nothing is served; it takes numpy, and minutes.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from service.repository.rollout_policy import Rollout, RolloutRules, Stage
from service.rollout.assessment import Action, StageEvidence, assess
from service.rollout.e_processes import LOG_ODDS
from service.rollout.paired_betting import (
    Differences,
    log_evidence_of_worse,
    upper_bound_of_worse,
)
from service.rollout.paired_quality import PairedQuality
from service.rollout.shadow import ShadowCounts

_RULES = RolloutRules(step_s=0, bake_s=0)
# Requests that fail by their clients' mistake.
_MISTAKES = 0.002
# Batches in which noise alone makes the candidate slower than is allowed, far slower, far faster.
_SLOWER, _FAR_SLOWER, _FAR_FASTER = 0.2, 0.01, 0.01
# Requests between looks.
_LOOK = 200
_MOST_LOOKS = 5_000


@dataclass(frozen=True, slots=True)
class Harm:
    """What a candidate does worse than the champion, by shares of requests or rows.

    Attributes:
        name: for the table.
        errors: further requests that fail.
        slower: further batches in which it is slower than is allowed.
        far_slower: further batches in which it is far slower.
        disagreement: rows that are answered differently.
        lost: batches on which it alone fails, in the shadow.
        worse: rows that it alone answers wrong.
        better: rows that the champion alone answers wrong.
        audits: requests whose truth becomes known.
    """

    name: str
    errors: float = 0.0
    slower: float = 0.0
    far_slower: float = 0.0
    disagreement: float = 0.02
    lost: float = 0.0
    worse: float = 0.01
    better: float = 0.01
    audits: float = 0.0


# What truths alone tell apart: within the margin of disagreement.
_BY_TRUTHS = (
    Harm("none, with audits"),
    Harm("better on 2 %", worse=0.0, better=0.02),
    Harm("two labels swapped on 2 %", worse=0.02, better=0.0),
    Harm("two labels swapped on 5 %", disagreement=0.05, worse=0.05, better=0.0),
    Harm("worse on 5 %, better on 3 %", disagreement=0.08, worse=0.05, better=0.03),
)
HARMS = (
    Harm("none"),
    Harm("fails on 0.1 %", errors=0.001),
    Harm("fails on 0.5 %", errors=0.005),
    Harm("fails on 1 %", errors=0.01),
    Harm("fails on 5 %", errors=0.05),
    Harm("fails on 20 %", errors=0.2),
    Harm("fails always", errors=0.998),
    Harm("far slower on 1 % of batches", far_slower=0.01),
    Harm("far slower on 5 % of batches", far_slower=0.05),
    Harm("far slower on 20 % of batches", far_slower=0.2),
    Harm("slower on 60 % of batches", slower=0.4),
    Harm("always slower", slower=0.78),
    Harm("1 % of batches fail", errors=0.01, lost=0.01),
    Harm("5 % of batches fail", errors=0.05, lost=0.05),
    Harm("20 % answered differently", disagreement=0.2),
    *(replace(harm, audits=share) for harm in _BY_TRUTHS for share in (0.01, 0.05, 0.2)),
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How one stream ended.

    Attributes:
        outcome: ``live``, ``rolled back`` or ``held``.
        truths: how many were known.
        exposed: requests that the candidate answered before it led.
        requests: all requests until then.
    """

    outcome: str
    truths: int
    exposed: int
    requests: int


def run_stream(harm: Harm, rules: RolloutRules, random: np.random.Generator) -> Ending:
    """Run one rollout by the service's assessment, with a look at every ``_LOOK`` requests.

    The shadow sees a batch for every ten requests of the champion's.
    """
    rollout = Rollout("stream", 1, rules=rules).begun(2)
    stages = [_begin(rollout)]
    truths = np.zeros(3)
    exposed = requests = 0
    for _ in range(_MOST_LOOKS):
        requests += _LOOK
        exposed += _draw(stages[-1], harm, random)
        truths += _draw_truths(harm, random)
        verdict = assess(rollout, stages, elapsed_s=1.0, quality=_quality(truths, rules))
        known = int(truths.sum())
        if verdict.action is Action.ROLL_BACK:
            return Ending("rolled back", known, exposed, requests)
        if verdict.action is Action.GO_ON:
            rollout = rollout.advanced()
            if rollout.stage is Stage.BAKING:
                return Ending("live", known, exposed, requests)
            stages.append(_begin(rollout))
    return Ending("held", int(truths.sum()), exposed, requests)


def _begin(rollout: Rollout) -> StageEvidence:
    return StageEvidence(rollout.stage, rollout.percent)


def _draw(stage: StageEvidence, harm: Harm, random: np.random.Generator) -> int:
    """Let another ``_LOOK`` requests come; return how many the candidate answered."""
    own = int(random.binomial(_LOOK, stage.percent / 100))
    for arm, units, errors in (
        (stage.arms.candidate, own, _MISTAKES + harm.errors),
        (stage.arms.champion, _LOOK - own, _MISTAKES),
    ):
        arm.units += units
        arm.failures += int(random.binomial(units, min(1.0, errors)))
    batches = (_LOOK - own) // 10
    lost = int(random.binomial(batches, harm.lost))
    compared = batches - lost
    far_slower, far_faster = _FAR_SLOWER + harm.far_slower, _FAR_FASTER
    slower = _SLOWER - _FAR_SLOWER + harm.slower
    # Each batch is one of these, or none.
    shares = [far_slower, slower, far_faster, 1 - far_slower - slower - far_faster]
    found = random.multinomial(compared, shares)
    stage.shadow += ShadowCounts(
        batches=batches,
        lost=lost,
        compared=compared,
        disagreed=float(random.binomial(compared, harm.disagreement)),
        timed=compared,
        slower=int(found[0] + found[1]),
        far_slower=int(found[0]),
        far_faster=int(found[2]),
    )
    return own


def _draw_truths(harm: Harm, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return of how many rows of ``_LOOK`` requests it becomes known that the candidate lost, won,
    or did alike; shape [3].
    """
    known = int(random.binomial(_LOOK, harm.audits))
    shares = [harm.worse, harm.better, 1 - harm.worse - harm.better]
    return random.multinomial(known, shares).astype(np.float64)


def _quality(truths: npt.NDArray[np.float64], rules: RolloutRules) -> PairedQuality | None:
    if not truths.any():
        return None
    rows = Differences(np.array([1.0, -1.0, 0.0]), np.ones(3), truths)
    return PairedQuality(
        "error rate",
        handed_out=int(truths.sum()),
        truths=int(truths.sum()),
        log_evidence=log_evidence_of_worse(rows),
        difference_at_most=upper_bound_of_worse(rows, rules.alpha),
    )


def false_rollbacks(streams: int, random: np.random.Generator) -> int:
    """Return how many of ``streams`` equal candidates are ever rolled back.

    All looks are taken: evidence changes with an event, so each event is one. Errors, batches in
    which one version is far slower, and rows that one version alone answers right come by turns;
    each step of the split sees 400 of each. Of such batches and rows the candidate loses a half,
    whatever its share of the requests is.
    """
    shares = np.repeat([percent / 100 for percent in _RULES.percents], 400)
    halves = np.full(shares.size, 0.5)
    found = [
        evidence_of_each_event(random.random((streams, each.size)) < each, each)
        for each in (shares, halves, halves)
    ]
    # The five other kinds of evidence have seen nothing: e-values of 1.
    together = (np.exp(found).sum(axis=0) + 5) / 8
    return int((together.max(axis=1) >= 1 / _RULES.alpha).sum())


def evidence_of_each_event(
    is_candidates: npt.NDArray[np.bool_], shares: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return ``log_evidence_of_more`` after each event of many streams at once.

    Args:
        is_candidates: whether an event is the candidate's, of shape [streams, events].
        shares: the candidate's share of the requests at each event, of shape [events].
    """
    log_ratio = np.zeros((len(is_candidates), len(LOG_ODDS)))
    found = np.empty(is_candidates.shape)
    for i, share in enumerate(shares):
        scale = np.log(share * np.exp(LOG_ODDS) + 1 - share)
        log_ratio += is_candidates[:, i, None] * LOG_ODDS - scale
        highest = log_ratio.max(axis=1)
        found[:, i] = highest + np.log(np.exp(log_ratio - highest[:, None]).mean(axis=1))
    return found


def clopper_pearson_upper(successes: int, total: int, alpha: float = 0.05) -> float:
    """Return the upper bound of a proportion at which so few have a chance of ``alpha``."""
    low, high = successes / total, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        log_terms = [
            math.lgamma(total + 1)
            - math.lgamma(k + 1)
            - math.lgamma(total - k + 1)
            + k * math.log(middle)
            + (total - k) * math.log1p(-middle)
            for k in range(successes + 1)
        ]
        chance = sum(map(math.exp, log_terms))
        low, high = (middle, high) if chance > alpha else (low, middle)
    return high


def table(streams: int, rules: RolloutRules, random: np.random.Generator) -> Iterator[str]:
    """Yield the lines of the table of exposure, one for each harm."""
    yield (
        "| candidate | audits | shadow | live | rolled back | held | truths, median "
        "| exposed, median | 95 % | most |"
    )
    yield "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for shadow in (_RULES.shadow_batches, 0):
        for harm in HARMS:
            endings = [
                run_stream(harm, _with_shadow(rules, shadow), random) for _ in range(streams)
            ]
            harmed = [each.exposed for each in endings if each.outcome != "live"]
            exposed = np.array(harmed or [0])
            counts = [
                sum(each.outcome == outcome for each in endings)
                for outcome in ("live", "rolled back", "held")
            ]
            truths = int(np.median([each.truths for each in endings]))
            numbers = [*counts, truths, *(int(np.quantile(exposed, q)) for q in (0.5, 0.95, 1.0))]
            shown = " | ".join(f"{number:,}" for number in numbers)
            audits = f"{100 * harm.audits:g} %"
            yield f"| {harm.name} | {audits} | {'yes' if shadow else 'no'} | {shown} |"


def _with_shadow(rules: RolloutRules, batches: int) -> RolloutRules:
    return replace(rules, shadow_batches=batches)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulations and print their results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollout_evidence")
    parser.add_argument("--null-streams", type=int, default=2000, metavar="N")
    parser.add_argument("--streams", type=int, default=100, metavar="N", help="for each harm")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    options = parser.parse_args(arguments)
    random = np.random.default_rng(options.seed)
    false = false_rollbacks(options.null_streams, random)
    bound = clopper_pearson_upper(false, options.null_streams)
    print(
        f"{false} of {options.null_streams:,} equal candidates rolled back, with a look at every "
        f"event; at most {bound:.4f} of all (95 %); alpha {_RULES.alpha}\n"
    )
    for line in table(options.streams, _RULES, random):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
