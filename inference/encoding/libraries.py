"""What pydicom and highdicom raise, and how they are kept quiet: what they warn of, they quote."""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydicom.errors import BytesLengthException, InvalidDicomError

LIBRARY_ERRORS: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    OSError,
    RuntimeError,
    BytesLengthException,
    InvalidDicomError,
    struct.error,
)
"""What they raise on a source they cannot handle; these have no common base."""

_LIBRARIES: Final = ("pydicom", "highdicom")


@contextmanager
def silence() -> Iterator[None]:
    """Let nothing of pydicom and highdicom reach a log or a warning within the block."""
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
