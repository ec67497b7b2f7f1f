"""Only addresses that DICOMweb names are read, and what was read is written the same again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.dicomweb.resources import LONGEST_PATH, Resource, Service, parse

STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"
BELOW = f"studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}"


@pytest.mark.parametrize(
    ("path", "service", "depth"),
    [
        ("studies", Service.STUDIES, 0),
        ("series", Service.SERIES, 0),
        ("instances", Service.INSTANCES, 0),
        (f"studies/{STUDY}", Service.OBJECTS, 1),
        (f"studies/{STUDY}/metadata", Service.METADATA, 1),
        (f"studies/{STUDY}/series", Service.SERIES, 1),
        (f"studies/{STUDY}/instances", Service.INSTANCES, 1),
        (f"studies/{STUDY}/thumbnail", Service.THUMBNAIL, 1),
        (f"studies/{STUDY}/series/{SERIES}", Service.OBJECTS, 2),
        (f"studies/{STUDY}/series/{SERIES}/instances", Service.INSTANCES, 2),
        (f"studies/{STUDY}/series/{SERIES}/rendered", Service.RENDERED, 2),
        (BELOW, Service.OBJECTS, 3),
        (f"{BELOW}/metadata", Service.METADATA, 3),
        (f"{BELOW}/frames/1", Service.FRAMES, 3),
        (f"{BELOW}/frames/1,20,3", Service.FRAMES, 3),
        (f"{BELOW}/bulk/7FE00010", Service.BULK, 3),
        (f"{BELOW}/bulk/00081140/1/00420011", Service.BULK, 3),
    ],
)
def test_what_the_standard_names_is_read(path: str, service: Service, depth: int) -> None:
    """With what is asked, and of what."""
    read = parse(path)
    assert read is not None
    assert read.service is service
    assert [uid is not None for uid in (read.study_uid, read.series_uid, read.instance_uid)] == [
        level < depth for level in range(3)
    ]
    assert read.path == f"/{path}"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "/",
            "studies/",
            "/studies",
            "servers",
            "metadata",
            "rendered",
            "frames/1",
            "studies/x",
            "series/1.2.3",
        ),
        *(f"studies/{STUDY}/", f"studies/{STUDY}/studies", f"studies/{STUDY}/series/", f"studies/{STUDY}/frames/1"),
        *(f"studies/{STUDY}/series/{SERIES}/series", f"{BELOW}/instances", f"{BELOW}/frames", f"{BELOW}/frames/"),
        *(f"{BELOW}/frames/0", f"{BELOW}/frames/1,", f"{BELOW}/frames/-1", f"{BELOW}/frames/1/rendered"),
        *(f"{BELOW}/bulk", f"{BELOW}/bulk/7FE0001", f"{BELOW}/bulk/7FE00010/", f"{BELOW}/bulk/7FE00010/1"),
        *(f"{BELOW}/bulk/../7FE00010", "studies/..", "studies/1.2.3/../1.2.4", "studies/1.2.3\n", "studies/１.2.3"),
        "studies/" + "1." * 40 + "1",
        f"{BELOW}/frames/" + ",".join(["1"] * LONGEST_PATH),
    ],
)
def test_nothing_else_is_read(path: str) -> None:
    """Neither what is nearly right, nor what leads elsewhere."""
    assert parse(path) is None


@given(st.text(alphabet="studiesrncmfabk/.,0123456789\\%\n é", max_size=200))
def test_whatever_is_read_is_written_the_same_again(path: str) -> None:
    """So that what was checked is what is passed on."""
    read = parse(path)
    assert read is None or read.path == f"/{path}"


def test_a_resource_that_is_made_is_written() -> None:
    """As our own searches are."""
    assert Resource(Service.STUDIES).path == "/studies"
