"""Coded concepts (PS3.3 section 8) and the ones the node itself uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: the triplet of PS3.3 section 8.

    Parameters
    ----------
    value
        Code Value, e.g. ``42695009``.
    scheme
        Coding Scheme Designator: ``SCT``, ``DCM``, ``LN``, ``UCUM``, ``UMLS`` or ``99NEURONOVA``.
    meaning
        Code Meaning, at most 64 characters.
    """

    value: str
    scheme: str
    meaning: str

    def __post_init__(self) -> None:
        if not self.value or not self.scheme or not self.meaning:
            raise ValueError("a code needs value, scheme and meaning")
        if len(self.meaning) > 64:
            raise ValueError(f"code meaning over 64 characters: {self.value}")


FHIR_SYSTEMS: Final[dict[str, str]] = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
    "UMLS": "http://terminology.hl7.org/CodeSystem/umls",
    "99NEURONOVA": "urn:neuronova:code",
}
"""FHIR ``system`` of each coding scheme (FHIR R4, section Terminology Systems)."""

VOLUME: Final = Code("118565006", "SCT", "Volume")
"""CID 7472 Volume Measurement."""
AREA: Final = Code("42798000", "SCT", "Area")
LONG_AXIS: Final = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS: Final = Code("103340004", "SCT", "Short Axis")
"""CID 7470 Linear Measurements."""
MILLILITRE: Final = Code("mL", "UCUM", "mL")
MILLIMETRE: Final = Code("mm", "UCUM", "mm")
SQUARE_MILLIMETRE: Final = Code("mm2", "UCUM", "mm2")
PERCENT: Final = Code("%", "UCUM", "%")
PROBABILITY: Final = Code("122157", "DCM", "Probability")
NEOPLASM: Final = Code("108369006", "SCT", "Neoplasm")
"""CID 7151 Segmentation Property Type."""
FINDING: Final = Code("121071", "DCM", "Finding")
LATERALITY: Final = Code("272741003", "SCT", "Laterality")
FINDING_SITE: Final = Code("363698007", "SCT", "Finding Site")
PRESENCE: Final = Code("121052", "DCM", "Presence of property")
PRESENT: Final = Code("52101004", "SCT", "Present")
"""CID 240 Present-Absent."""
ABSENT: Final = Code("272519000", "SCT", "Absent")
"""CID 240 Present-Absent."""
REJECTED_FOR_QUALITY: Final = Code("113001", "DCM", "Rejected for Quality Reasons")
"""CID 7010 Key Object Selection Document Title."""
OF_INTEREST: Final = Code("113000", "DCM", "Of Interest")
"""CID 7010 Key Object Selection Document Title."""
COMMENT: Final = Code("121106", "DCM", "Comment")
QUALITATIVE_EVALUATIONS: Final = Code("C0034375", "UMLS", "Qualitative Evaluations")
"""TID 1500 Measurement Report: the container of what is said in words and has no place."""
LEFT: Final = Code("7771000", "SCT", "Left")
"""CID 244 Laterality."""
RIGHT: Final = Code("24028007", "SCT", "Right")
"""CID 244 Laterality."""
RIGHT_AND_LEFT: Final = Code("51440002", "SCT", "Right and left")
"""CID 244 Laterality."""
ANATOMICAL_STRUCTURE: Final = Code("91723000", "SCT", "Anatomical Structure")
"""CID 7150 Segmentation Property Category."""
BRAIN: Final = Code("12738006", "SCT", "Brain")
IMAGING_MEASUREMENT_REPORT: Final = Code("126000", "DCM", "Imaging Measurement Report")
"""CID 7021 Measurement Report Document Title; OHIF draws no other title."""
FINDINGS_REPORT: Final = Code("findings-report", "99NEURONOVA", "Imaging Findings Report")
"""Title of a report that draws nothing: no code of CID 7021, which may be extended, says that."""
ARTIFICIAL_INTELLIGENCE: Final = Code("123110", "DCM", "Artificial Intelligence")
"""CID 7162 Surface Processing Algorithm Family, used for Algorithm Family."""
CONCLUSION: Final = Code("121077", "DCM", "Conclusion")
"""CID 7002 Diagnostic Imaging Report Element."""
SUMMARY_OF_ANALYSES: Final = Code("111065", "DCM", "Summary of Analyses")
NOT_ATTEMPTED: Final = Code("111225", "DCM", "Not Attempted")
"""CID 6042 Status of Results."""
ANALYSIS_FAILED: Final = Code("111224", "DCM", "Failed")
"""CID 6042 Status of Results."""
NOT_ANALYSED: Final = Code("not-analysed", "99NEURONOVA", "Series Not Analysed")
"""Title of the note that a model wanted a series and did not analyse it; CID 7021 has none."""
REASON_NOT_ANALYSED: Final = Code("reason", "99NEURONOVA", "Reason Not Analysed")
