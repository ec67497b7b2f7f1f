"""Damage at random: whatever bytes of a good file are changed, it ends in a volume or in a named reason.

``make nightly`` tries ten times as many cases. Pixels are native here: what decoders do to damaged ones is seen in
``test_corpora.py``, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicom_node.folder_scan import scan
from dicom_node.headers import read_arrival
from inference.domain.identifiers import UID
from inference.errors import InstanceUnreadable, NodeError
from inference.exclusions import excluded
from inference.file_format import open_file
from inference.headers import read_headers
from inference.reading import describe
from inference.volume_builder import build_volume
from tests.support.enhanced_series import EnhancedOptions, frames_on, write_enhanced
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series

GRID: Final = axial_grid((4, 6, 5), (2.0, 1.0, 1.0))
ARRAY: Final = np.arange(120).reshape(GRID.shape)

Edit = tuple[float, bytes]

EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=6)), max_size=4)
"""Where in the file, as a part of its length, and what is written there."""
CUTS = st.none() | st.floats(0, 1, exclude_max=True)
"""Where the file ends early."""

SYNTAXES: Final = (ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def damaged(content: bytes, edits: Sequence[Edit], cut: float | None) -> bytes:
    """Change bytes of a file, and cut it."""
    changed = bytearray(content)
    for place, written in edits:
        at = int(place * len(changed))
        changed[at : at + len(written)] = written
    return bytes(changed if cut is None else changed[: int(cut * len(changed))])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Give good series, the first file of which is to be damaged."""
    root = tmp_path_factory.mktemp("good")
    made = {
        syntax: write_series(root / syntax, ARRAY, GRID, SeriesOptions(transfer_syntax_uid=syntax))
        for syntax in map(str, SYNTAXES)
    }
    made["enhanced"] = write_enhanced(root / "enhanced", frames_on(ARRAY, GRID))
    made["per frame"] = write_enhanced(root / "per frame", frames_on(ARRAY, GRID), EnhancedOptions(per_frame=True))
    return made


KINDS = st.sampled_from([*map(str, SYNTAXES), "enhanced", "per frame"])


@settings(max_examples=4 * settings().max_examples)
@pytest.mark.filterwarnings("ignore::UserWarning")
@given(kind=KINDS, edits=EDITS, cut=CUTS)
def test_a_damaged_file_is_a_volume_or_a_reason(
    files: dict[str, list[Path]],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    edits: list[Edit],
    cut: float | None,
) -> None:
    """Among good files of its series, alone, or in a series of its own."""
    folder = tmp_path_factory.mktemp("damaged")
    first, *others = files[kind]
    (folder / first.name).write_bytes(damaged(first.read_bytes(), edits, cut))
    for other in others:
        (folder / other.name).write_bytes(other.read_bytes())
    for series in scan(folder).series:
        try:
            headers = read_headers(series.instances)
            excluded(describe(headers))
            volume = build_volume(headers)
        except NodeError:
            continue
        assert np.isfinite(volume.array).all()
        assert np.isfinite(volume.grid.steps_mm).all()


@settings(max_examples=4 * settings().max_examples)
@pytest.mark.filterwarnings("ignore::UserWarning")
@given(kind=KINDS, edits=EDITS, cut=CUTS)
def test_a_damaged_data_set_is_taken_in_or_refused(
    files: dict[str, list[Path]], kind: str, edits: list[Edit], cut: float | None
) -> None:
    """The ingest ends in identifiers that obey the grammar, or in the one error that the sender is told."""
    content = files[kind][0].read_bytes()
    with files[kind][0].open("rb") as file:
        opened = open_file(file)
    data_set = damaged(content[opened.begins_at :], edits, cut)
    try:
        identity, _ = read_arrival(data_set, UID(opened.transfer_syntax_uid))
    except InstanceUnreadable:
        return
    assert all(UID(str(uid)) == uid for uid in (identity.study_instance_uid, identity.sop_instance_uid))
