from pathlib import Path

import pytest

from service.repository import precision
from service.repository.precision import Precision, precision_here, why_not_here


@pytest.mark.parametrize(
    ("cpuinfo", "here"),
    [
        ("processor : 0\nflags : fpu avx2 avx512f avx512_bf16\n", Precision.BF16),
        ("flags\t\t: fpu amx_bf16 amx_tile\n", Precision.BF16),
        ("flags : fpu avx2 avx512f\n", Precision.FLOAT32),
        ("Features : fp asimd bf16\n", Precision.FLOAT32),
        (None, Precision.FLOAT32),
    ],
)
def test_it_is_where_the_processor_has_the_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpuinfo: str | None, here: Precision
) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "cpuinfo")
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert precision_here(Precision.BF16) is here
    assert bool(why_not_here(Precision.BF16)) == (here is Precision.FLOAT32)
    assert precision_here(Precision.FLOAT32) is Precision.FLOAT32
    assert why_not_here(Precision.FLOAT32) == ""


def test_it_is_not_where_onednn_is_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert "TF_ENABLE_ONEDNN_OPTS=0" in why_not_here(Precision.BF16)
