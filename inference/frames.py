"""The frames of a series: one for each single-frame instance, each frame of a multi-frame one.

An enhanced or legacy converted image describes its frames in functional groups, which are shared by all or there for
each (PS3.3 section C.7.6.16.1.1); either may hold any of them. A classic image has the same attributes at the top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from inference.attributes import encoded, integer, number, numbers, text, texts, values
from inference.headers import InstanceHeader
from inference.slices import SlicePlane, plane_from

MAX_FRAMES: Final = 2**16
"""Most frames of an instance: more than any scanner stores in one, few enough to be described."""

_DIRECTION_TAGS: Final = (Tag("ImageOrientationPatient"), Tag("PixelSpacing"))

_UNASSIGNED: Final = ("UnassignedPerFrameConvertedAttributesSequence", "UnassignedSharedConvertedAttributesSequence")
"""Where a legacy converted image keeps attributes of the classic ones that no macro has (PS3.3 C.7.6.16.2.25)."""

_FRAME_TYPES: Final = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence")


@dataclass(frozen=True, eq=False, slots=True)
class FrameAttributes:
    """Where the attributes of a frame are looked up.

    Parameters
    ----------
    own, shared
        The item of the per-frame and of the shared functional groups; None where there is none.
    top
        The header of the instance.
    """

    own: Dataset | None
    shared: Dataset | None
    top: Dataset

    def holder(self, macro: str, keyword: str) -> Dataset:
        """Give the data set that holds an attribute: a functional group macro of the frame, else the header.

        Parameters
        ----------
        macro
            Keyword of the macro's sequence, e.g. ``PlanePositionSequence``.
        keyword
            Keyword of the attribute in it.
        """
        for groups in (self.own, self.shared):
            for item in () if groups is None else values(groups, macro)[:1]:
                if keyword in item:
                    return item
        return self.top

    def classic(self, keyword: str) -> Dataset:
        """Give the data set that holds an attribute which classic images have: the header, if nothing else."""
        if keyword not in self.top:
            for groups, sequence in zip((self.own, self.shared), _UNASSIGNED, strict=True):
                for item in () if groups is None else values(groups, sequence)[:1]:
                    if keyword in item:
                        return item
        return self.top

    def number(self, macro: str, keyword: str, classic: str = "") -> float | None:
        """Give an attribute as a finite number, else what stands for it in classic images, else None."""
        value = number(self.holder(macro, keyword), keyword)
        return number(self.classic(classic), classic) if value is None and classic else value

    def numbers(self, macro: str, keyword: str, count: int) -> tuple[float, ...] | None:
        """Give exactly ``count`` finite numbers, or None."""
        return numbers(self.holder(macro, keyword), keyword, count)

    def text(self, macro: str, keyword: str) -> str:
        """Give an attribute as text; empty where it is absent."""
        return text(self.holder(macro, keyword), keyword)

    def texts(self, macro: str, keyword: str) -> tuple[str, ...]:
        """Give the values of a code string in upper case."""
        return texts(self.holder(macro, keyword), keyword)


def attributes_of(header: Dataset, frame_number: int | None) -> FrameAttributes:
    """Give where the attributes of one frame are looked up.

    Parameters
    ----------
    header
        Of its instance.
    frame_number
        From 1; None for a single-frame image.
    """
    if frame_number is None:
        return FrameAttributes(None, None, header)
    own = header.PerFrameFunctionalGroupsSequence[frame_number - 1]
    return FrameAttributes(own, _shared_groups(header), header)


def _shared_groups(header: Dataset) -> Dataset | None:
    return next(iter(values(header, "SharedFunctionalGroupsSequence")), None)


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One plane of pixels.

    Parameters
    ----------
    instance
        Index of its instance among the headers.
    number
        1-based number in a multi-frame instance; None for a single-frame one.
    plane
        Where it lies in the patient; None where that is absent or makes no sense.
    attributes
        What is said of it.
    """

    instance: int
    number: int | None
    plane: SlicePlane | None
    attributes: FrameAttributes

    @property
    def stack(self) -> str:
        """Stack ID, empty where there is none."""
        return self.attributes.text("FrameContentSequence", "StackID") if self.number is not None else ""

    @property
    def echo_time_ms(self) -> float | None:
        """Echo time in milliseconds."""
        return self.attributes.number("MREchoSequence", "EffectiveEchoTime", classic="EchoTime")

    @property
    def diffusion(self) -> tuple[float, ...] | None:
        """Diffusion b-value in s/mm², then the gradient's direction where one is given."""
        b_value = self.attributes.number("MRDiffusionSequence", "DiffusionBValue")
        if b_value is None:
            return None
        holder = self.attributes.holder("MRDiffusionSequence", "DiffusionGradientDirectionSequence")
        for item in values(holder, "DiffusionGradientDirectionSequence")[:1]:
            return (b_value, *(numbers(item, "DiffusionGradientOrientation", 3) or ()))
        return (b_value, *(numbers(self.attributes.top, "DiffusionGradientOrientation", 3) or ()))

    @property
    def moment(self) -> tuple[float, str, float, float]:
        """When it was taken, to be compared with the others at its position: what is said first counts most.

        Temporal position, date and time of acquisition, delay after the trigger, acquisition number.
        """
        find = self.attributes
        position = find.number("FrameContentSequence", "TemporalPositionIndex", classic="TemporalPositionIdentifier")
        acquired = find.text("FrameContentSequence", "FrameAcquisitionDateTime") or _acquired_at(find)
        delay = find.number("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", classic="TriggerTime")
        return position or 0.0, acquired, delay or 0.0, number(find.top, "AcquisitionNumber") or 0.0

    @property
    def order(self) -> tuple[int, int]:
        """Instance and frame number: how they were stored."""
        return integer(self.attributes.top, "InstanceNumber") or 0, self.number or 0


