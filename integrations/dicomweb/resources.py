"""The addresses of DICOMweb (PS3.18 sections 10.4 to 10.6) that are passed on; all others do not exist."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inference.domain.identifiers import UID

_FRAMES: Final = re.compile(r"[1-9][0-9]{0,6}(,[1-9][0-9]{0,6})*")
_BULK: Final = re.compile(r"[0-9A-Fa-f]{8}(/[0-9]{1,6}/[0-9A-Fa-f]{8})*")
LONGEST_PATH: Final = 1024


class Service(StrEnum):
    """What is asked of a resource."""

    STUDIES = "search studies"
    SERIES = "search series"
    INSTANCES = "search instances"
    OBJECTS = "objects"
    METADATA = "metadata"
    FRAMES = "frames"
    BULK = "bulk data"
    RENDERED = "rendered"
    THUMBNAIL = "thumbnail"


SEARCHES: Final = frozenset({Service.STUDIES, Service.SERIES, Service.INSTANCES})
_COLLECTIONS: Final[Mapping[str, Service]] = {
    "studies": Service.STUDIES,
    "series": Service.SERIES,
    "instances": Service.INSTANCES,
}
_LEVELS: Final = tuple(_COLLECTIONS)
_PLAIN: Final = {"metadata": Service.METADATA, "rendered": Service.RENDERED, "thumbnail": Service.THUMBNAIL}


@dataclass(frozen=True, slots=True)
class Resource:
    """An address that is known.

    Parameters
    ----------
    service
        What is asked.
    study_uid, series_uid, instance_uid
        Of what, as far as the path says.
    detail
        Frame numbers with commas, or the path of an element; else empty.
    """

    service: Service
    study_uid: UID | None = None
    series_uid: UID | None = None
    instance_uid: UID | None = None
    detail: str = ""

    @property
    def is_search(self) -> bool:
        """Whether it lists what matches."""
        return self.service in SEARCHES

    @property
    def path(self) -> str:
        """The address, made anew from its parts, beginning with a slash."""
        uids = (self.study_uid, self.series_uid, self.instance_uid)
        named = "".join(f"/{level}/{uid}" for level, uid in zip(_LEVELS, uids, strict=True) if uid is not None)
        return named + _endings(self)


def _endings(resource: Resource) -> str:
    for level, service in _COLLECTIONS.items():
        if resource.service is service:
            return f"/{level}"
    if resource.service is Service.FRAMES:
        return f"/frames/{resource.detail}"
    if resource.service is Service.BULK:
        return f"/bulk/{resource.detail}"
    return "" if resource.service is Service.OBJECTS else f"/{resource.service}"


def parse(path: str) -> Resource | None:
    """Read an address below the service's root, without a slash at its beginning; None where it is not known."""
    if len(path) > LONGEST_PATH:
        return None
    uids: list[UID] = []
    parts = path.split("/")
    while len(uids) < len(_LEVELS) and len(parts) >= 2 and parts[0] == _LEVELS[len(uids)] and _is_uid(parts[1]):
        uids.append(UID(parts[1]))
        parts = parts[2:]
    service = _service(parts, len(uids))
    if service is None:
        return None
    padded = [*uids, None, None, None]
    return Resource(service, padded[0], padded[1], padded[2], "/".join(parts[1:]))


def _service(rest: list[str], depth: int) -> Service | None:
    if not rest:
        return Service.OBJECTS
    name, detail = rest[0], "/".join(rest[1:])
    if not detail and len(rest) == 1:
        if name in _COLLECTIONS and _LEVELS.index(name) >= depth:
            return _COLLECTIONS[name]
        return _PLAIN.get(name) if depth else None
    if depth < len(_LEVELS):
        return None
    if name == "frames" and _FRAMES.fullmatch(detail):
        return Service.FRAMES
    return Service.BULK if name == "bulk" and _BULK.fullmatch(detail) else None


def _is_uid(text: str) -> bool:
    try:
        UID(text)
    except ValueError:
        return False
    return True
