"""Shares as people read them."""


def in_percent(share: float) -> str:
    """Return a share with two digits, as "5 %", and all of something as "100 %"."""
    # Twice, because "1e+02" is what two digits of 100 are.
    return f"{float(f'{100 * share:.2g}'):g} %"
