"""The contract of a version that nobody has loaded, with what its card does not describe."""

from pathlib import Path

from service.repository.contract import Contract, disagreements
from service.repository.errors import RepositoryError
from service.repository.model_card import Card
from service.runtime.contract_derivation import completed, derive_contract
from service.runtime.tensorflow_errors import first_sentence
from service.runtime.tensorflow_import import SavedModelLoader, tf
from service.runtime.tensorflow_paths import literal


def contract_on_disk(directory: Path, card: Card | None) -> Contract:
    """Return a version's contract as a service would serve it; nothing of its graph runs.

    Args:
        directory: the version's folder.
        card: its card, if it has one.

    Raises:
        RepositoryError: it holds no SavedModel that can be read, or not the one of its card.
    """
    try:
        with literal(directory) as path:
            graph = SavedModelLoader(path).get_meta_graph_def_from_tags([tf.saved_model.SERVING])
    except Exception as error:
        raise RepositoryError(
            f"{directory} holds no SavedModel that can be read: {first_sentence(error)}"
        ) from error
    derived = derive_contract(graph.signature_def, tf.make_ndarray).contract
    promised: Contract = card.contract if card is not None else {}
    if problems := disagreements(promised, derived):
        raise RepositoryError(f"{directory}: {problems[0]}")
    return completed(promised, derived)
