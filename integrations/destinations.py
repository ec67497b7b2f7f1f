"""The file of destinations: which archives get which objects, and how (docs/destinations.md)."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from inference.domain.artifact import ArtifactKind, Segmentation
from inference.domain.delivery import RESULT_KINDS, USUAL_KINDS, Compression, Wanted
from inference.domain.identifiers import AETitle
from inference.errors import ConfigurationError
from integrations.http_login import Login
from integrations.settings import AE, Address, ArchivePeer, Peer


class Confirmed(StrEnum):
    """How we learn that an archive holds objects, strongest first."""

    COMMITMENT = "commitment"
    """Storage commitment: the archive's own word (PS3.4 annex J)."""
    READ_BACK = "read-back"
    """Every object is read back and compared."""
    QUERY = "query"
    """Every object is listed (C-FIND)."""


@dataclass(frozen=True, slots=True)
class DIMSEAddress:
    """An archive that takes C-STORE.

    Parameters
    ----------
    peer
        Where it is.
    calling
        Our AE title towards it; None: the node's own.
    rest_url
        Orthanc's REST API, to read back.
    """

    peer: ArchivePeer
    calling: AETitle | None = None
    rest_url: str | None = None


@dataclass(frozen=True, slots=True)
class STOWAddress:
    """An archive that takes STOW-RS: the base address of its DICOMweb."""

    url: str


@dataclass(frozen=True, slots=True)
class FolderAddress:
    """A folder as archive."""

    root: Path


@dataclass(frozen=True, slots=True)
class Destination:
    """Where results go.

    Parameters
    ----------
    name
        Unique; stands in the outbox, in metrics and in logs.
    address
        Where it is.
    wanted
        Which objects it takes.
    confirmed
        How we learn that it holds them.
    compression
        How objects are encoded where it accepts that.
    notes
        Whether it is sent the notes that a series was not analysed.
    login
        For HTTP, where it asks for one.
    """

    name: str
    address: DIMSEAddress | STOWAddress | FolderAddress
    wanted: Wanted = field(default_factory=Wanted)
    confirmed: Confirmed = Confirmed.QUERY
    compression: Compression = Compression.NONE
    notes: bool = False
    login: Login | None = None


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("write a path that begins with /")
    return path


def _kinds(kinds: tuple[ArtifactKind, ...]) -> tuple[ArtifactKind, ...]:
    if not kinds or not RESULT_KINDS.issuperset(kinds):
        raise ValueError(f"write at least one of {', '.join(sorted(RESULT_KINDS))}")
    return kinds


_AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
_REPORT_SERVERS: Final = ("fhir", "hl7")
"""Names that stand in the same outbox."""
_ADDRESSES: Final = ("dicom", "stow", "folder")


