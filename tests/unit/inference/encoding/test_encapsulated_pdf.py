"""The one-page report says what the result says, stays one page, and is wrapped as DICOM."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from inference.domain.artifact import ArtifactKind
from inference.domain.codes import LEFT, MILLIMETRE
from inference.encoding.encapsulated_pdf import page_of
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.page_content import PageContent, content_of
from inference.encoding.part10 import to_artifact
from tests.support.findings import (
    Case,
    classified,
    detections,
    make_case,
    make_spec,
    no_lesions,
    overlapping_lesions,
    place_in,
)
from tests.support.pictures import document, prepared, with_values
from tests.support.sources import VARIANTS
from tests.support.synthetic_series import SeriesOptions, axial_grid
from tests.unit.inference.encoding.test_source_images import enhanced


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def report(case: Case) -> Dataset:
    """Give the object, read back."""
    built = document(with_values(case.encoding))
    return dcmread(BytesIO(to_artifact(ArtifactKind.PDF, built).content))


def page(encoding: EncodingInput) -> bytes:
    """Give the PDF."""
    images, source, _ = prepared(with_values(encoding))
    return page_of(images, source)


def content(encoding: EncodingInput) -> PageContent:
    """Give what is said on it."""
    images, source, _ = prepared(encoding)
    return content_of(images.header, source)


def pages_of(pdf: bytes) -> int:
    """Count the pages."""
    return len(re.findall(rb"/Type /Page\b", pdf))


def test_the_object_says_what_it_is(case: Case, report: Dataset) -> None:
    """A document with the patient on it."""
    uids = case.encoding.uids
    assert report.SOPClassUID == EncapsulatedPDFStorage
    assert (report.SOPInstanceUID, report.SeriesInstanceUID) == (uids.instance("PDF"), uids.series("PDF"))
    assert (report.SeriesNumber, report.Modality, report.ConversionType) == (9004, "DOC", "WSD")
    assert report.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert report.BurnedInAnnotation == "YES"
    assert report.DocumentTitle == "AI result: Brain structures, research use only"
    assert report.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert report.SeriesDescription == "AI Brain structures report (research only)"


def test_the_document_is_the_page(case: Case, report: Dataset) -> None:
    """Byte for byte; its length is said, for the value is padded to an even one (PS3.3 section C.24.2)."""
    held = report.EncapsulatedDocument
    assert len(held) % 2 == 0
    assert held[: report.EncapsulatedDocumentLength] == page(case.encoding)


def test_every_source_instance_is_named(case: Case, report: Dataset, tmp_path: Path) -> None:
    """A multi-frame one once."""
    named = [item.ReferencedSOPInstanceUID for item in report.SourceInstanceSequence]
    assert sorted(named) == sorted(header.SOPInstanceUID for header in case.encoding.data_sets)
    multi_frame = enhanced(tmp_path)
    (source,) = document(with_values(multi_frame)).SourceInstanceSequence
    assert source.ReferencedSOPInstanceUID == multi_frame.data_sets[0].SOPInstanceUID


def test_a_report_without_measurements_is_titled_so(case: Case) -> None:
    """As the SR is."""
    assert document(with_values(classified(case))).ConceptNameCodeSequence[0].CodeValue == "findings-report"


def test_the_same_input_gives_the_same_bytes(case: Case, tmp_path: Path) -> None:
    """Also with typefaces of several scripts, and when another page was made in between."""
    korean = with_values(make_case(tmp_path, VARIANTS["korean"]).encoding)
    first = to_artifact(ArtifactKind.PDF, document(korean)).sha256
    page(case.encoding)
    assert to_artifact(ArtifactKind.PDF, document(korean)).sha256 == first


def test_the_page_says_whom_it_is_about(case: Case, tmp_path: Path) -> None:
    """Every form of the name, and what tells two patients of one name apart."""
    said = dict(content(make_case(tmp_path, VARIANTS["korean"]).encoding).subject)
    assert said["Patient"] == "Hong Gildong / 洪 吉洞 / 홍 길동"
    assert said["Study"] == "2026-01-02 / 뇌 검사"
    said = dict(content(case.encoding).subject)
    assert (said["Patient ID"], said["Born"], said["Sex"], said["Accession"]) == ("TEST-1", "1970-01-01", "O", "A1")
    assert said["Analysed"] == "MR t1_mprage_sag, 6 slices of 20 × 16"


def test_what_the_source_does_not_say_is_left_open(tmp_path: Path) -> None:
    """Nothing is made up, and the page is there."""
    encoding = make_case(tmp_path, VARIANTS["missing type 2"]).encoding
    said = dict(content(encoding).subject)
    assert (said["Patient"], said["Patient ID"], said["Born"]) == ("", "", "")
    assert pages_of(page(encoding)) == 1


def test_the_page_says_which_model_it_was(case: Case, tmp_path: Path) -> None:
    """With the first digits of its weights, what it is for, and when, in the source's zone."""
    said = dict(content(case.encoding).model)
    assert (said["Model"], said["Weights"]) == ("brain-structures 1.2.0", "abababababab")
    assert said["Intended use"] == "Research on brain volumes."
    assert said["Analysed on"] == "2026-01-02 12:30 UTC"
    there = dict(content(make_case(tmp_path, VARIANTS["time zone"]).encoding).model)
    assert there["Analysed on"] == "2026-01-02 21:30 UTC+09:00"


