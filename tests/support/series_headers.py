"""What the series of a brain study say about themselves."""

from __future__ import annotations

from dataclasses import replace

from inference.domain.identifiers import UID
from inference.domain.series_header import Acquisition, SeriesHeader

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
    slice_count=176,
    slice_spacing_mm=1.0,
    has_matrix=True,
    samples_per_pixel=1,
    multi_frame=False,
)
"""An ordinary 3-D T1."""

T1_GD_HEADER = replace(T1_HEADER, acquisition=replace(MPRAGE, contrast_agent=True))
T2_HEADER = replace(T1_HEADER, series_description="t2_tse", acquisition=TURBO_SPIN_ECHO_T2)
FLAIR_HEADER = replace(T1_HEADER, series_description="t2_tirm_dark-fluid", acquisition=FLAIR)
