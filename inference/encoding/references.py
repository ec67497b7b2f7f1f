"""References from a new object to the source images that it was made of (PS3.3 sections 10.3, 10.8)."""

from __future__ import annotations

from collections.abc import Iterable

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from inference.domain.volume import SourceFrame


def instance_reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Give the reference to an instance as a whole (PS3.3 table 10-11)."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class_uid
    reference.ReferencedSOPInstanceUID = sop_instance_uid
    return reference


def instance_references(instances: Iterable[Dataset]) -> list[Dataset]:
    """Give the references to several instances, in their order."""
    return [instance_reference(instance.SOPClassUID, instance.SOPInstanceUID) for instance in instances]


def source_image(frame: SourceFrame) -> Dataset:
    """Give the item of a Source Image Sequence: the image, its frame where it has several, and why it is named."""
    reference = instance_reference(frame.sop_class_uid, frame.sop_instance_uid)
    if frame.frame_number is not None:
        reference.ReferencedFrameNumber = frame.frame_number
    purpose = CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
    reference.PurposeOfReferenceCodeSequence = [purpose]
    return reference
