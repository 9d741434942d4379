"""Changes which versions serve and are kept: version policies, labels, rollbacks."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from service.repository import policy_changes
from service.repository.errors import RepositoryError
from service.repository.model_policy import (
    Policy,
    begin_rollout,
    champion_of_trial,
    policy_from_json,
    read_policy,
    rolled_back,
)
from service.repository.model_store import Store
from service.repository.object_store.origin import place_of
from service.repository.object_store.refreshing import current_store
from service.repository.rollout_policy import RolloutRules
from service.repository.serving_status import reality
from training.console.progress import say
from training.errors import TrainingError, UsageError


def change_policy(
    root: Path,
    model: str,
    *,
    latest: int | None,
    versions: Sequence[int] | None,
    labels: Sequence[str],
    keep: int | None,
) -> None:
    """Change what is given of a model's policy, and print the policy that is in force then.

    Who says which versions serve ends a rollout that is under way.

    Args:
        root: the folder of models.
        model: the model's name.
        latest: serve that many of the highest versions.
        versions: serve these versions and no others.
        labels: ``name=version`` to give a label, ``name=`` to take it away.
        keep: versions to keep on disk when one is published; 0 keeps all.

    Raises:
        UsageError: a version that is named is not there, or a value is not valid.
        RepositoryError: the policy file is not valid.
        TrainingError: the policy cannot be written.
    """
    store = current_store(root, model)
    check_model(store, model)

    def changed(policy: Policy) -> Policy:
        if latest is not None:
            policy = replace(policy, latest=latest, versions=(), unloaded=False, rollout=None)
        if versions is not None:
            named = tuple(sorted(set(versions)))
            policy = replace(policy, versions=named, unloaded=False, rollout=None)
        if keep is not None:
            policy = replace(policy, keep=keep or None)
        policy = replace(policy, labels=_relabelled(policy, labels))
        # Read back as the service will read it, so that nothing it refuses is ever written.
        try:
            policy = policy_from_json(policy.to_json())
        except RepositoryError as error:
            raise UsageError(str(error)) from error
        available = store.versions(model)
        missing = {*policy.versions, *policy.labels.values()} - available.keys()
        if missing:
            known = ", ".join(map(str, available))
            raise UsageError(
                f"{model} has no version {min(missing)} in {place_of(root)}; it has {known}."
            )
        return policy

    _change(store, model, changed)


def roll_back(root: Path, model: str) -> None:
    """Put the version before the one that serves back in service, and pin it.

    Raises:
        UsageError: there is no such model.
        RepositoryError: there is no earlier version.
        TrainingError: the policy cannot be written.
    """
    store = current_store(root, model)
    check_model(store, model)
    real = reality(store, model)
    if not real.is_known:
        say(
            f"No running service reports what it serves of {model}: "
            "going back from what the policy asks for."
        )
    _change(
        store,
        model,
        lambda policy: rolled_back(
            policy, store.versions(model), serving=real.serving, refused=real.refused
        ),
    )


def start_rollout(root: Path, model: str, candidate: int, rules: RolloutRules) -> None:
    """Put a version on trial against the one that serves, and print the policy in force then.

    Args:
        root: the folder of models.
        model: the model's name.
        candidate: the version on trial.
        rules: the rollout's rules.

    Raises:
        UsageError: there is no such version, or none serves.
        RepositoryError: another rollout is under way, or that version serves already.
        TrainingError: the policy cannot be written.
    """
    store = current_store(root, model)
    check_model(store, model)

    def changed(policy: Policy) -> Policy:
        available = store.versions(model)
        if candidate not in available:
            known = ", ".join(map(str, available))
            raise UsageError(
                f"{model} has no version {candidate} in {place_of(root)}; it has {known}."
            )
        champion = _champion(store, model, policy)
        if champion is None:
            raise UsageError(f"No version of {model} serves that another could be tried against.")
        return begin_rollout(policy, champion, candidate, rules)

    _change(store, model, changed)


def version_on_trial(root: Path, model: str) -> int | None:
    """Return the version that is on trial; ``None`` if none is.

    Raises:
        RepositoryError: the model's policy cannot be read.
    """
    rollout = read_policy(root / model).rollout
    return None if rollout is None else rollout.candidate


def check_no_rollout(root: Path, model: str) -> None:
    """Check that a version could be put on trial, before it is trained.

    Raises:
        UsageError: another is on trial.
        RepositoryError: the model's policy cannot be read.
    """
    version = version_on_trial(root, model)
    if version is not None:
        raise UsageError(
            f"--rollout: version {version} of {model} is on trial; wait for its end, or "
            f"end it: understudy rollback {model}"
        )


@contextlib.contextmanager
def published_on_trial(
    root: Path, model: str, rules: RolloutRules
) -> Iterator[Callable[[int], None]]:
    """Keep the version that the block publishes from serving until its rollout begins.

    Yields a function to be called with its number, which begins the rollout. The policy waits for
    it from before the block, so that no service takes the version over in between.

    Args:
        root: the folder of models.
        model: the model's name.
        rules: the rollout's rules.

    Raises:
        RepositoryError: another rollout is under way.
        TrainingError: the policy cannot be written.
    """
    store = Store(root)
    champion = _champion(store, model, read_policy(root / model))
    if champion is None:
        say("--rollout: no version serves yet, so this one serves without a trial.")
        yield lambda version: None
        return
    waiting = _write(
        store, model, lambda policy: begin_rollout(policy, champion, None, rules)
    ).rollout
    assert waiting is not None

    def begin(version: int) -> None:
        def begun(policy: Policy) -> Policy:
            trial = policy.rollout
            # Somebody has said meanwhile what serves, such as a rollback; that stays.
            if trial is None:
                return policy
            return begin_rollout(policy, trial.champion, version, rules)

        if _change(store, model, begun).rollout is None:
            say(
                f"The trial was ended by hand before version {version} was there. "
                f"To try it out: understudy serve-policy {model} --rollout {version}"
            )

    try:
        yield begin
    except BaseException:
        # Not the trial of another training, which takes the place of one that waits.
        _write(
            store,
            model,
            lambda policy: (
                replace(policy, rollout=None)
                if policy.rollout is not None and policy.rollout.id == waiting.id
                else policy
            ),
        )
        raise


def in_use(store: Store, model: str) -> set[int]:
    """Return the versions that must not be removed: that serve, are pinned or have a label.

    Where no running service reports what serves, those that the policy asks for.

    Raises:
        RepositoryError: the model's policy cannot be read.
    """
    real = reality(store, model)
    available = store.versions(model)
    policy = read_policy(store.root / model)
    return {*policy.in_use(available.keys() - real.refused.keys()), *real.serving}


def after_publishing(store: Store, model: str, before: set[int]) -> None:
    """Say if the new version does not serve by itself, and remove versions beyond the policy.

    Args:
        store: the folder of models.
        model: the model's name.
        before: the versions that were in use before.

    Raises:
        RepositoryError: the model's policy cannot be read.
    """
    policy = read_policy(store.root / model)
    if policy.unloaded:
        say(
            "The model is unloaded: the new version does not serve. "
            f"To serve the latest again: understudy serve-policy {model} --latest 1"
        )
    elif policy.rollout is not None:
        newest = max(store.versions(model))
        if policy.rollout.candidate is None:
            # Of another training, which may have been killed.
            say(
                "A trial waits for the version of another training: the new one waits. "
                f"To try it out: understudy serve-policy {model} --rollout {newest}"
            )
        elif policy.rollout.candidate != newest:
            say(f"Version {policy.rollout.candidate} is on trial: the new one waits.")
    elif policy.pinned:
        named = ", ".join(map(str, policy.versions))
        say(
            f"Serving is pinned to version {named}: the new one waits. "
            f"To follow the latest again: understudy serve-policy {model} --latest 1"
        )
    if policy.keep is not None:
        # Nobody may pin a version while it is removed.
        with policy_changes.policy_locked(store.root / model):
            real = reality(store, model)
            spare = in_use(store, model) | before
            removed = store.prune(model, policy.keep, spare, real.refused)
        for version in removed:
            why = ", and was refused" if version in real.refused else ""
            say(f"removed version {version}, beyond the {policy.keep} that are kept{why}")


def _champion(store: Store, model: str, policy: Policy) -> int | None:
    """Return the version that another is tried against; ``None`` if none serves."""
    real = reality(store, model)
    return champion_of_trial(
        policy, store.versions(model), serving=real.serving, refused=real.refused
    )


def check_model(store: Store, model: str) -> None:
    """Check that there is a version of a model.

    Raises:
        UsageError: there is none.
    """
    if not store.versions(model):
        known = ", ".join(store.models()) or "none"
        raise UsageError(
            f"There is no model {model!r} in {place_of(store.root)}; there are: {known}."
        )


def _relabelled(policy: Policy, changes: Sequence[str]) -> dict[str, int]:
    labels = dict(policy.labels)
    named: set[str] = set()
    for change in changes:
        name, equals, version = change.partition("=")
        if not equals or not (version == "" or version.isdecimal()):
            raise UsageError(f"--label must be NAME=VERSION or NAME=, not {change!r}.")
        if name in named:
            raise UsageError(f"--label says twice which version {name!r} is.")
        named.add(name)
        if version:
            labels[name] = int(version)
        else:
            labels.pop(name, None)
    return labels


def _write(store: Store, model: str, changed: Callable[[Policy], Policy]) -> Policy:
    """Change a model's policy as one step, and return the one that is in force then."""
    try:
        return policy_changes.change_policy(store.root / model, changed)
    except OSError as error:
        raise TrainingError(f"The policy cannot be written: {error.strerror}.") from error


def _change(store: Store, model: str, changed: Callable[[Policy], Policy]) -> Policy:
    """Change a model's policy as one step; print and return the one that is in force then."""
    policy = _write(store, model, changed)
    if policy.rollout is not None:
        trial = policy.rollout
        on_trial = (
            "a trial waits for the version of a training"
            if trial.candidate is None
            else f"version {trial.candidate} is on trial ({trial.stage})"
        )
        say(f"{model}: version {trial.champion} serves; {on_trial}")
        return policy
    selected = policy.select(store.versions(model))
    numbers = ", ".join(map(str, selected))
    serve = f"version {numbers} serves" if len(selected) == 1 else f"versions {numbers} serve"
    labels = "".join(f"; {label} is {version}" for label, version in sorted(policy.labels.items()))
    pinned = " (pinned)" if policy.pinned else ""
    if policy.unloaded:
        serve, pinned = "nothing serves", " (unloaded)"
    elif not selected:
        serve = "nothing serves"
    say(f"{model}: {serve}{pinned}{labels}")
    return policy
