"""Cells of a table that a spreadsheet opens: a text that it would take for a formula is quoted, and read back.

Excel, LibreOffice and others run a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return
(OWASP, "CSV Injection"). An apostrophe before it makes it a text.
"""

from __future__ import annotations

import re
from typing import Final

_DANGEROUS: Final = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d+)?")


def guarded(text: str) -> str:
    """Give a text as it is written into a cell; a plain number is no formula."""
    return f"'{text}" if _DANGEROUS.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """Give the text of a cell that ``guarded`` wrote; any other text is given as it is."""
    return text[1:] if text.startswith("'") and _DANGEROUS.match(text) else text
