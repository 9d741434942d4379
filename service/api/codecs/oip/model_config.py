"""A model's configuration in Triton's form, as far as it applies to this service."""

from typing import Any

from service.api.codecs.oip.datatypes import datatype
from service.api.codecs.oip.model_metadata import PLATFORM
from service.api.request_limits import Limits
from service.repository.contract import Field, Signature
from service.repository.model_policy import Policy

# A dimension of such a size, among a row's three, is that of the colours.
_CHANNELS = (1, 3, 4)


def model_config(
    model: str, signature: Signature, policy: Policy, limits: Limits
) -> dict[str, Any]:
    """Describe a model as Triton's ``ModelConfig``.

    Args:
        model: the model's name.
        signature: whose inputs and outputs are described. Where it has rows, as many as a request
            may have are the largest batch, and dimensions are those of a row. Requests are batched
            only where its rows are known to be independent.
        policy: which versions serve.
        limits: of requests.
    """
    tensors = (*signature.inputs, *signature.outputs)
    batches = signature.batched and all(field.shape is not None for field in tensors)
    config: dict[str, Any] = {
        "name": model,
        "platform": PLATFORM,
        "backend": "tensorflow",
        "runtime": "",
        "version_policy": _version_policy(policy),
        "max_batch_size": limits.max_rows if batches else 0,
        "input": [
            {
                **_tensor(field, batches=batches),
                "format": _format(field, batches=batches),
                "allow_ragged_batch": False,
                "optional": field.may_be_absent,
            }
            for field in signature.inputs
        ],
        "output": [
            {**_tensor(field, batches=batches), "label_filename": ""} for field in signature.outputs
        ],
        "batch_input": [],
        "batch_output": [],
        "instance_group": [
            {"name": model, "kind": "KIND_AUTO", "count": limits.workers, "gpus": []}
        ],
        "default_model_filename": "",
        "cc_model_filenames": {},
        "metric_tags": {},
        "parameters": {"signature_name": {"string_value": signature.name}},
        "model_warmup": [],
        "model_transaction_policy": {"decoupled": False},
    }
    if batches and signature.runs_in_batches:
        # A batch is what arrived while the one before ran; there is no delay.
        config["dynamic_batching"] = {
            "preferred_batch_size": [],
            "max_queue_delay_microseconds": 0,
            "preserve_ordering": False,
            "priority_levels": 0,
            "default_queue_policy": {
                "timeout_action": "REJECT",
                "default_timeout_microseconds": round(limits.timeout_s * 1e6),
                "allow_timeout_override": False,
                "max_queue_size": limits.max_queue,
            },
        }
    return config


def _version_policy(policy: Policy) -> dict[str, Any]:
    if policy.pinned:
        return {"specific": {"versions": list(policy.versions)}}
    return {"latest": {"num_versions": policy.latest}}


def _tensor(field: Field, *, batches: bool) -> dict[str, Any]:
    name = datatype(field)
    described: dict[str, Any] = {
        "name": field.name,
        "data_type": f"TYPE_{'STRING' if name == 'BYTES' else name}",
        "dims": _dims(field, batches=batches),
        "is_shape_tensor": False,
    }
    if not described["dims"]:
        # Triton has no tensors without dimensions; it writes them like this.
        described |= {"dims": [1], "reshape": {"shape": []}}
    return described


def _dims(field: Field, *, batches: bool) -> list[int]:
    shape = (None,) if field.shape is None else field.shape[1:] if batches else field.shape
    return [-1 if size is None else size for size in shape]


def _format(field: Field, *, batches: bool) -> str:
    """Return where a picture's colours are; TensorFlow's own order is the first."""
    match _dims(field, batches=batches):
        case [_, _, size] if field.is_number and size in _CHANNELS:
            return "FORMAT_NHWC"
        case [size, height, width] if (
            field.is_number and size in _CHANNELS and not {height, width} & {*_CHANNELS}
        ):
            return "FORMAT_NCHW"
        case _:
            return "FORMAT_NONE"