def test_many_findings_are_counted_and_the_page_is_one(case: Case) -> None:
    """The surest are named; how many more there are is said."""
    grid = case.encoding.volume.grid
    encoding = detections(case, [place_in(grid, (1, 4, 3), (2, 10, 8))] * 300)
    said = dict(content(encoding).paragraphs)["Findings"].split("; ")
    assert (len(said), said[0], said[-1]) == (12, "Tumour 1: 90 %", "and 289 more")
    assert pages_of(page(encoding)) == 1


def test_structures_stand_in_the_table_with_all_that_is_known(case: Case) -> None:
    """Side, usual range with a mark where the volume is outside, diameters; then the total."""
    first, second, third = case.encoding.result.segments
    long_axis = replace(first.volume, value=12.34, unit=MILLIMETRE)
    segments = (
        replace(
            first,
            label=replace(first.label, laterality=LEFT, usual_ml=(0.1, 0.3)),
            diameters=(long_axis, replace(long_axis, value=5.0)),
        ),
        replace(second, volume=replace(second.volume, reference_range=(0.01, 0.1))),
        replace(third, label=replace(third.label, usual_ml=(0.1, 0.3))),
    )
    encoding = replace(case.encoding, result=replace(case.encoding.result, segments=segments))
    thalamus, hippocampus, stem, total = content(encoding).rows
    assert (thalamus.side, thalamus.volume, thalamus.usual, thalamus.mark) == ("Left", "0.0594", "0.1-0.3", "low")
    assert thalamus.diameters == "12.3 × 5.0"
    assert (hippocampus.usual, hippocampus.mark) == ("0.01-0.1", "high")
    assert (stem.usual, stem.mark) == ("0.1-0.3", "")
    assert (total.name, total.volume, total.colour_rgb) == ("All structures", "0.376", None)
    assert page(encoding) != page(case.encoding)


def test_what_has_no_place_stands_in_words(case: Case) -> None:
    """Found, not found, and what a reader should know."""
    encoding = classified(case)
    warned = replace(encoding, volume=replace(encoding.volume, warnings=("one slice is missing",)))
    assert content(warned).paragraphs == (
        ("Findings", "Tumour: 93 %"),
        ("Looked for and not found", "Edema (3.1 %)"),
        ("Warnings", "one slice is missing"),
    )
    assert content(no_lesions(case)).paragraphs[0] == ("Result", "No finding")
    assert content(overlapping_lesions(case)).paragraphs == (("Findings", "Tumour: present, 87.5 %"),)


def test_a_result_of_nothing_is_a_page(case: Case) -> None:
    """Without a table."""
    assert content(no_lesions(case)).rows == ()
    assert pages_of(page(no_lesions(case))) == 1


def test_a_hundred_structures_are_one_page(tmp_path: Path) -> None:
    """With texts that are far too long."""
    grid = axial_grid((4, 64, 64))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for value in range(1, 101):
        row, column = divmod(value - 1, 10)
        labels[value % 4, row * 6 : row * 6 + 5, column * 6 : column * 6 + 5] = value
    options = SeriesOptions(header={"StudyDescription": "word " * 12, "PatientName": "x" * 60 + "^" + "y" * 3})
    encoding = make_case(tmp_path, options, grid, labels, make_spec(100)).encoding
    volume = replace(encoding.volume, warnings=("a warning that is not short",) * 40)
    pdf = page(replace(encoding, volume=volume, spec=replace(encoding.spec, intended_use="use " * 200)))
    assert pages_of(pdf) == 1
    assert pdf.count(b"/Subtype /Image") == 4


def test_a_page_has_the_pictures_of_its_result(case: Case) -> None:
    """One of a single slice, two of a tumour whose edema is larger elsewhere."""
    assert page(case.encoding).count(b"/Subtype /Image") == 1
    assert page(overlapping_lesions(case)).count(b"/Subtype /Image") == 2
