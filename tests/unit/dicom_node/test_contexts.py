"""What the receiver offers."""

from __future__ import annotations

from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    EnhancedMRImageStorage,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
    SegmentationStorage,
)
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from dicom_node.contexts import RECEIVED_TRANSFER_SYNTAXES, supported_contexts
from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES

CONTEXTS = {context.abstract_syntax: context for context in supported_contexts()}


def test_whole_studies_are_taken() -> None:
    """No object of a mixed study is refused: images, results and documents alike; and the two services beside."""
    wanted = {MRImageStorage, CTImageStorage, EnhancedMRImageStorage, SegmentationStorage, EncapsulatedPDFStorage}
    assert wanted | {Verification, StorageCommitmentPushModel} <= set(CONTEXTS)


def test_every_encoding_that_can_be_decoded_is_offered_deflated_last() -> None:
    """What is offered is what the node decodes; whoever can send something else than deflated data sets should."""
    assert set(RECEIVED_TRANSFER_SYNTAXES) == set(DECODABLE_TRANSFER_SYNTAXES)
    assert RECEIVED_TRANSFER_SYNTAXES[-1] == DeflatedExplicitVRLittleEndian
    assert {ImplicitVRLittleEndian, JPEG2000Lossless} <= set(CONTEXTS[MRImageStorage].transfer_syntax)
