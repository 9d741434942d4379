"""``events``: count, export and import stored predictions and what turned out to be true."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import click

from service.events.feedback_records import Result
from service.repository.contract import Contract, Signature
from service.repository.errors import RepositoryError
from service.repository.model_card import read_card
from service.repository.object_store.refreshing import current_store
from understudy import event_store
from understudy.event_store import open_store
from understudy.help import SERVING, Command, Option
from understudy.options import models_folder
from understudy.parameter_types import PathName

GROUND_TRUTH, CLOUD_EVENTS = "ground-truth", "cloudevents"
# In one transaction.
_AT_ONCE = 500


@click.command(
    cls=Command,
    panel=SERVING,
    short_help="count, export and import stored predictions",
    examples={
        "events list --store events.db": "how many there are of each model",
        "events export mpg > truths.jsonl": "truths, as SageMaker reads them",
        "events export mpg --form cloudevents": "requests and answers, as KServe logs them",
        "events import mpg truths.jsonl": "truths from elsewhere; checked by the contract",
    },
)
@click.argument(
    "action", type=click.Choice(["list", "export", "import"]), help="what to do with the store"
)
@click.argument("model", required=False, help="the model's name")
@click.argument("file", required=False, type=PathName(), help="lines of JSON to import")
@click.option(
    "--form",
    cls=Option,
    type=click.Choice([GROUND_TRUTH, CLOUD_EVENTS]),
    default=GROUND_TRUTH,
    metavar="FORM",
    shown=GROUND_TRUTH,
    help=f"{GROUND_TRUTH} or {CLOUD_EVENTS}",
)
@event_store.store()
@models_folder()
def command(
    action: str, model: str | None, file: Path | None, form: str, store: str | None, out: Path
) -> None:
    """Count, export and import stored predictions and truths, as lines of JSON.

    A running service may write into the same store meanwhile.
    """
    location = event_store.location_of(store)
    if action != "list" and not model:
        raise click.UsageError(f"events {action} needs the model's name.")
    if (action == "import") != (file is not None):
        raise click.UsageError("events import needs a file; nothing else takes one.")
    if file is not None:
        click.echo(_import(location, str(model), file, form, out))
    elif action == "export":
        _export(location, str(model), form, out)
    else:
        _list(location, model)


def _list(location: str, wanted: str | None) -> None:
    counts = open_store(location).counts()
    for model in [wanted] if wanted else sorted(counts):
        click.echo(f"{model:20}  {counts[model]:,} predictions")


def _export(location: str, model: str, form: str, models: Path) -> None:
    from service.events.cloud_events import cloud_event_lines
    from service.events.ground_truth import ground_truth_lines

    store, contracts = open_store(location), _Contracts(models, model)
    # What is stored of a model outlives its folder.
    if not contracts.are_there and not store.counts()[model]:
        raise click.UsageError(
            f"There is no model {model!r} in {models}, and nothing of it in the store."
        )
    for event, truths in store.events(model, labelled_only=form == GROUND_TRUTH):
        if form == CLOUD_EVENTS:
            lines = cloud_event_lines(event)
        else:
            first = contracts.first_output(event.version, event.signature) if truths else ""
            lines = ground_truth_lines(event, truths, first)
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")


def _import(location: str, model: str, file: Path, form: str, models: Path) -> str:
    with file.open("rb") as lines:
        numbered = ((i, line) for i, line in enumerate(lines, 1) if line.strip())
        if form == CLOUD_EVENTS:
            return _import_events(location, model, file, numbered, models)
        return _import_truths(location, model, file, numbered, models)


def _import_events(
    location: str, model: str, file: Path, lines: Iterator[tuple[int, bytes]], models: Path
) -> str:
    from service.events.cloud_events import records_of

    store, contracts = open_store(location), _contracts_that_are_there(models, model)
    version = contracts.latest()
    records, count = records_of(lines, model, contracts.of, version), 0
    try:
        while together := list(islice(records, _AT_ONCE)):
            store.add(together)
            count += len(together)
    except ValueError as error:
        raise click.ClickException(f"{file}, {error}") from error
    return f"{count:,} predictions of {model} imported; those that were there stay as they were."


def _import_truths(
    location: str, model: str, file: Path, lines: Iterator[tuple[int, bytes]], models: Path
) -> str:
    from service.api.validation.truths import check_truths, read_truths
    from service.errors import ServiceError
    from service.events.ground_truth import feedback_of_line

    store, contracts = open_store(location), _contracts_that_are_there(models, model)
    results: Counter[Result] = Counter()
    while together := list(islice(lines, _AT_ONCE)):
        items = []
        for number, line in together:
            try:
                items.append(feedback_of_line(line))
            except ValueError as error:
                raise click.ClickException(f"{file}, line {number}: {error}.") from error
        try:
            sent = read_truths({"feedback": items}, limit=1)
            found = store.find_all(model, {each.request_id for each in sent})
            checked = check_truths(
                sent,
                found.get,
                contracts.of,
                limit=1,
                labels_are_text=True,
            )
        except ServiceError as error:
            numbers = [number for number, _ in together]
            raise click.ClickException(f"{file}, {_by_line(error.message, numbers)}") from error
        results.update(store.put(model, checked.truths))
        results[Result.NOT_SAMPLED] += len(checked.not_stored)
    by_source = ", ".join(
        f"{results[each]:,} {str(each).replace('_', ' ')}" for each in Result if results[each]
    )
    return f"Truths of {model}: {by_source or 'none'}."


def _by_line(message: str, numbers: Sequence[int]) -> str:
    """Return what is wrong with an item, as what is wrong with its line."""
    return re.sub(
        r"^feedback\[(\d+)\](: |\.)", lambda item: f"line {numbers[int(item[1])]}: ", message
    )


def _contracts_that_are_there(models: Path, model: str) -> "_Contracts":
    contracts = _Contracts(models, model)
    if not contracts.are_there:
        raise click.UsageError(f"There is no model {model!r} in {models}.")
    return contracts


class _Contracts:
    """The contracts of a model's versions."""

    def __init__(self, models: Path, model: str) -> None:
        self._folders = current_store(models, model).versions(model)
        self._known: dict[int, Contract] = {}

    @property
    def are_there(self) -> bool:
        """Whether there is any version to have one."""
        return bool(self._folders)

    def latest(self) -> int:
        return max(self._folders)

    def first_output(self, version: int, signature: str) -> str:
        """Return the name of what a signature answers; empty where no card has it."""
        card = read_card(self._folder(version)) if self._folders else None
        found = card.contract.get(signature) if card is not None else None
        return found.outputs[0].name if found is not None else ""

    def of(self, version: int) -> Contract:
        """Return a version's contract; the latest one's where it is gone."""
        if version not in self._known:
            self._known[version] = _Signatures(self._folder(version))
        return self._known[version]

    def _folder(self, version: int) -> Path:
        return self._folders.get(version, self._folders[self.latest()])


class _Signatures(Mapping[str, Signature]):
    """A version's signatures: those of its card, and of its SavedModel if another is asked for.

    The reader of SavedModels comes with TensorFlow, which takes seconds to import.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._card = read_card(folder)

    def __getitem__(self, name: str) -> Signature:
        if self._card is not None and name in self._card.contract:
            return self._card.contract[name]
        return self._whole[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)

    @cached_property
    def _whole(self) -> Contract:
        from service.runtime.contract_on_disk import contract_on_disk

        try:
            return contract_on_disk(self._folder, self._card)
        except RepositoryError:
            if self._card is None:
                raise
            return self._card.contract
