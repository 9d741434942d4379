"""A rollout in sentences: who answers whom, and what the evidence is, with its numbers."""

from collections.abc import Collection, Sequence
from typing import Any

from service.repository.rollout_policy import Rollout
from service.rollout.assessment import StageEvidence, assess
from service.rollout.paired_quality import PairedQuality
from service.rollout.percentages import in_percent

_WHO_ANSWERS = {
    "waiting": (
        "Version {champion} answers all requests. The trial waits for the version that its "
        "training publishes; any other that is published waits behind it."
    ),
    "shadow": (
        "Version {champion} answers all requests. Version {candidate} answers some of them again, "
        "and its answers are only compared."
    ),
    "canary": (
        "Version {candidate} answers {percent:g} % of the requests, version {champion} the others."
    ),
    "baking": (
        "Version {candidate} answers all requests. Version {champion} stays loaded, so that "
        "rolling back needs no load."
    ),
    "live": "Version {candidate} has passed, and took the place of version {champion}.",
    "rolled back": "Version {candidate} was rolled back; version {champion} serves.",
    "ended by hand": "The trial of version {candidate} was ended by hand.",
}


def unserved_sentence(rollout: Rollout, serving: Collection[int]) -> str:
    """Return why no request is split although a rollout is under way; empty if they may be.

    Args:
        rollout: the rollout.
        serving: the versions that answer requests.
    """
    missing = [version for version in rollout.versions if version not in serving]
    if not missing:
        return ""
    versions = " and ".join(map(str, missing))
    one = len(missing) == 1
    return (
        f"Nothing is tried out, because version{'' if one else 's'} {versions} "
        f"{'does' if one else 'do'} not serve (yet)."
    )


def rollout_sentence(state: str, rollout: Rollout) -> str:
    """Return who answers whom in a state of a rollout, which a record names."""
    if rollout.candidate is None and state == "ended by hand":
        return "It was ended by hand before a version was on trial."
    return _WHO_ANSWERS[state].format(
        champion=rollout.champion, candidate=rollout.candidate, percent=rollout.percent
    )


def evidence_in_words(
    rollout: Rollout,
    stages: Sequence[StageEvidence],
    *,
    elapsed_s: float,
    quality: PairedQuality | None = None,
) -> list[str]:
    """Return what a rollout's stages have shown, and what is missing before the next step.

    Args:
        rollout: as it is now, with a candidate.
        stages: what its stages have shown, the present one last.
        elapsed_s: seconds since the present stage began.
        quality: what audits say of both versions; ``None`` where no truths are stored.
    """
    verdict = assess(rollout, stages, elapsed_s=elapsed_s, quality=quality)
    now = stages[-1]
    numbers = verdict.numbers
    sentences = [verdict.reason]
    if "batches" in numbers:
        sentences += _of_shadow(numbers)
    candidate, champion = now.arms.candidate, now.arms.champion
    if candidate.units or champion.units:
        sentences.append(
            f"Version {rollout.candidate} answered {candidate.units:,} requests and failed on "
            f"{candidate.failures:,}; version {rollout.champion} answered {champion.units:,} and "
            f"failed on {champion.failures:,}."
        )
    batches, lost, won = (
        sum(getattr(each.shadow, name) for each in stages) for name in ("batches", "lost", "won")
    )
    if lost or won:
        sentences.append(
            f"Of {batches:,} batches that both ran, it failed on {lost:,} that version "
            f"{rollout.champion} answered, and answered {won:,} on which that failed."
        )
    if "timed_batches" in numbers:
        timed, compared = numbers["timed_batches"], numbers["compared_batches"]
        # The shadow leaves most times out while failures point to harm.
        others = "a request came too soon" + ", or failures alone were looked for" * bool(lost)
        sentences.append(
            f"Times were compared on {timed:,} of {compared:,} batches that both answered; on the "
            f"others {others}."
        )
    sentences += [
        f"Not more than {_percent(found['difference_at_most'])} more {name} are possible; this "
        f"step allows {_percent(found['allowed'])}."
        for name, found in numbers.items()
        if name in ("errors", "far slower batches")
    ]
    if quality is not None and quality.handed_out:
        sentences.append(_of_truths(rollout, quality))
    # Hundreds of failures in a small arm are more than a number can be.
    harm = 10 ** min(300.0, numbers["log10_evidence_of_harm"]["together"])
    sentences.append(
        f"The evidence of harm is {harm:.2g}; at {1 / rollout.rules.alpha:,.0f} the version is "
        "rolled back."
    )
    return sentences


def _of_shadow(numbers: dict[str, Any]) -> list[str]:
    return [
        f"It answered {numbers['batches']:,} batches again; {numbers['dropped']:,} were left out "
        "because the service was busy.",
        f"It answered {_percent(numbers['disagreement'])} of the rows differently; the true share "
        f"is not above {_percent(numbers['disagreement_at_most'])}.",
    ]


def _of_truths(rollout: Rollout, quality: PairedQuality) -> str:
    if not quality.truths:
        return f"No truth is known of {quality.handed_out:,} rows that were handed out as audits."
    return (
        f"By the truths of {quality.truths:,} of {quality.handed_out:,} rows that both answered, "
        f"the {quality.metric} of version {rollout.candidate} is "
        f"{quality.shown(quality.candidate)}, that of version {rollout.champion} "
        f"{quality.shown(quality.champion)}; it is not larger by more than "
        f"{quality.shown(quality.difference_at_most)}."
    )


def _percent(share: float | None) -> str:
    return "an unknown share" if share is None else in_percent(share)
