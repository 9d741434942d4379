"""The errors of a cross-validation, example by example, kept in the version that it measured.

A model that learns from all its examples has no test set to be compared on. So the errors on
examples that the answering network never saw are kept with the version, each under its example's
key, and two versions are compared on the examples that both have.
"""

from collections.abc import Mapping
from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.json_files import read_optional, write_object
from training.evaluation.predictions import RegressionPredictions

OUT_OF_FOLD = "assets.extra/out_of_fold.json"
_FORMAT = 1
_DECIMALS = 6


def kept_errors(answers: RegressionPredictions) -> Mapping[str, float]:
    """Return the error of each example by its key, with the decimals that a version keeps."""
    return dict(zip(answers.keys, answers.errors().round(_DECIMALS).tolist(), strict=True))


def write_errors(version: Path, answers: RegressionPredictions) -> None:
    """Write the error of each example into a version's folder; ``answers`` has keys."""
    errors = kept_errors(answers)
    (version / OUT_OF_FOLD).parent.mkdir(exist_ok=True)
    value = {"format": _FORMAT, "unit": answers.unit, "errors": errors}
    write_object(version / OUT_OF_FOLD, value)


def read_errors(version: Path) -> Mapping[str, float] | None:
    """Return the error of each example by its key; ``None`` when the version has none.

    Raises:
        RepositoryError: the file is there, and is not one of this format.
    """
    match read_optional(version / OUT_OF_FOLD):
        case None:
            return None
        case {"format": 1, "errors": dict(errors)} if all(
            isinstance(error, float | int) for error in errors.values()
        ):
            return errors
        case _:
            raise RepositoryError(f"{OUT_OF_FOLD} is not a file of format {_FORMAT}.")
