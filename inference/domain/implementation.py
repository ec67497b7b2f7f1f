"""Who wrote a file or opens an association: the node's own implementation identifiers (PS3.7 annex D.3.3.2)."""

from __future__ import annotations

from typing import Final

from inference.domain.identifiers import UID

IMPLEMENTATION_CLASS_UID: Final = UID("2.25.11176065755715117227823498312567536395")
"""Implementation Class UID: stays the same over all releases (a UUID-derived UID, PS3.5 annex B.2)."""

IMPLEMENTATION_VERSION_NAME: Final = "NEURONOVA_NODE"
"""Implementation Version Name, at most 16 characters."""
