"""How much the node holds: counted seldom, for a large node has millions of files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from inference.ports import Clock

INTERVAL_SECONDS = 900.0
"""Time between two counts."""


class Stock:
    """Counts spool and results, and remembers what was found.

    Parameters
    ----------
    spool_bytes
        Asks the database how much was received and is kept.
    results
        The folder of results.
    clock
        Time.
    """

    def __init__(self, spool_bytes: Callable[[], int], results: Path, clock: Clock) -> None:
        self._spool_bytes = spool_bytes
        self._results = results
        self._clock = clock
        self._found: Mapping[str, Any] = {}

    def count(self) -> None:
        """Count.

        Raises
        ------
        StoreUnavailable
            If the database cannot be asked.
        """
        self._found = {
            "spool_bytes": self._spool_bytes(),
            "results_bytes": sum(_sizes(self._results)),
            "counted_at": self._clock.now().isoformat(),
        }

    def facts(self) -> Mapping[str, Any]:
        """Give what was found; nothing before the first count."""
        return self._found


def _sizes(folder: Path) -> Iterator[int]:
    """Give the size of every file; one that goes meanwhile does not count."""
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - Path makes it twice as slow
            except OSError:
                continue
