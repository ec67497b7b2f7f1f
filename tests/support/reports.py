"""Reports made to order."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

from inference.domain.codes import BRAIN, MILLILITRE, MILLIMETRE, NEOPLASM, VOLUME, Code
from inference.domain.identifiers import UID
from inference.domain.job import ModelReference
from inference.domain.model_spec import LabelSpec, Task
from inference.domain.result import (
    EvidenceObject,
    Finding,
    Measurement,
    Place,
    Refusal,
    Report,
    SourceSeries,
    Subject,
    TumorDetection,
)
from inference.domain.review import Review, Verdict
from inference.domain.study import InstanceIdentity

MR_IMAGE = UID("1.2.840.10008.5.1.4.1.1.4")
SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.4")
COMPREHENSIVE_SR = UID("1.2.840.10008.5.1.4.1.1.88.33")
SEOUL = timezone(timedelta(hours=9))

SUBJECT = Subject("P-1", "Hospital A", "홍", "길동", "1980-01-02", "M")


@dataclass(frozen=True)
class Names:
    """What makes a report another one.

    Parameters
    ----------
    report, study, series
        Last parts of the UIDs.
    model_id
        Id of the model.
    patient
        Whom it is about.
    """

    report: int = 1
    study: int = 1
    series: int = 1
    model_id: str = "brain-structures"
    subject: Subject = SUBJECT


def make_report(names: Names = Names()) -> Report:
    """Give a report with two structures, a total, a SEG and an SR."""
    study, series = UID(f"2.25.100.{names.study}"), UID(f"2.25.100.{names.study}.{names.series}")
    source = SourceSeries(
        study_instance_uid=study,
        series_instance_uid=series,
        accession_number="ACC-1",
        study_id="1",
        study_description="뇌 MRI",
        series_description="T1",
        modality="MR",
        started_at=datetime(2026, 1, 2, 9, 30, tzinfo=SEOUL),
        instances=tuple(InstanceIdentity(study, series, UID(f"{series}.{n}"), MR_IMAGE) for n in (1, 2, 3)),
    )
    return Report(
        report_uid=UID(f"2.25.200.{names.report}"),
        subject=names.subject,
        source=source,
        model=ModelReference(names.model_id, "1.2.0", "ab" * 32),
        model_title="Brain structures",
        manufacturer="NeuroNova",
        intended_use="Research on brain volumes.",
        procedure=Code("24590-2", "LN", "Brain MRI"),
        region=BRAIN,
        measurements=(
            _volume("Thalamus", Code("42695009", "SCT", "Thalamus"), 15.123456, UID(f"2.25.300.{names.series}.1")),
            _volume("Caudate", Code("11000004", "SCT", "Caudate nucleus"), 7.5, UID(f"2.25.300.{names.series}.2")),
            _volume("All structures", BRAIN, 22.623456, None),
        ),
        absent=("Hippocampus",),
        evidence=(_evidence("SEG", SEGMENTATION, study, names), _evidence("SR", COMPREHENSIVE_SR, study, names)),
        warnings=("One slice is missing",),
        produced_at=datetime(2026, 1, 2, 12, 30, tzinfo=UTC),
    )


LESIONS = Code("49755003", "SCT", "Morphologically Abnormal Structure")
EDEMA = Code("79654002", "SCT", "Edema")


def tumor_report(names: Names = Names(), *, found: bool = True) -> Report:
    """Give a tumour job's report, made from two series."""
    report = make_report(names)
    tumor = (
        TumorDetection(True, 0.875, (-12.5, 30.25, 41.0), 3.25) if found else TumorDetection(False, 0.12, None, 0.0)
    )
    tracking = UID(f"2.25.300.{names.series}.1")
    flair = UID(f"2.25.100.{names.study}.900")
    further = replace(report.source, series_instance_uid=flair, series_description="FLAIR")
    return replace(
        report,
        task=Task.TUMOR_DETECTION,
        tumor=tumor,
        measurements=(replace(_volume("Tumour", NEOPLASM, 3.25, tracking), site=BRAIN),) if found else (),
        absent=("Edema",) if found else ("Tumour", "Edema"),
        evidence=report.evidence if found else report.evidence[1:],
        further_sources=(further,),
    )


