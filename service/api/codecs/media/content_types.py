"""Which content types a signature takes, besides JSON, by its contract."""

from collections.abc import Callable, Iterable

from service.api.codecs.tfserving.predict_requests import signature_of
from service.errors import ServiceError
from service.repository.contract import DEFAULT_SIGNATURE, Contract, Field, Signature

JSON = "application/json"
TEXT = "text/plain"
CSV = "text/csv"
NPY = "application/x-npy"
FORM = "multipart/form-data"

# Other names of the same types.
_ALIASES = {"image/jpg": "image/jpeg", "image/x-ms-bmp": "image/bmp", "application/csv": CSV}
_SHOWN = 60


def canonical(content_type: str) -> str:
    """Return the name by which a content type is known here."""
    name = content_type.strip().lower()
    return _ALIASES.get(name, name)


def takes_files(signature: Signature) -> bool:
    """Whether each instance is one file."""
    return _is_one_scalar(signature) and bool(signature.files)


def takes_texts(signature: Signature) -> bool:
    """Whether each instance is one text."""
    return (
        signature.batched
        and len(signature.inputs) == 1
        and _is_one_value(signature.inputs[0])
        and not signature.files
        and signature.inputs[0].dtype == "string"
    )


def takes_records(signature: Signature) -> bool:
    """Whether each instance has one value in each field, so that rows of a table are instances."""
    return signature.batched and not signature.files and all(map(_is_one_value, signature.inputs))


def takes_arrays(signature: Signature) -> bool:
    """Whether the instances are the rows of one array of numbers or booleans."""
    if not signature.batched or len(signature.inputs) != 1:
        return False
    (field,) = signature.inputs
    return field.dtype != "string" and field.shape is not None


def content_types(signature: Signature) -> list[str]:
    """Return the content types, besides JSON, of the bodies that a signature takes."""
    found: list[str] = []
    if takes_files(signature):
        found += signature.inputs[0].content_types
    if takes_texts(signature):
        found.append(TEXT)
    if takes_records(signature):
        found.append(CSV)
    if takes_arrays(signature):
        found.append(NPY)
    if takes_files(signature) or takes_records(signature):
        found.append(FORM)
    return found


def signature_for(
    contract: Contract, name: str | None, content_type: str, *fits: Callable[[Signature], bool]
) -> Signature:
    """Return the signature that a body is for.

    Of those that fit it is the named one; without a name the default one, else the contract's
    first.

    Args:
        contract: the model's.
        name: the signature's, if the client names one.
        content_type: the body's, as the client wrote it.
        fits: whether a signature takes the body; a later one counts where no signature fits an
            earlier one.

    Raises:
        InvalidRequestError: there is no signature of that name.
        ServiceError: 415, none takes the body; the message lists what the model takes.
    """
    if name is not None:
        contract = {name: signature_of(contract, name)}
    for takes in fits:
        for signature in in_order(contract):
            if takes(signature):
                return signature
    kinds = {kind: None for each in in_order(contract) for kind in content_types(each)}
    *others, last = [JSON, *kinds]
    taken = f"{', '.join(others)} or {last}" if others else last
    raise ServiceError(
        f"Expected a body of Content-Type {taken}, not {content_type[:_SHOWN]!r}.", status=415
    )


def in_order(contract: Contract) -> Iterable[Signature]:
    """Return the signatures, the default one first."""
    return sorted(contract.values(), key=lambda signature: signature.name != DEFAULT_SIGNATURE)


def _is_one_value(field: Field) -> bool:
    return field.instance_shape == () or field.is_single


def _is_one_scalar(signature: Signature) -> bool:
    return (
        signature.batched
        and len(signature.inputs) == 1
        and signature.inputs[0].instance_shape == ()
    )
