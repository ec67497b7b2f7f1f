"""What a person's review leaves on an object: new identifiers and dates, the verification, the person as observer."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC

from highdicom import sr
from highdicom.valuerep import check_person_name
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from inference.domain.identifiers import UID
from inference.domain.review import Review
from inference.domain.study import InstanceIdentity
from inference.encoding.equipment import NOTICE, REVIEWED, UNREVIEWED, date
from inference.encoding.source import zone_of


def person(review: Review) -> sr.ObserverContext:
    """Name the reader as the observer (PS3.16 TID 1002, TID 1003)."""
    attributes = sr.PersonObserverIdentifyingAttributes(
        name=review.reviewer_name, organization_name=review.organization or None
    )
    return sr.ObserverContext(observer_type=codes.DCM.Person, observer_identifying_attributes=attributes)


def renew(data_set: Dataset, review: Review, description: str) -> None:
    """Make a new object of a copy: identifiers derived from the old ones and the review, and the review's dates.

    It begins a series of its own. PS3.3 would allow the old one (section C.17.1 constrains none), but what is said of
    a whole series, as its description and date, has changed, and viewers show one object of a series of documents.
    Its Series Number stays, so that it is listed beside what it replaces.

    Parameters
    ----------
    data_set
        Changed in place.
    review
        The same review of the same object gives the same identifiers.
    description
        New Series Description.
    """
    series, instance = (derived(what, str(data_set.SOPInstanceUID), review) for what in ("series", "instance"))
    data_set.SeriesInstanceUID, data_set.SOPInstanceUID = series, instance
    data_set.file_meta.MediaStorageSOPInstanceUID = instance
    data_set.SeriesDescription = description
    date(data_set, zone_of(data_set), review.at)


def derived(what: str, instance_uid: str, review: Review) -> UID:
    """Give an identifier that belongs to a review of an object.

    Parameters
    ----------
    what
        Which of several.
    instance_uid
        SOP Instance UID of what was reviewed.
    review
        All of it counts, for an archive keeps the bytes that it had under a UID.
    """
    said = (
        review.verdict.value,
        review.reviewer,
        review.reviewer_name,
        review.organization,
        review.at.astimezone(UTC).isoformat(),
        review.reason,
        " ".join(sorted(review.excluded)),
        review.conclusion,
    )
    name = "\n".join(("review", what, instance_uid, *(f"{len(part)} {part}" for part in said)))
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}")


def succeed(document: Dataset, predecessor: InstanceIdentity) -> None:
    """Name the report that a new one replaces (Predecessor Documents Sequence, PS3.3 section C.17.2).

    Parameters
    ----------
    document
        Changed in place.
    predecessor
        The old report.
    """
    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID = predecessor.sop_class_uid
    instance.ReferencedSOPInstanceUID = predecessor.sop_instance_uid
    series.SeriesInstanceUID = predecessor.series_instance_uid
    series.ReferencedSOPSequence = [instance]
    study.StudyInstanceUID = predecessor.study_instance_uid
    study.ReferencedSeriesSequence = [series]
    document.PredecessorDocumentsSequence = [study]


def verify(document: Dataset, review: Review) -> None:
    """Say that a person answers for a report, which makes it final (PS3.3 section C.17.2).

    Parameters
    ----------
    document
        Changed in place.
    review
        Who and when.

    Raises
    ------
    ValueError
        If the person has no name or no organization, or one is too long: both are of type 1.
    """
    check_person_name(review.reviewer_name)
    if not review.reviewer_name or not 0 < len(review.organization) <= 64:
        raise ValueError("a verifying observer has a name and an organization of at most 64 characters")
    item = Dataset()
    item.VerifyingOrganization = review.organization
    item.VerificationDateTime = review.at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")
    item.VerifyingObserverName = review.reviewer_name
    item.VerifyingObserverIdentificationCodeSequence = []
    document.VerifyingObserverSequence = [item]
    document.VerificationFlag, document.PreliminaryFlag = "VERIFIED", "FINAL"


def say_reviewed(items: Sequence[Dataset]) -> None:
    """Replace the part of the notice that is not true any more, wherever it stands.

    Parameters
    ----------
    items
        Content items, changed in place.
    """
    for item in items:
        text = item.get("TextValue")
        if text is not None and NOTICE in text:
            item.TextValue = text.replace(UNREVIEWED, REVIEWED)
        say_reviewed(item.get("ContentSequence") or ())
