"""OHIF shows each kind of our results: what is drawn is counted, and what is said is read in the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from inference.domain.artifact import Segmentation
from inference.domain.delivery import USUAL_KINDS, Order
from inference.domain.result import Place, Refusal
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.note import NoteSubject, refusal_note
from tests.support.findings import classified, detections, items, make_case, overlapping_lesions, place_in
from tests.support.ohif import Viewer
from tests.support.orthanc_server import OrthancServer
from tests.support.sources import HANGUL_NAME
from tests.support.synthetic_series import SeriesOptions, axial_grid
from tests.support.waiting import wait_until
from tests.viewers.studies import THALAMUS, Stored, analysed, head, multi_frame_head, put, store

pytestmark = pytest.mark.e2e

DRAWN: Final = 35_000
"""Coloured pixels of a brain in the viewport, at least; of 17 structures on one slice there are twice as many."""


BAND: Final = (122, 0, 0)
"""Colour of the band on the page that says what it is not for."""

CIELAB_STEP: Final = 3
"""How far a channel may be off after a colour went through CIELab and back."""

EDGE_PX: Final = 4
"""How far the edge of what is coloured may be off: the outline is drawn around it, and edges are smooth."""


def check_segments(viewer: Viewer, encoding: EncodingInput) -> None:
    """Every structure that was found is there under its name, in order, in its colour, and nothing else is."""
    shown = viewer.segments()
    assert list(shown) == [segment.label.name for segment in encoding.result.segments]
    for segment in encoding.result.segments:
        assert shown[segment.label.name] == pytest.approx(segment.label.colour_rgb, abs=CIELAB_STEP)


def level_of(name: str, stored: Stored) -> float:
    """Give where the middle of a structure is along the patient's third axis, mm."""
    (found,) = (one for one in stored.encoding.result.segments if one.label.name == name)
    return found.centroid_lps_mm[2]


def box_of(mask: NDArray[np.bool_], level: int, viewer: Viewer, stored: Stored) -> list[float]:
    """Give left, top, right and bottom of a mask, (rows, columns), where the viewer should draw it."""
    rows, columns = np.argwhere(mask).T
    corners = [(level, rows.min() - 0.5, columns.min() - 0.5), (level, rows.max() + 0.5, columns.max() + 0.5)]
    drawn = viewer.on_canvas(stored.encoding.volume.grid.to_lps(np.array(corners)))
    return [float(value) for value in drawn.ravel()]


def contours(stored: Stored) -> dict[str, NDArray[np.float64]]:
    """Give where the SR draws each finding, (n, 3) LPS mm, by its tracking UID."""
    (report,) = (one for one in stored.artifacts if one.kind == "SR")
    grid = stored.encoding.volume.grid
    index_of = {frame.sop_instance_uid: index for index, frame in enumerate(stored.encoding.volume.frames) if frame}
    drawn = {}
    for group in items(dcmread(BytesIO(report.content)), "Measurement Group"):
        for region in (item for item in group.ContentSequence if item.ValueType == "SCOORD"):
            (image,) = region.ContentSequence
            columns, rows = np.reshape(region.GraphicData, (-1, 2)).T - 0.5
            slices = np.full(len(rows), index_of[image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID])
            (tracking,) = items(group, "Tracking Unique Identifier")
            drawn[str(tracking.UID)] = grid.to_lps(np.stack([slices, rows, columns], axis=1))
    return drawn


def test_a_segmentation_lies_over_the_image(viewer: Viewer, brain: Stored, shoot: Callable[[str], None]) -> None:
    """Opened by its address: every structure with its name, and in colour."""
    viewer.open(brain.study_uid, brain.series_uid("SEG"))
    viewer.wait_for_overlay()
    check_segments(viewer, brain.encoding)
    viewer.open_panel("panelSegmentation")
    viewer.show_segment("Thalamus", level_of("Thalamus", brain))
    viewer.wait_for_pixels(coloured=DRAWN)
    shoot("ohif-seg")


def test_without_the_segmentation_nothing_is_coloured(viewer: Viewer, brain: Stored) -> None:
    """The count above counts the overlay and nothing else."""
    viewer.open(brain.study_uid, brain.source_series_uid)
    viewer.wait_for_image()
    viewer.show_slice(15)
    assert viewer.wait_for_pixels(grey=DRAWN).coloured == 0
    assert viewer.segments() == {}


def test_a_report_shows_its_volumes(viewer: Viewer, brain: Stored, shoot: Callable[[str], None]) -> None:
    """One outline for each structure, with our number."""
    viewer.open(brain.study_uid, brain.series_uid("SR"))
    viewer.wait_for_image()
    segments = brain.encoding.result.segments
    viewer.wait_for_measurements(len(segments))
    found = viewer.measurements()
    assert {uid: values["Volume"] for uid, values in found.items()} == {
        segment.volume.tracking_uid: f"{segment.volume.value:.2f} mL" for segment in segments
    }
    shown = [values for values in found.values() if f"Volume: {values['Volume']}" in viewer.text()]
    assert shown, "no outline on the slice that the report opens at"
    shoot("ohif-sr")