class _Entry(BaseModel):
    """One ``[[destination]]``, as it stands in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    dicom: Peer | None = None
    stow: Address | None = None
    folder: _AbsolutePath | None = None
    calling: AE | None = None
    rest: Address | None = None
    user: str | None = Field(default=None, min_length=1)
    password_file: _AbsolutePath | None = None
    confirm: Confirmed | None = None
    objects: Annotated[tuple[ArtifactKind, ...], AfterValidator(_kinds)] = tuple(sorted(USUAL_KINDS))
    notes: bool = Field(default=False, strict=True)
    segmentation: Segmentation = Segmentation.BINARY
    compression: Compression = Compression.NONE

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [
            *(self._address_faults()),
            *(self._confirmation_faults()),
            *(["user and password_file go together"] if (self.user is None) != (self.password_file is None) else []),
            *(["name: fhir and hl7 are the names of report servers"] if self.name in _REPORT_SERVERS else []),
            *(["notes: a note is an SR, so SR must be taken"] if self._lacks_sr_for_notes() else []),
            *(["objects: SR refers to the SEG, so SEG must be taken too"] if self._lacks_seg() else []),
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def confirmed(self) -> Confirmed:
        """Give what is asked for, or the strongest that needs nothing at the archive's side."""
        if self.confirm is not None:
            return self.confirm
        return Confirmed.QUERY if self.dicom is not None and self.rest is None else Confirmed.READ_BACK

    def _address_faults(self) -> list[str]:
        faults = []
        if sum(getattr(self, key) is not None for key in _ADDRESSES) != 1:
            faults.append("exactly one of dicom, stow and folder is needed")
        if self.dicom is None:
            faults += [f"{key} goes with dicom" for key in ("calling", "rest") if getattr(self, key) is not None]
        if self.user is not None and self.stow is None and self.rest is None:
            faults.append("user goes with stow or rest")
        return faults

    def _confirmation_faults(self) -> list[str]:
        confirmed = self.confirmed()
        if confirmed is Confirmed.READ_BACK and self.dicom is not None and self.rest is None:
            return ["confirm: read-back needs rest"]
        if confirmed is not Confirmed.READ_BACK and self.dicom is None:
            return [f"confirm: {confirmed} goes with dicom"]
        return []

    def _lacks_sr_for_notes(self) -> bool:
        return self.notes and ArtifactKind.SR not in self.objects

    def _lacks_seg(self) -> bool:
        return ArtifactKind.SR in self.objects and ArtifactKind.SEG not in self.objects


def load_destinations(path: Path) -> tuple[Destination, ...]:
    """Read the file of destinations, in its order.

    Parameters
    ----------
    path
        A TOML file with one ``[[destination]]`` or more.

    Raises
    ------
    ConfigurationError
        If anything is wrong; the message lists every fault, one a line, and no value.
    """
    entries, faults = _entries(path)
    destinations: list[Destination] = []
    for number, raw in enumerate(entries, start=1):
        try:
            destinations.append(_destination(_Entry.model_validate(raw)))
        except ValidationError as error:
            details = error.errors(include_input=False, include_url=False)
            faults += [f"{_label(number, raw)}: {_fault(dict(entry))}" for entry in details]
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{_label(number, raw)}: password_file: the file cannot be read ({type(error).__name__})")
    names = Counter(raw.get("name") for raw in entries if isinstance(raw.get("name"), str))
    faults += [f"the name {name} stands more than once" for name, times in names.items() if times > 1]
    if faults:
        raise ConfigurationError("\n".join(["the file of destinations is not valid:", *(f"  - {f}" for f in faults)]))
    return tuple(destinations)


def _entries(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Give the tables of the file, and what is wrong with it as a whole."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the file of destinations cannot be read ({type(error).__name__})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the file of destinations is no TOML: {error}") from error
    faults = [f"{key} is not a table of this file" for key in sorted(document.keys() - {"destination"})]
    entries = document.get("destination", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        return [], [*faults, "at least one [[destination]] is needed"]
    return entries, faults


def _destination(entry: _Entry) -> Destination:
    login = None
    if entry.user is not None and entry.password_file is not None:
        login = Login(entry.user, entry.password_file.read_text(encoding="utf-8").strip())
    return Destination(
        entry.name,
        _address(entry),
        Wanted(frozenset(entry.objects), entry.segmentation),
        entry.confirmed(),
        entry.compression,
        entry.notes,
        login,
    )


def _address(entry: _Entry) -> DIMSEAddress | STOWAddress | FolderAddress:
    if entry.dicom is not None:
        return DIMSEAddress(entry.dicom, entry.calling, entry.rest)
    if entry.stow is not None:
        return STOWAddress(entry.stow)
    assert entry.folder is not None  # noqa: S101 - exactly one was demanded
    return FolderAddress(entry.folder)


def _label(number: int, raw: Mapping[str, Any]) -> str:
    return f"destination {number}" + (f" ({raw['name']})" if isinstance(raw.get("name"), str) else "")


def _fault(entry: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in entry["loc"])
    message = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "extra_forbidden":
        message = "is not a key"
    return f"{where}: {message}" if where else message