def _acquired_at(find: FrameAttributes) -> str:
    whole, day, time = (
        text(find.classic(keyword), keyword)
        for keyword in ("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime")
    )
    return whole or day + time


def is_multi_frame(header: Dataset) -> bool:
    """Tell whether an instance describes its frames in functional groups, or says that it has several."""
    return "PerFrameFunctionalGroupsSequence" in header or (integer(header, "NumberOfFrames") or 1) > 1


def frames_of(headers: Sequence[InstanceHeader]) -> tuple[Frame, ...]:
    """List the frames of a series, in the order in which they are stored.

    A multi-frame instance whose functional groups are not as many as its frames counts as one frame without a place.

    Parameters
    ----------
    headers
        Headers of its instances.
    """
    known: dict[object, SlicePlane | None] = {}
    return tuple(frame for index, header in enumerate(headers) for frame in _frames(index, header.data_set, known))


def _frames(index: int, header: Dataset, known: dict[object, SlicePlane | None]) -> Iterator[Frame]:
    if not is_multi_frame(header):
        yield Frame(index, None, _classic_plane(header, known), attributes_of(header, None))
        return
    groups, shared = values(header, "PerFrameFunctionalGroupsSequence"), _shared_groups(header)
    if len(groups) != (integer(header, "NumberOfFrames") or 1) or len(groups) > MAX_FRAMES:
        yield Frame(index, 1, None, FrameAttributes(None, shared, header))
        return
    for number_, own in enumerate(groups, start=1):
        attributes = FrameAttributes(own, shared, header)
        yield Frame(index, number_, _plane(attributes), attributes)


def _classic_plane(header: Dataset, known: dict[object, SlicePlane | None]) -> SlicePlane | None:
    """Read where an image lies; of images that say the same of direction and spacing, the position alone."""
    said = encoded(header, _DIRECTION_TAGS)
    if said not in known:
        orientation, spacing = numbers(header, "ImageOrientationPatient", 6), numbers(header, "PixelSpacing", 2)
        known[said] = plane_from((0.0, 0.0, 0.0), orientation, spacing)
    position = numbers(header, "ImagePositionPatient", 3)
    like = known[said]
    return None if like is None or position is None else replace(like, position_mm=np.array(position))


def _plane(find: FrameAttributes) -> SlicePlane | None:
    return plane_from(
        find.numbers("PlanePositionSequence", "ImagePositionPatient", 3),
        find.numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        find.numbers("PixelMeasuresSequence", "PixelSpacing", 2),
    )


def frame_types(frame: Frame) -> frozenset[str]:
    """Give the values of ImageType and Frame Type, and what part of the complex signal a frame shows.

    Parameters
    ----------
    frame
        Any frame.
    """
    find = frame.attributes
    if frame.number is None:
        return frozenset(texts(find.top, "ImageType"))
    found = {value for macro in _FRAME_TYPES for value in find.texts(macro, "FrameType")}
    component = find.text("MRImageFrameTypeSequence", "ComplexImageComponent").upper()
    return frozenset(found | {component} if component else found) | frozenset(texts(find.top, "ImageType"))
