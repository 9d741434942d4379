"""The precision of a version's arithmetic: what it was measured with, and what a processor has."""

import os
from enum import StrEnum
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
# Instructions that multiply bfloat16 numbers. oneDNN takes any AVX-512 for enough and emulates
# them, which is slower than float32 (TensorFlow's ``IsDataTypeSupportedByOneDNNOnThisCPU``).
_BF16_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16"})


class Precision(StrEnum):
    """What matrices and convolutions are multiplied in; inputs, outputs and sums are float32.

    Attributes:
        FLOAT32: 24 bits of significand.
        BF16: 8 bits of significand, by TensorFlow's rewriter
            ``auto_mixed_precision_onednn_bfloat16``.
    """

    FLOAT32 = "float32"
    BF16 = "bf16"


def why_not_here(precision: Precision) -> str:
    """Return why this machine does not compute in ``precision``; empty where it does."""
    if precision is Precision.FLOAT32:
        return ""
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return "TF_ENABLE_ONEDNN_OPTS=0 turns off what computes in bfloat16"
    if not _BF16_INSTRUCTIONS & _processor_flags():
        return "this processor has no instructions for bfloat16 (AVX512-BF16 or AMX-BF16)"
    return ""


def precision_here(stated: Precision) -> Precision:
    """Return ``stated`` where this machine computes in it, else float32."""
    return Precision.FLOAT32 if why_not_here(stated) else stated


def _processor_flags() -> set[str]:
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:  # another system than Linux
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())
