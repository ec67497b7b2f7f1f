"""What the one-page report says: about whom, of what, by which model, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from inference.domain.phrases import rounded
from inference.domain.result import Measurement, NameGroup, Segment, Subject
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.repair import parse_date
from inference.encoding.source import describe_subject, zone_of
from inference.encoding.wording import (
    Rgb,
    answer_line,
    finding_lines,
    not_found,
    nothing_found,
)

SEPARATOR = " / "
"""Between the forms of a name in several scripts."""

_MOST_ITEMS: Final = 12
"""Of one list in words; reports and FHIR have all of them."""


@dataclass(frozen=True, slots=True)
class StructureRow:
    """A line of the table of structures.

    Parameters
    ----------
    name, side, volume, usual, diameters
        Cells; empty where there is nothing to say. Volumes are in mL, diameters in mm.
    mark
        ``low`` or ``high`` where the volume is outside the usual range.
    colour_rgb
        As it is drawn in the pictures; None for a total.
    """

    name: str
    side: str
    volume: str
    usual: str = ""
    diameters: str = ""
    mark: str = ""
    colour_rgb: Rgb | None = None


@dataclass(frozen=True, slots=True)
class PageContent:
    """Everything on the page but the pictures.

    Parameters
    ----------
    title
        Of the model.
    subject, model
        Pairs of a name and what it is, for the two columns at the top.
    rows
        Structures, then totals.
    paragraphs
        Pairs of a heading and a text.
    """

    title: str
    subject: tuple[tuple[str, str], ...]
    model: tuple[tuple[str, str], ...]
    rows: tuple[StructureRow, ...]
    paragraphs: tuple[tuple[str, str], ...]


def content_of(header: Dataset, source: EncodingInput) -> PageContent:
    """Gather what is said.

    Parameters
    ----------
    header
        A normalised header of the source; its patient data stand on the page.
    source
        Result and model.
    """
    result = source.result
    rows = (*map(_structure, result.segments), *map(_total, result.totals if result.segments else ()))
    return PageContent(
        title=source.spec.title,
        subject=tuple(_about_the_subject(header, source)),
        model=tuple(_about_the_model(header, source)),
        rows=rows,
        paragraphs=tuple(_paragraphs(source)),
    )


def full_name(subject: Subject) -> str:
    """Give a name in every form that the source has, the alphabetic one first."""
    return SEPARATOR.join(filter(None, map(_spell, subject.names)))


def _spell(group: NameGroup) -> str:
    parts = (group.prefix, group.family, group.given, group.middle, group.suffix)
    return " ".join(part for part in parts if part)


def _about_the_subject(header: Dataset, source: EncodingInput) -> Iterator[tuple[str, str]]:
    subject = describe_subject(header)
    born = parse_date(str(header.PatientBirthDate))
    studied = parse_date(str(header.StudyDate))
    yield "Patient", full_name(subject)
    yield "Patient ID", subject.patient_id
    yield "Born", born.isoformat() if born else ""
    yield "Sex", subject.sex
    yield "Accession", str(header.AccessionNumber).strip()
    yield (
        "Study",
        SEPARATOR.join(
            filter(None, [studied.isoformat() if studied else "", str(header.get("StudyDescription") or "")])
        ),
    )
    slices, rows, columns = source.volume.grid.shape
    described = str(header.get("SeriesDescription") or "")
    yield "Analysed", f"{header.Modality} {described}, {slices} slices of {rows} × {columns}"


def _about_the_model(header: Dataset, source: EncodingInput) -> Iterator[tuple[str, str]]:
    spec, reference = source.spec, source.spec.reference
    moment = source.produced_at.astimezone(zone_of(header) or source.produced_at.tzinfo)
    yield "Model", f"{reference.model_id} {reference.version}"
    yield "Weights", reference.digest[:12]
    yield "Made by", spec.manufacturer
    yield "Analysed on", moment.strftime("%Y-%m-%d %H:%M %Z")
    yield "Intended use", spec.intended_use


def _structure(segment: Segment) -> StructureRow:
    label, volume_ml = segment.label, segment.volume.value
    usual = segment.volume.reference_range or label.usual_ml
    mark = ""
    if usual is not None:
        mark = "low" if volume_ml < usual[0] else "high" if volume_ml > usual[1] else ""
    return StructureRow(
        name=label.name,
        side=label.laterality.meaning if label.laterality else "",
        volume=rounded(volume_ml),
        usual=f"{usual[0]:g}-{usual[1]:g}" if usual else "",
        diameters=" × ".join(f"{diameter.value:.1f}" for diameter in segment.diameters),
        mark=mark,
        colour_rgb=label.colour_rgb,
    )


def _total(total: Measurement) -> StructureRow:
    usual = total.reference_range
    return StructureRow(total.label, "", rounded(total.value), f"{usual[0]:g}-{usual[1]:g}" if usual else "")


def _paragraphs(source: EncodingInput) -> Iterator[tuple[str, str]]:
    """Give the texts in the order of their weight; what is empty is left out."""
    result = source.result
    lines = [*finding_lines(result.findings)]
    answer = answer_line(result)
    if answer is not None:
        lines.insert(0, answer)
    texts = (
        ("Result", nothing_found(source.spec, result)),
        ("Findings", "; ".join(_listed([f"{line.name}: {line.value}" for line in lines]))),
        ("Looked for and not found", ", ".join(_listed(not_found(result)))),
        ("Warnings", "; ".join(source.volume.warnings)),
    )
    yield from ((heading, text) for heading, text in texts if text)


def _listed(items: Sequence[str]) -> Sequence[str]:
    """Give as many as there is room for, and say how many more there are."""
    return (
        items
        if len(items) <= _MOST_ITEMS
        else [*items[: _MOST_ITEMS - 1], f"and {len(items) - _MOST_ITEMS + 1} more"]
    )
