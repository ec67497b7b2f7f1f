"""Where the repository is, for tests about the repository itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

REPOSITORY: Final[Path] = Path(__file__).resolve().parents[2]
"""The checkout's root folder."""
