"""What of a report still stands when a person takes findings out of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from inference.domain.codes import VOLUME
from inference.domain.identifiers import UID
from inference.domain.result import Measurement, Report


def measurement_name(measurement: Measurement, position: int) -> str:
    """Name a measurement within its report: by its tracking UID, and its quantity where that is no volume.

    Parameters
    ----------
    measurement
        One of the report.
    position
        Its 0-based place among the report's measurements; a total is named by it.
    """
    if not measurement.tracking_uid:
        return f"total-{position}"
    if measurement.quantity == VOLUME:
        return measurement.tracking_uid
    return f"{measurement.tracking_uid}/{measurement.quantity.value}"


def fallen(report: Report, excluded: Collection[UID]) -> frozenset[str]:
    """Name what does not stand without the excluded findings.

    These are the findings themselves and all that was measured of them. A total falls with any part of it, for its
    number would be wrong; so does the answer of a tumour job, which was measured from all of them.

    Parameters
    ----------
    report
        As it was made.
    excluded
        Tracking UIDs.

    Returns
    -------
    frozenset
        ``tumor``, tracking UIDs of findings, and names as ``measurement_name`` gives them.
    """
    lost = [one for one in report.measurements if one.tracking_uid in excluded]
    names = {str(finding.tracking_uid) for finding in report.findings if finding.tracking_uid in excluded}
    for position, one in enumerate(report.measurements):
        if one.tracking_uid in excluded or (lost and not one.tracking_uid):
            names.add(measurement_name(one, position))
    if _tumor_falls(report, lost):
        names.add("tumor")
    return frozenset(names)


def standing(report: Report, excluded: Collection[UID]) -> Report:
    """Give the report without what does not stand.

    Parameters
    ----------
    report
        As it was made.
    excluded
        Tracking UIDs.
    """
    gone = fallen(report, excluded)
    if not gone:
        return report
    measured = enumerate(report.measurements)
    return replace(
        report,
        measurements=tuple(one for position, one in measured if measurement_name(one, position) not in gone),
        findings=tuple(one for one in report.findings if one.tracking_uid not in gone),
        tumor=None if "tumor" in gone else report.tumor,
    )


def _tumor_falls(report: Report, lost: list[Measurement]) -> bool:
    return report.tumor is not None and report.tumor.tumor_detected and bool(lost)
