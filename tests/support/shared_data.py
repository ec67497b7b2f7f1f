"""Real data beside the checkout, which is not part of it and may be absent."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

SHARED: Final[Path] = Path(__file__).resolve().parents[3] / "shared"
"""The folder of shared data next to the repository."""

needs_shared: Final = pytest.mark.skipif(not SHARED.is_dir(), reason="shared data absent")
"""Mark for tests that read the shared data."""
