"""Who made a result: the node's name and version, and the times and identifiers that make an object reproducible."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from highdicom import ContributingEquipment
from highdicom.sr import DeviceObserverIdentifyingAttributes, ObserverContext
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from inference.domain.identifiers import UID
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from inference.domain.job import ModelReference
from inference.domain.model_spec import ModelSpec
from inference.encoding.source import UTF8, zone_of
from inference.uids import OutputUIDs

MANUFACTURER: Final = "NeuroNova"
MODEL_NAME: Final = "NeuroNova Node"
UNREVIEWED: Final = "Not reviewed by a person."
"""The part of the notice that a person's review makes untrue."""
REVIEWED: Final = "Reviewed by a person."
"""What takes the place of ``UNREVIEWED``."""

RESEARCH: Final = "Research use only. Not for diagnosis."
"""Said in every object."""
NOTICE: Final = f"{RESEARCH} {UNREVIEWED}"
"""Said in reports; a review makes new ones."""
AS_MADE: Final = f"{RESEARCH} As the model made it, before any review."
"""Said in what stays the same when a result is accepted."""


def software_version() -> str:
    """Give the version of the node as it is installed."""
    try:
        return version("neuronova-node")
    except PackageNotFoundError:
        return "unknown"


def software_versions(model: ModelReference) -> tuple[str, str]:
    """Give Software Versions: the node's, and the model's with its id; each an LO of at most 64 characters."""
    return software_version()[:64], f"{model.model_id} {model.version}"[:64]


def serial_number(model: ModelReference) -> str:
    """Give Device Serial Number, type 1 in Enhanced General Equipment (PS3.3 section C.7.5.2).

    Software has none, so it is what tells one copy from another: the digest of the model's weights.
    """
    return model.digest[:64]


def equipment_of(model: ModelReference) -> dict[str, Any]:
    """Give the Enhanced General Equipment (PS3.3 section C.7.5.2) of an object, as highdicom takes it."""
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": software_versions(model),
        "device_serial_number": serial_number(model),
    }


def device_uid(model: ModelReference) -> UID:
    """Give the Device Observer UID (PS3.16 TID 1004): the same for the same weights, wherever they run."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, model.digest).int}")


def series_description(title: str, what: str) -> str:
    """Say in Series Description what this is and that it is no diagnosis, in at most 64 characters (VR LO)."""
    ending = f"{' ' if what else ''}{what} (research only)"
    return f"AI {title[: 61 - len(ending)].strip()}{ending}"


def contribution(model: ModelReference) -> ContributingEquipment:
    """Describe the node as the equipment that processed the source by a model (PS3.3 section C.12.1.1.5)."""
    return ContributingEquipment(
        MANUFACTURER,
        codes.DCM.ProcessingEquipment,
        manufacturer_model_name=MODEL_NAME,
        software_versions=software_versions(model),
        contribution_description=RESEARCH,
    )


def observer(model: ModelReference) -> ObserverContext:
    """Name the node as the observer (PS3.16 TID 1002, TID 1004)."""
    device = DeviceObserverIdentifyingAttributes(
        uid=device_uid(model),
        name=MODEL_NAME,
        manufacturer_name=MANUFACTURER,
        model_name=model.model_id,
        serial_number=serial_number(model),
    )
    return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)


def stamp(data_set: Dataset, source: Dataset, produced_at: datetime) -> None:
    """Replace the clock readings that the library puts in, and say who we are.

    Dates and times are in the source's zone where it names one, since Timezone Offset From UTC holds for all of
    an object's dates, copied ones too (PS3.3 section C.12.1.1.8).

    Parameters
    ----------
    data_set
        The new object; its last two contributions are the node's and the library's.
    source
        Names the zone.
    produced_at
        Every time in the object becomes this one.
    """
    date(data_set, zone_of(source), produced_at)
    for item in data_set.ContributingEquipmentSequence[-2:]:
        item.ContributionDateTime = produced_at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")
    data_set.SpecificCharacterSet = UTF8
    data_set.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    data_set.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME


def date(data_set: Dataset, zone: timezone | None, at: datetime) -> None:
    """Give a new object and its series their date and time.

    Parameters
    ----------
    data_set
        Changed in place.
    zone
        Where the source's dates are; None where it does not say.
    at
        The moment, in the site's zone, which is what a source that does not say means.
    """
    moment = at if zone is None else at.astimezone(zone)
    day, time = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")
    for keyword in ("InstanceCreation", "Content", "Series"):
        setattr(data_set, f"{keyword}Date", day)
        setattr(data_set, f"{keyword}Time", time)
    if zone is not None:
        data_set.TimezoneOffsetFromUTC = moment.strftime("%z")


@dataclass(frozen=True, slots=True)
class Imprint:
    """What is the same in every object of one result.

    Parameters
    ----------
    spec
        The model.
    uids
        Identifiers of the result.
    produced_at
        When the analysis ended.
    """

    spec: ModelSpec
    uids: OutputUIDs
    produced_at: datetime

    def press(self, data_set: Dataset, source: Dataset) -> None:
        """Replace the clock readings and random identifiers that the library puts in."""
        stamp(data_set, source, self.produced_at)
        dimensions: Sequence[Dataset] = data_set.get("DimensionOrganizationSequence") or ()
        for item in (*dimensions, *(data_set.get("DimensionIndexSequence") or ())):
            item.DimensionOrganizationUID = self.uids.other("dimension-organization")
