"""Which MR contrast a series has: a pure decision on its header.

Timing decides where it is there, for descriptions are free text; where it is not, the contrast that an enhanced image
states or the description must say so.
Whether contrast medium was given is in no timing: that is an attribute of its own, or again a word.

The limits leave room around the protocols in use, such as the consensus protocol for brain tumours (Ellingson et al.,
Neuro-Oncology 2015, 17:1188), and keep apart what such a study holds. They are no definition of a contrast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from inference.domain.model_spec import Weighting
from inference.domain.series_header import Acquisition, SeriesHeader

_PHASE_TYPES: Final = frozenset({"P", "PHASE", "P_FFE", "P_SE", "P_IR", "I", "IMAGINARY", "R", "REAL"})

_NO_WEIGHTING: Final = frozenset({"DIFFUSION", "FLOW_ENCODED", "PERFUSION", "TAGGING", "TOF"})
"""Acquisition Contrast of what is no plain image (PS3.3 section C.8.13.3.1.2)."""

_T1_WORDS: Final = re.compile(
    r"(?<![a-z0-9])t1(?![0-9])|mp-?rage|(?<![a-z])(bravo|tfl|f?spgr|vibe)(?![a-z])", re.IGNORECASE
)
_T2_WORDS: Final = re.compile(r"(?<![a-z0-9])t2(?![0-9])", re.IGNORECASE)
_NOT_T2_WORDS: Final = re.compile(
    r"t2 ?\*|t2[ _-]?star|(?<![a-z])(stir|map|gre|ffe|fl[23]d|swi|medic|dwi|dti|epi|perf)(?![a-z])", re.IGNORECASE
)
"""T2* and what is computed or weighted otherwise although it is called T2."""
_FLAIR_WORDS: Final = re.compile(r"flair|(?<![a-z])tirm(?![a-z])|dark[ _-]?fl|da-?fl", re.IGNORECASE)
_ENHANCED_WORDS: Final = re.compile(
    r"(?<![a-z])(post(?![ _-]?op)|gd|gad|km|ce|c ?\+|contrast|enhanced)(?![a-z])"
    r"|(?<![a-z])(post[ _-]?(contrast|inj|gd|gad|km)|gado)|\+ ?(c|gd|gad|km)(?![a-z])|t1w?c(?![a-z0-9])",
    re.IGNORECASE,
)
_PLAIN_WORDS: Final = re.compile(
    r"(?<![a-z])((pre|non|without|w/?o|ohne|sans|nativ[a-z]*|natif)(?![a-z])|no[ _-]?(contrast|gd|gad|km))",
    re.IGNORECASE,
)

FLAIR_INVERSION_MS: Final = (1500.0, 3000.0)
"""A signal is nulled at TI = T1 · (ln 2 - ln(1 + exp(-TR/T1))) (Hajnal et al., J Comput Assist Tomogr 1992, 16:841);
for cerebrospinal fluid, T1 about 4 s, at 1.5 s where TR is 4 s, 1.8 s at 5 s, 2.5 s at 10 s, never above 2.8 s."""


def has_weighting(header: SeriesHeader, wanted: Weighting) -> bool:
    """Tell whether an MR series has a contrast.

    Parameters
    ----------
    header
        The facts of the series.
    wanted
        The contrast. Each series has at most one of T1 before and T1 after contrast medium, T2 and FLAIR.
    """
    return _RECOGNISED_BY[wanted](header)


def is_t1_weighted(header: SeriesHeader) -> bool:
    """Tell whether an MR series is T1-weighted magnitude imaging, with or without contrast medium."""
    if not _is_magnitude(header):
        return False
    timing = _t1_by_timing(header.acquisition)
    if timing is None:
        return _is_stated(header, "T1", bool(_T1_WORDS.search(header.description)))
    return timing


def is_t2_weighted(header: SeriesHeader) -> bool:
    """Tell whether an MR series is T2-weighted spin echo that does not suppress fluid."""
    description = header.description
    if not _is_magnitude(header) or _FLAIR_WORDS.search(description):
        return False
    timing = _t2_by_timing(header.acquisition)
    if timing is None:
        named = bool(_T2_WORDS.search(description)) and not (
            _NOT_T2_WORDS.search(description) or _T1_WORDS.search(description)
        )
        return _is_stated(header, "T2", named)
    return timing


def is_flair(header: SeriesHeader) -> bool:
    """Tell whether an MR series is T2-weighted with fluid suppressed."""
    if not _is_magnitude(header):
        return False
    timing = _flair_by_timing(header.acquisition)
    if timing is None:
        description = header.description
        named = bool(_FLAIR_WORDS.search(description)) and not _T1_WORDS.search(description)
        return _is_stated(header, "FLUID_ATTENUATED", named)
    return timing


def is_enhanced(header: SeriesHeader) -> bool:
    """Tell whether a series was taken after contrast medium.

    ContrastBolusAgent says so (PS3.3 section C.7.6.4); where it is absent, words such as "post", "Gd" or "+C" do,
    unless the description says "pre" or "without".
    """
    if header.acquisition.contrast_agent:
        return True
    description = header.description
    return bool(_ENHANCED_WORDS.search(description)) and not _PLAIN_WORDS.search(description)


_RECOGNISED_BY: Final[Mapping[Weighting, Callable[[SeriesHeader], bool]]] = MappingProxyType(
    {
        Weighting.T1: lambda header: is_t1_weighted(header) and not is_enhanced(header),
        Weighting.T1_CONTRAST: lambda header: is_t1_weighted(header) and is_enhanced(header),
        Weighting.T2: is_t2_weighted,
        Weighting.FLAIR: is_flair,
    }
)


def _is_magnitude(header: SeriesHeader) -> bool:
    """Leave out phase images, angiography and echo planar imaging, which share timing and name with others."""
    acquisition = header.acquisition
    return not (
        header.image_type & _PHASE_TYPES
        or acquisition.angiography
        or "EP" in acquisition.scanning_sequence
        or acquisition.stated_contrast in _NO_WEIGHTING
    )


def _is_stated(header: SeriesHeader, contrast: str, named: bool) -> bool:
    """Take the contrast that an enhanced image states; what its description names, where it states none."""
    stated = header.acquisition.stated_contrast
    return stated == contrast if stated else named


def _t1_by_timing(acquisition: Acquisition) -> bool | None:
    """Judge repetition, echo and inversion time; None where they do not suffice.

    The limits leave room around usual protocols at 1.5 T and 3 T: inversion-prepared gradient echo (MPRAGE, BRAVO)
    and T1 FLAIR, spin echo, spoiled gradient echo. STIR inverts shorter, T2 FLAIR longer, MP2RAGE repeats slower.
    """
    repetition_ms, echo_ms = acquisition.repetition_time_ms, acquisition.echo_time_ms
    if not acquisition.scanning_sequence or repetition_ms is None or echo_ms is None:
        return None
    inversion_ms = acquisition.inversion_time_ms
    if inversion_ms is not None or "IR" in acquisition.scanning_sequence or "MP" in acquisition.sequence_variant:
        in_range = inversion_ms is None or 250 <= inversion_ms <= 1500
        return in_range and repetition_ms <= 3500 and echo_ms <= 35
    if "SE" in acquisition.scanning_sequence:
        return repetition_ms <= 1200 and echo_ms <= 35
    return repetition_ms <= 800 and echo_ms <= 15


def _t2_by_timing(acquisition: Acquisition) -> bool | None:
    """Judge repetition, echo and inversion time; None where they do not suffice.

    Spin echo only, for a gradient echo of such a length is T2*-weighted. Proton density echoes sooner, and inversion
    makes it STIR or FLAIR.
    """
    repetition_ms, echo_ms = acquisition.repetition_time_ms, acquisition.echo_time_ms
    if not acquisition.scanning_sequence or repetition_ms is None or echo_ms is None:
        return None
    if (
        acquisition.scanning_sequence & {"GR", "IR"}
        or (acquisition.inversion_time_ms or 0.0) >= FLAIR_INVERSION_MS[0]
    ):
        return False
    return repetition_ms >= 2000 and echo_ms >= 70


def _flair_by_timing(acquisition: Acquisition) -> bool | None:
    """Judge echo and inversion time; None where they do not suffice.

    Its long echo tells it from MP2RAGE, whose second image inverts as long, and its long inversion from STIR.
    """
    inversion_ms, echo_ms = acquisition.inversion_time_ms, acquisition.echo_time_ms
    if "GR" in acquisition.scanning_sequence or (echo_ms is not None and echo_ms < 70):
        return False
    if not acquisition.scanning_sequence or echo_ms is None or inversion_ms is None:
        return None
    return FLAIR_INVERSION_MS[0] <= inversion_ms <= FLAIR_INVERSION_MS[1]
