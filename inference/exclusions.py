"""Reasons for which no model runs on a series, whatever it wants: it is no acquired image of a patient."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from inference.domain.series_header import SeriesHeader
from inference.errors import IncompleteSeries, NoMatchingModel, ReasonCode, StudyError

Check: TypeAlias = Callable[[SeriesHeader], StudyError | None]

_STORAGE_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
_SECONDARY_CAPTURE: Final = re.compile(re.escape(_STORAGE_ROOT) + r"7(\..*)?")
_ANALYSIS_RESULT: Final = re.compile(re.escape(_STORAGE_ROOT) + r"(66(\..*)?|30|481\.2)")
"""Segmentations, parametric maps and dose grids have a matrix but are no acquired images."""
_DOSE_REPORT: Final = re.compile(re.escape(_STORAGE_ROOT) + r"88\.(67|68|73|74|75|76)")
"""Radiation dose structured reports of X-ray, radiopharmaceutical, planned, performed and patient kind."""

_DOSE_WORDS: Final = re.compile(r"\bdose[ _-]?(report|info|summary|record|page)|patient protocol\b", re.IGNORECASE)
_PHANTOM_WORDS: Final = re.compile(r"(?<![a-z])phantom(?![a-z])", re.IGNORECASE)
_QUALITY_WORDS: Final = re.compile(
    r"(?<![a-z])(q[ac]|quality[ _-](assurance|control)|daily[ _-]check)(?![a-z])", re.IGNORECASE
)

_LOCALIZERS: Final = {"LOCALIZER", "SCOUT"}
_SCREENSHOTS: Final = {"SCREEN SAVE", "SCREENSAVE", "SCREENSHOT", "SNAPSHOT"}
_MAPS: Final = {"ADC", "EADC", "EXP", "FA", "COLFA", "TRACE", "TRACEW", "FIELDMAP"}
_PERFUSION: Final = {"PERFUSION", "RCBF", "RCBV", "CBF", "CBV", "MTT", "TTP", "TMAX"}
_RELAXATION: Final = {"T1 MAP", "T2 MAP", "T2STAR MAP", "PHASE MAP"}
_PROJECTIONS: Final = {"MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "VOLUME RENDERED"}
_REFORMATS: Final = {"MPR", "CSA MPR", "MPR COLLECTION", "CPR", "CURVED", "REFORMATTED"}
_DERIVED_TYPES: Final = frozenset(_MAPS | _PERFUSION | _RELAXATION | _PROJECTIONS | _REFORMATS | {"SUBTRACTION"})
"""ImageType values of maps, projections and reformats (PS3.3 sections C.8.13.3.1, C.8.16.1, and vendors' own)."""


def _dose_report(header: SeriesHeader) -> StudyError | None:
    if not (_of_class(header, _DOSE_REPORT) or _DOSE_WORDS.search(header.series_description)):
        return None
    return NoMatchingModel(ReasonCode.DOSE_REPORT, "a dose report is not analysed")


def _not_an_image(header: SeriesHeader) -> StudyError | None:
    if header.has_matrix:
        return None
    return NoMatchingModel(ReasonCode.NOT_AN_IMAGE, "the series holds objects without an image matrix")


def _secondary_capture(header: SeriesHeader) -> StudyError | None:
    if _of_class(header, _SECONDARY_CAPTURE):
        return NoMatchingModel(ReasonCode.SECONDARY_CAPTURE, "secondary capture images are not analysed")
    if header.image_type & _SCREENSHOTS:
        return NoMatchingModel(ReasonCode.SECONDARY_CAPTURE, "screenshots are not analysed")
    if header.burned_in:
        return NoMatchingModel(ReasonCode.SECONDARY_CAPTURE, "images with text burned into them are not analysed")
    return None


def _localizer(header: SeriesHeader) -> StudyError | None:
    if not header.image_type & _LOCALIZERS:
        return None
    return NoMatchingModel(ReasonCode.LOCALIZER, "a localizer is not analysed")


def _mosaic(header: SeriesHeader) -> StudyError | None:
    if "MOSAIC" not in header.image_type:
        return None
    return NoMatchingModel(ReasonCode.MOSAIC, "mosaic images (a volume tiled into one image) are not analysed")


def _derived(header: SeriesHeader) -> StudyError | None:
    if _of_class(header, _ANALYSIS_RESULT):
        return NoMatchingModel(ReasonCode.DERIVED, "the series is itself the result of an analysis")
    kinds = sorted(header.image_type & _DERIVED_TYPES)
    if not kinds:
        return None
    return NoMatchingModel(ReasonCode.DERIVED, f"the series is a derived image ({', '.join(kinds)})")


def _test_object(header: SeriesHeader) -> StudyError | None:
    """Look at what the header says of the object and the protocol; never at a name or number of the patient."""
    own = f"{header.series_description} {header.protocol_name}"
    named = _QUALITY_WORDS.search(own) or _PHANTOM_WORDS.search(f"{own} {header.study_description}")
    if not (header.test_object or named):
        return None
    return NoMatchingModel(ReasonCode.PHANTOM, "a phantom or an image for quality assurance is not analysed")


def _mixed(header: SeriesHeader) -> StudyError | None:
    if len(header.sop_class_uids) <= 1:
        return None
    return IncompleteSeries(ReasonCode.MIXED, "the series mixes objects of several kinds")


def _identifier(header: SeriesHeader) -> StudyError | None:
    flaw = header.identifier_flaw
    return None if flaw is None else IncompleteSeries(flaw.reason, flaw.message)


def _of_class(header: SeriesHeader, pattern: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(uid) for uid in header.sop_class_uids)


EXCLUSIONS: Final[tuple[Check, ...]] = (
    _dose_report,
    _not_an_image,
    _secondary_capture,
    _localizer,
    _mosaic,
    _derived,
    _test_object,
    _mixed,
    _identifier,
)
"""In this order: the first that speaks names the reason."""


def excluded(header: SeriesHeader) -> StudyError | None:
    """Give the reason for which no model at all runs on a series; None if there is none.

    Parameters
    ----------
    header
        The facts of the series.
    """
    return next((error for error in (check(header) for check in EXCLUSIONS) if error is not None), None)
