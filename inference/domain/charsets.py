"""The character sets that are assumed for sources which name none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

LATIN_1: Final = "ISO_IR 100"
"""What is assumed where nobody says anything: it reads ASCII, and never fails."""


@dataclass(frozen=True, slots=True)
class CharacterSets:
    """What to read text as where the sender does not say (PS3.3 section C.12.1.1.2).

    The standard then allows nothing but ASCII; what is sent is in the local encoding of the sending machine.

    Parameters
    ----------
    default
        Defined Term of Specific Character Set for every sender that is not named.
    by_ae
        The same, by calling AE title.
    """

    default: str = LATIN_1
    by_ae: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, calling_ae: str) -> str:
        """Give the Defined Term for a sender.

        Parameters
        ----------
        calling_ae
            Its AE title; empty where a series came otherwise.
        """
        return self.by_ae.get(calling_ae.strip(), self.default)


NOTHING_CONFIGURED: Final = CharacterSets()
"""Latin 1 for every sender."""