@pytest.fixture(scope="module")
def uneven(archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Store blocks on pixels that are not square, in slices of an odd number of pixels."""
    grid = axial_grid((6, 21, 17), (2.5, 1.5, 0.75))
    case = make_case(tmp_path_factory.mktemp("uneven"), SeriesOptions(8102, {"PatientID": "UNEVEN"}), grid)
    return store(archive, case.paths, case.encoding)


def test_frames_that_do_not_end_on_a_byte_are_drawn_right(viewer: Viewer, uneven: Stored) -> None:
    """What is coloured is one block of the size that it has, and no comb."""
    viewer.open(uneven.study_uid, uneven.series_uid("SEG"))
    viewer.wait_for_overlay()
    level = 4  # where a segmentation is opened: the first slice of it from above, which holds one block
    assert [value for value in (1, 2, 3) if uneven.encoding.result.plane(level, value).any()] == [3]
    viewer.wait_for_level(float(uneven.encoding.volume.grid.to_lps((level, 0, 0))[2]))
    seen = viewer.wait_for_pixels(coloured=1000)
    box = box_of(uneven.encoding.result.plane(level, 3), level, viewer, uneven)
    assert seen.box == pytest.approx(box, abs=EDGE_PX)
    left, top, right, bottom = seen.box
    assert seen.coloured == pytest.approx((right - left) * (bottom - top), rel=0.02)


def test_outlines_on_pixels_that_are_not_square_lie_where_they_should(viewer: Viewer, uneven: Stored) -> None:
    """Each point of each outline, in patient coordinates."""
    viewer.open(uneven.study_uid, uneven.series_uid("SR"))
    viewer.wait_for_image()
    wanted = contours(uneven)
    viewer.wait_for_measurements(len(wanted))
    drawn = viewer.outlines()
    assert drawn.keys() == wanted.keys()
    for uid, points in wanted.items():
        assert np.allclose(drawn[uid], points, atol=1e-3)


def test_a_multi_frame_series_is_shown_with_its_segmentation(
    viewer: Viewer, archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory, shoot: Callable[[str], None]
) -> None:
    """One enhanced instance whose frames are in no order."""
    source = multi_frame_head(tmp_path_factory.mktemp("multi-frame"), 8103)
    stored = store(archive, source.paths, analysed(source))
    viewer.open(stored.study_uid, stored.series_uid("SEG"))
    viewer.wait_for_overlay()
    check_segments(viewer, stored.encoding)
    viewer.open_panel("panelSegmentation")
    viewer.show_segment("Putamen", level_of("Putamen", stored))
    viewer.wait_for_pixels(coloured=DRAWN)
    shoot("ohif-multi-frame")


def test_a_label_map_has_the_right_colours_too(
    viewer: Viewer, archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """For destinations that take Label Map Segmentation; its background is not listed."""
    source = head(tmp_path_factory.mktemp("label-map"), 8107)
    order = Order(USUAL_KINDS, (Segmentation.LABELMAP,))
    stored = store(archive, source.paths, replace(analysed(source), order=order))
    viewer.open(stored.study_uid, stored.series_uid("SEG"))
    viewer.wait_for_overlay()
    check_segments(viewer, stored.encoding)
    viewer.wait_for_pixels(coloured=DRAWN)


def test_segments_that_overlap_are_both_shown(
    viewer: Viewer, archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A tumour within its edema; the report of both opens too."""
    case = make_case(tmp_path_factory.mktemp("overlapping"), SeriesOptions(8108, {"PatientID": "OVERLAPPING"}))
    stored = store(archive, case.paths, overlapping_lesions(case))
    viewer.open(stored.study_uid, stored.series_uid("SEG"))
    viewer.wait_for_overlay()
    check_segments(viewer, stored.encoding)
    viewer.open(stored.study_uid, stored.series_uid("SR"))
    viewer.wait_for_image()
    viewer.wait_for_measurements(2)


def test_detections_are_drawn_where_they_are(
    viewer: Viewer, archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory, shoot: Callable[[str], None]
) -> None:
    """A box and a point, each with its probability."""
    case = make_case(tmp_path_factory.mktemp("detected"), SeriesOptions(8109, {"PatientID": "DETECTED"}))
    box = place_in(case.encoding.volume.grid, (2, 4, 3), (2, 10, 8))
    stored = store(archive, case.paths, detections(case, [box, Place(box.centre_lps_mm)]))
    viewer.open(stored.study_uid, stored.series_uid("SR"))
    viewer.wait_for_image()
    viewer.wait_for_measurements(2)
    assert [values["Probability"] for values in viewer.measurements().values()] == ["90.00 %", "90.00 %"]
    shoot("ohif-detections")


def test_findings_without_a_place_are_read_as_text(
    viewer: Viewer, archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory, shoot: Callable[[str], None]
) -> None:
    """A classification: what is there, what is not, and how probable."""
    case = make_case(tmp_path_factory.mktemp("classified"), SeriesOptions(8104, {"PatientID": "CLASSIFIED"}))
    stored = store(archive, case.paths, classified(case))
    viewer.open(stored.study_uid, stored.series_uid("SR"))
    viewer.wait_for_text("Neoplasm: Present", "Edema: Absent", "Tumour: present, probability 93 %")
    shoot("ohif-classification")


def test_that_a_series_was_not_analysed_is_read_as_text(
    viewer: Viewer, archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory, shoot: Callable[[str], None]
) -> None:
    """The note stands beside the images, and says why."""
    case = make_case(tmp_path_factory.mktemp("refused"), SeriesOptions(8106, {"PatientID": "REFUSED"}))
    refusal = Refusal("geometry.gap", "3 slices are missing between slice 2 and slice 6.")
    encoding = case.encoding
    identities = [instance.identity for instance in case.series.instances]
    note = refusal_note(
        NoteSubject(encoding.data_sets[0], identities, encoding.spec, refusal, encoding.uids, encoding.produced_at)
    )
    put(archive, [*(path.read_bytes() for path in case.paths), note.content])
    viewer.open(note.identity.study_instance_uid, note.identity.series_instance_uid)
    viewer.wait_for_text("gives no result for this series: 3 slices are missing", "geometry: gap")
    shoot("ohif-not-analysed")


def test_secondary_captures_are_shown_in_colour(viewer: Viewer, brain: Stored, shoot: Callable[[str], None]) -> None:
    """Pictures for viewers that show nothing else."""
    viewer.open(brain.study_uid, brain.series_uid("SC"))
    viewer.wait_for_image()
    viewer.wait_for_pixels(coloured=DRAWN)
    shoot("ohif-secondary-capture")


def test_the_page_is_shown_as_pdf(viewer: Viewer, brain: Stored, shoot: Callable[[str], None]) -> None:
    """The browser's own PDF viewer opens it in the viewport, under the gateway's content security policy."""
    viewer.open(brain.study_uid, brain.series_uid("PDF"))
    viewer.wait_for("document.querySelector('object[type=\"application/pdf\"]')", "the page")
    wait_until(lambda: viewer.on_screen(BAND) > 5000, 60, "the band at the head of the page")
    shoot("ohif-pdf")


def test_a_parametric_map_lies_where_its_structure_is(
    viewer: Viewer, brain: Stored, shoot: Callable[[str], None]
) -> None:
    """Coloured is what is probable, on that slice and at that place."""
    viewer.open(brain.study_uid, brain.series_uid("PM"))
    seen = viewer.wait_for_pixels(coloured=1000, grey=DRAWN)
    level = round(float(brain.encoding.volume.grid.to_index((0.0, 0.0, viewer.level_mm()))[0]))
    box = box_of(brain.encoding.result.plane(level, THALAMUS), level, viewer, brain)
    assert seen.box == pytest.approx(box, abs=2 * EDGE_PX)
    shoot("ohif-parametric-map")


def test_key_images_are_listed_and_break_nothing(viewer: Viewer, brain: Stored) -> None:
    """OHIF has no view of a Key Object Selection: it marks the series, and shows the images."""
    viewer.open(brain.study_uid, brain.series_uid("KOS"))
    viewer.wait_for_image()
    viewer.wait_for_text("AI Brain structures (T1) key images (research only)")


def test_a_korean_name_is_read_in_hangul(viewer: Viewer, brain: Stored, shoot: Callable[[str], None]) -> None:
    """In the list of studies, and in the study."""
    viewer.open_list()
    viewer.wait_for_text("홍, 길동", "Simulated head")
    viewer.open(brain.study_uid)
    viewer.wait_for_image()
    viewer.show_patient()
    viewer.wait_for_text("홍, 길동")
    assert viewer.different_glyphs("홍길동") == 3, "no Korean font (scripts/install-test-servers.sh)"
    shoot("ohif-patient")


def test_of_a_name_in_three_forms_the_first_is_read(
    viewer: Viewer, archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """OHIF knows the alphabetic form only."""
    options = SeriesOptions(8105, {"PatientID": "NAMED", "PatientName": HANGUL_NAME})
    case = make_case(tmp_path_factory.mktemp("named"), options)
    stored = store(archive, case.paths, case.encoding)
    viewer.open(stored.study_uid)
    viewer.wait_for_image()
    viewer.show_patient()
    assert "길동" not in viewer.wait_for_text("Hong, Gildong")
