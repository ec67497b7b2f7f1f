"""What the series of a brain study say about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from inference.domain.identifiers import UID
from inference.domain.series_header import Acquisition, SeriesHeader, StackHeader
from inference.domain.study import InstanceIdentity, StoredInstance
from inference.headers import InstanceHeader


def as_headers(data_sets: Sequence[Dataset]) -> tuple[InstanceHeader, ...]:
    """Give data sets as headers of instances that were never written."""
    identity = InstanceIdentity(UID("1.2"), UID("1.2.3"), UID("1.2.3.4"), UID("1.2.840.10008.5.1.4.1.1.4"))
    stored = StoredInstance(identity, UID("1.2.840.10008.1.2.1"), Path("nowhere"), "", 0)
    return tuple(InstanceHeader(stored, data_set, 0) for data_set in data_sets)


def make_stack(slice_count: int = 176, slice_spacing_mm: float | None = 1.0, **changes: Any) -> StackHeader:
    """Make an even stack of slices."""
    gaps = () if slice_spacing_mm is None else (slice_spacing_mm,) * (slice_count - 1)
    return replace(StackHeader("", slice_count, slice_count, gaps), **changes)


def with_stack(header: SeriesHeader, **changes: Any) -> SeriesHeader:
    """Give a header with another only stack; ``changes`` as for ``make_stack``."""
    return replace(header, stacks=(make_stack(**changes),))


MPRAGE = Acquisition(frozenset({"GR", "IR"}), frozenset({"SP", "MP"}), 2300.0, 2.98, 900.0)
SPIN_ECHO_T1 = Acquisition(frozenset({"SE"}), frozenset({"SK"}), 550.0, 12.0)
TURBO_SPIN_ECHO_T2 = Acquisition(frozenset({"SE"}), frozenset({"SK", "SP", "OSP"}), 5000.0, 93.0)
FLAIR = Acquisition(frozenset({"SE", "IR"}), frozenset({"SK", "SP", "MP"}), 9000.0, 120.0, 2500.0)

T1_HEADER = SeriesHeader(
    sop_class_uids=frozenset({UID("1.2.840.10008.5.1.4.1.1.4")}),
    modality="MR",
    body_part="HEAD",
    series_description="t1_mprage",
    protocol_name="t1_mprage",
    image_type=frozenset({"ORIGINAL", "PRIMARY", "M"}),
    acquisition=MPRAGE,
    instance_count=176,
    stacks=(make_stack(),),
    has_matrix=True,
    samples_per_pixel=1,
)
"""An ordinary 3-D T1."""

T1_GD_HEADER = replace(T1_HEADER, acquisition=replace(MPRAGE, contrast_agent=True))
T2_HEADER = replace(T1_HEADER, series_description="t2_tse", acquisition=TURBO_SPIN_ECHO_T2)
FLAIR_HEADER = replace(T1_HEADER, series_description="t2_tirm_dark-fluid", acquisition=FLAIR)
