"""How names and numbers are written for people, alike in pictures, pages, reports and messages."""

from __future__ import annotations

import re
from decimal import Decimal

from inference.domain.codes import Code


def sided(name: str, side: Code | None) -> str:
    """Put the side before a name that does not say it as a word.

    Parameters
    ----------
    name
        For people, e.g. ``Thalamus``.
    side
        Of CID 244; None for none.
    """
    if side is None or side.meaning.lower() in re.findall(r"\w+", name.lower()):
        return name
    return f"{side.meaning} {name}"


def rounded(value: float) -> str:
    """Write a measured number: three digits that mean something, and never 0 for what is not.

    Parameters
    ----------
    value
        In whatever unit.
    """
    return f"{value:.1f}" if abs(value) >= 10 else f"{Decimal(f'{value:.3g}'):f}"
