"""Measurement groups say how large a finding is and where, in the words of its label."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.codes import LONG_AXIS, MILLIMETRE, SHORT_AXIS
from inference.domain.result import AnalysisResult, Measurement, Segment
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.objects import encode
from tests.support.findings import Case, items, make_case
from tests.support.segmentations import with_places


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


def groups_of(source: EncodingInput) -> list[Dataset]:
    """Give the measurement groups of the SR: two for each structure, volume and contour."""
    (report,) = [artifact for artifact in encode(source) if artifact.kind == "SR"]
    return items(dcmread(BytesIO(report.content)), "Measurement Group")


def with_diameters(result: AnalysisResult) -> AnalysisResult:
    """Give the first structure its diameters."""

    def measured(segment: Segment) -> tuple[Measurement, ...]:
        long_axis = replace(segment.volume, quantity=LONG_AXIS, unit=MILLIMETRE, value=12.5)
        return (long_axis, replace(long_axis, quantity=SHORT_AXIS, value=4.25))

    first, *others = result.segments
    return replace(result, segments=(replace(first, diameters=measured(first)), *others))


def test_diameters_stand_beside_the_contour(case: Case) -> None:
    """Where they were measured; a structure without any has its area alone."""
    groups = groups_of(replace(case.encoding, result=with_diameters(case.encoding.result)))
    for meaning, value in (("Long Axis", 12.5), ("Short Axis", 4.25)):
        (item,) = items(groups[1], meaning)
        (measured,) = item.MeasuredValueSequence
        assert float(measured.NumericValue) == value
        assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
        assert [group for group in (groups[0], *groups[2:]) if items(group, meaning)] == []


def test_the_finding_site_has_its_side(case: Case) -> None:
    """And a lesion the place that its label names, or else the model's region."""
    sites = [items(group, "Finding Site")[0] for group in groups_of(with_places(case))]
    named = [site.ConceptCodeSequence[0].CodeMeaning for site in sites]
    assert named == ["Thalamus", "Thalamus", "Cerebrum", "Cerebrum", "Brain", "Brain"]
    sides = [[item.ConceptCodeSequence[0].CodeMeaning for item in items(site, "Laterality")] for site in sites]
    assert sides == [["Left"], ["Left"], ["Left"], ["Left"], [], []]


def test_numbers_have_no_digits_that_mean_nothing(case: Case) -> None:
    """Six decimals are enough for any length."""
    first, *others = with_diameters(case.encoding.result).segments
    inexact = replace(first, diameters=tuple(replace(d, value=0.1 + 0.2) for d in first.diameters))
    result = replace(case.encoding.result, segments=(inexact, *others))
    (item,) = items(groups_of(replace(case.encoding, result=result))[1], "Long Axis")
    assert str(item.MeasuredValueSequence[0].NumericValue) == "0.3"
