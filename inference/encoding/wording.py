"""What a result says, in the words and numbers of pictures and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from inference.domain.codes import ANATOMICAL_STRUCTURE
from inference.domain.model_spec import LabelSpec, ModelSpec, Task
from inference.domain.phrases import rounded
from inference.domain.result import AnalysisResult, Finding, Segment
from inference.encoding.sr_groups import percentage

Rgb = tuple[int, int, int]

_TUMOUR: Final = "Tumour"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a legend.

    Parameters
    ----------
    name
        What it is about.
    value
        A number with its unit, or a word; empty for none.
    colour_rgb
        As it is drawn in the picture; None for what is not drawn.
    """

    name: str
    value: str = ""
    colour_rgb: Rgb | None = None


def structure_line(segment: Segment) -> Line:
    """Say the volume of a structure."""
    return Line(segment.label.sided_name, f"{rounded(segment.volume.value)} mL", segment.label.colour_rgb)


def finding_lines(findings: Iterable[Finding]) -> Iterator[Line]:
    """Say what is present, each with its probability where there is one; several of a kind are counted."""
    counts: dict[int, int] = {}
    for finding in findings:
        if not finding.present:
            continue
        number = counts[finding.label.value] = counts.get(finding.label.value, 0) + 1
        drawn = finding.place is not None
        name = f"{finding.label.sided_name} {number}" if drawn else finding.label.sided_name
        said = "present" if finding.probability is None else percent_text(finding.probability)
        yield Line(name, said, finding.label.colour_rgb if drawn else None)


def answer_line(result: AnalysisResult) -> Line | None:
    """Say that a tumour job found one; None where it did not, and for any other job."""
    if result.task is None or not result.task.tumor_detected:
        return None
    return Line(_TUMOUR, f"present, {percent_text(result.task.confidence)}")


def not_found(result: AnalysisResult) -> list[str]:
    """Name what was looked for and not found, with the probability where there is one."""
    absent: dict[str, float | None] = {label.sided_name: None for label in result.absent}
    absent |= {finding.label.sided_name: finding.probability for finding in result.findings if not finding.present}
    if result.task is not None and not result.task.tumor_detected:
        absent[_TUMOUR] = result.task.confidence
    return [name if known is None else f"{name} ({percent_text(known)})" for name, known in absent.items()]


def nothing_found(spec: ModelSpec, result: AnalysisResult) -> str:
    """Say that there is nothing, in the words that fit what the model looks for; empty where there is something.

    Parameters
    ----------
    spec, result
        The model and what it says.
    """
    if result.segments or any(finding.present for finding in result.findings):
        return ""
    looks_for_structures = spec.task is Task.SEGMENTATION and all(map(_is_structure, spec.labels))
    return "No structure found" if looks_for_structures else "No finding"


def percent_text(probability: float) -> str:
    """Write a probability of 0..1 in percent."""
    return f"{percentage(probability):g} %"


def _is_structure(label: LabelSpec) -> bool:
    return label.category == ANATOMICAL_STRUCTURE
