"""Which attributes an object must have: the tables of PS3.3 as highdicom ships them, and the conditions we can judge.

Of the modules that an IOD demands, attributes of type 1 must have a value and those of type 2 must be there (PS3.5
section 7.4). The tables do not say when attributes of type 1C are required, only that none of them may be empty; what
can be told from the object itself is said here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar

from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

T = TypeVar("T")

LOOKED_AT: Final = 40
"""Sequences of more items are looked at in samples: what makes them long is one form filled in many times."""

SAMPLES: Final = 8
"""How many items of such a sequence are looked at."""

_BY_VALUE_TYPE: Final = frozenset({"sr-document-content"})
"""Modules whose attributes depend on Value Type, so that the tables cannot say which are required."""

_PER_FRAME: Final = 0x52009230

_GROUPS: Final = frozenset({"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"})

_OF_FRAMES: Final[Mapping[str, str]] = {
    "FrameContentSequence": "DimensionIndexValues",
    "PixelMeasuresSequence": "PixelSpacing",
    "PlaneOrientationSequence": "ImageOrientationPatient",
    "PlanePositionSequence": "ImagePositionPatient",
}
"""Functional groups that a frame must have, of its own or shared, and what must be in them (PS3.3 section A.51.5)."""

_OF_VALUE_TYPES: Final[Mapping[str, str]] = {
    "CODE": "ConceptCodeSequence",
    "COMPOSITE": "ReferencedSOPSequence",
    "CONTAINER": "ContinuityOfContent",
    "DATE": "Date",
    "DATETIME": "DateTime",
    "IMAGE": "ReferencedSOPSequence",
    "NUM": "MeasuredValueSequence",
    "PNAME": "PersonName",
    "SCOORD": "GraphicData",
    "SCOORD3D": "GraphicData",
    "TEXT": "TextValue",
    "TIME": "Time",
    "UIDREF": "UID",
}
"""What a content item of each Value Type must have (PS3.3 section C.17.3.2)."""


@dataclass(frozen=True, eq=False)
class Node:
    """The attributes of one level.

    Parameters
    ----------
    types
        Type 1, 2, 1C, 2C or 3 of each attribute, the strictest of all modules.
    below
        The levels of its sequences.
    """

    types: dict[int, str] = field(default_factory=dict)
    below: dict[int, Node] = field(default_factory=dict)

    def add(self, keyword: str, kind: str) -> None:
        """Take an attribute in."""
        tag = int(Tag(keyword))
        self.types[tag] = min(kind, self.types.get(tag, kind), key=("1", "2", "1C", "2C", "3").index)


@cache
def demanded(sop_class_uid: str) -> Node | None:
    """Give the attributes of the modules that the IOD of a SOP class demands; None for a class without a table.

    Parameters
    ----------
    sop_class_uid
        SOP Class UID.
    """
    iod = get_sop_class_iod_map().get(sop_class_uid)
    modules: Sequence[Mapping[str, Any]] = get_iod_module_map().get(iod, ()) if iod else ()
    root = Node()
    for module in modules:
        if module["usage"] == "M" and module["key"] not in _BY_VALUE_TYPE:
            _take_in(root, get_module_attribute_map()[module["key"]])
    return root if modules else None


def _take_in(root: Node, attributes: Sequence[Mapping[str, Any]]) -> None:
    for attribute in attributes:
        node = root
        for keyword in attribute["path"]:
            node = node.below.setdefault(int(Tag(keyword)), Node())
        in_groups = len(attribute["path"]) == 1 and attribute["path"][0] in _GROUPS
        node.add(attribute["keyword"], "3" if in_groups else attribute["type"])


def missing(data_set: Dataset, node: Node) -> Iterator[str]:
    """Yield attribute and fault of everything that is not there, or empty, and must not be.

    Parameters
    ----------
    data_set
        An object, or an item of it.
    node
        What is demanded of it.
    """
    for tag, kind in node.types.items():
        present = tag in data_set
        if not present and kind in ("1", "2"):
            yield f"{keyword_for_tag(tag)}: is missing"
        if present and kind in ("1", "1C") and is_empty(data_set, tag):
            yield f"{keyword_for_tag(tag)}: has no value"
    for tag, below in node.below.items():
        if tag in data_set:
            for item in sampled(data_set[tag].value or ()):
                yield from missing(item, below)


def missing_by_condition(data_set: Dataset) -> Iterator[str]:
    """Yield attribute and fault of what this very object must have though the tables do not demand it.

    Parameters
    ----------
    data_set
        An object.
    """
    wanted: list[str] = []
    if data_set.get("VerificationFlag") == "VERIFIED":
        wanted.append("VerifyingObserverSequence")
    if data_set.get("SegmentationType") == "FRACTIONAL":
        wanted += ["MaximumFractionalValue", "SegmentationFractionalType"]
    if "PerFrameFunctionalGroupsSequence" in data_set:
        wanted += ["FrameOfReferenceUID", "ReferencedSeriesSequence", "DimensionIndexSequence"]
    if "Rows" in data_set and not any(f"{kind}PixelData" in data_set for kind in ("", "Float", "DoubleFloat")):
        yield "PixelData: is missing"
    if data_set.get("Modality") in ("SR", "KO"):
        wanted += ["ValueType", "ConceptNameCodeSequence", "ContinuityOfContent", "ContentSequence"]
    for keyword in wanted:
        if is_empty(data_set, keyword):
            yield f"{keyword}: is missing"
    yield from _missing_groups(data_set)
    yield from _missing_content(data_set.get("ContentSequence") or ())


def sampled(items: Sequence[T]) -> Sequence[T]:
    """Give all items of a sequence, or of a long one the first, the last and a few between them."""
    if len(items) <= LOOKED_AT:
        return items
    return [items[index * (len(items) - 1) // (SAMPLES - 1)] for index in range(SAMPLES)]


def thin_frames(data_set: Dataset) -> int | None:
    """Keep a few of the functional groups of frames before they are decoded, which takes longer than all checks.

    Parameters
    ----------
    data_set
        An object, as it was read; changed in place.

    Returns
    -------
    int or None
        How many there are; None for an object without.
    """
    if _PER_FRAME not in data_set:
        return None
    raw = data_set.get_item(_PER_FRAME)
    items = list(_encoded_items(raw.value)) if isinstance(raw, RawDataElement) and raw.value else []
    if not items:
        return len(data_set[_PER_FRAME].value)
    kept = b"".join(sampled(items))
    data_set[_PER_FRAME] = raw._replace(value=kept, length=len(kept))
    return len(items)


def _encoded_items(value: bytes) -> Iterator[bytes]:
    """Cut an encoded sequence into its items; of one whose items do not state their length, give none.

    Items have a tag and a length of four bytes each (PS3.5 section 7.5.1).
    """
    start, items = 0, []
    while start < len(value):
        tag, length = value[start : start + 4], int.from_bytes(value[start + 4 : start + 8], "little")
        if tag != b"\xfe\xff\x00\xe0" or length > len(value):
            return
        items.append(value[start : start + 8 + length])
        start += 8 + length
    yield from items


def is_empty(data_set: Dataset, key: str | int) -> bool:
    """Tell whether an attribute is absent or has no value."""
    if key not in data_set:
        return True
    value = data_set.get_item(key).value
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def _missing_groups(data_set: Dataset) -> Iterator[str]:
    shared = (data_set.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    wanted = dict(_OF_FRAMES)
    if data_set.get("SegmentationType") in ("BINARY", "FRACTIONAL"):
        wanted["SegmentIdentificationSequence"] = "ReferencedSegmentNumber"
    for group in sampled(data_set.get("PerFrameFunctionalGroupsSequence") or ()):
        for keyword, content in wanted.items():
            items = group.get(keyword) or shared.get(keyword)
            if not items:
                yield f"{keyword}: is missing in a frame"
            elif is_empty(items[0], content):
                yield f"{content}: is missing in a frame"


def _missing_content(items: Sequence[Dataset]) -> Iterator[str]:
    for item in sampled(items):
        value_type = item.get("ValueType", "")
        keyword = _OF_VALUE_TYPES.get(value_type)
        if keyword is None:
            yield "ValueType: is missing or unknown"
        elif is_empty(item, keyword):
            yield f"{keyword}: is missing in a content item of type {value_type}"
        if is_empty(item, "RelationshipType"):
            yield "RelationshipType: is missing in a content item"
        yield from _missing_content(item.get("ContentSequence") or ())