def findings_report(names: Names = Names()) -> Report:
    """Give a report of a detection with a place, a classification without, and something that is not there."""
    report = make_report(names)
    tumour = LabelSpec(1, "Tumour", LESIONS, NEOPLASM, (1, 2, 3), 0.0, 1.0)
    edema = LabelSpec(2, "Edema", LESIONS, EDEMA, (1, 2, 3), 0.0, 1.0)
    place = Place((-12.5, 30.25, 41.0), tuple((float(n), 0.0, 0.0) for n in range(8)))
    first, second, third = (UID(f"2.25.500.{names.series}.{number}") for number in (1, 2, 3))
    findings = (
        Finding(tumour, True, 0.934, first, "Tumour 1", place),
        Finding(tumour, True, 0.7, second, "Tumour 2"),
        Finding(edema, False, None, third, "Edema"),
    )
    return replace(
        report, task=Task.DETECTION, findings=findings, measurements=(), absent=(), evidence=report.evidence[1:]
    )


LEFT = Code("7771000", "SCT", "Left")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj <</Type /Catalog>> endobj\n%%EOF\n"


def full_report(names: Names = Names(), *, lineage: int | None = None, hours: int = 0) -> Report:
    """Give a report with usual ranges, a side, diameters and a PDF, of a lineage, made some hours after noon.

    The first structure is above its usual range, the second below.
    """
    report = make_report(names)
    thalamus, caudate, total = report.measurements
    thalamus = replace(thalamus, label="Left thalamus", laterality=LEFT, reference_range=(4.5, 9.0))
    axes = tuple(
        replace(thalamus, quantity=axis, value=value, unit=MILLIMETRE, reference_range=None)
        for axis, value in ((LONG_AXIS, 31.25), (SHORT_AXIS, 18.0))
    )
    caudate = replace(caudate, laterality=LEFT, reference_range=(8.0, 12.5))
    return replace(
        report,
        measurements=(thalamus, *axes, caudate, total),
        pdf_base64=base64.b64encode(PDF).decode(),
        lineage_uid=UID(f"2.25.600.{names.study if lineage is None else lineage}"),
        produced_at=report.produced_at + timedelta(hours=hours),
    )


def refused_report(names: Names = Names(), *, hours: int = 0) -> Report:
    """Give the report of a series that was not analysed, of the lineage that ``full_report`` gives."""
    report = full_report(names, hours=hours)
    refusal = Refusal("geometry.gap", "two slices are missing")
    return replace(report, measurements=(), absent=(), warnings=(), pdf_base64="", refusal=refusal)


def accepted(report: Report, *, hours: int = 1) -> Review:
    """Give a review that accepts a report, some hours after it was made."""
    at = report.produced_at + timedelta(hours=hours)
    return Review(Verdict.ACCEPT, "kim", "Kim^Min & Ho", "Hospital A", at)


def amended(report: Report, *excluded: UID, hours: int = 2) -> Review:
    """Give a review that takes findings out of a report."""
    at = report.produced_at + timedelta(hours=hours)
    return Review(
        Verdict.AMEND, "lee", "이^서연", "", at, "the border is wrong", excluded, "No sign of a tumour <5 mm."
    )


def _volume(label: str, finding: Code, millilitres: float, tracking_uid: UID | None) -> Measurement:
    return Measurement(label, finding, VOLUME, millilitres, MILLILITRE, tracking_uid, label if tracking_uid else None)


def _evidence(kind: str, sop_class: UID, study: UID, names: Names) -> EvidenceObject:
    series = UID(f"2.25.400.{names.report}.{len(kind)}")
    return EvidenceObject(kind, InstanceIdentity(study, series, UID(f"{series}.1"), sop_class), "00" * 32)
