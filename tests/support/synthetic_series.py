"""DICOM series made to order: any array on any lattice, with the oddities a test asks for.

``write_series`` writes one Part 10 file per slice, ``revision_of`` gives a folder as the node would hold it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.study import CompletionEvidence, InstanceIdentity, SeriesRevision, StoredInstance
from tests.support.codestreams import compress

T1_HEADER: Mapping[str, Any] = {
    "Modality": "MR",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM"],
    "SeriesDescription": "t1_mprage_sag",
    "ProtocolName": "t1_mprage_sag",
    "BodyPartExamined": "HEAD",
    "ScanningSequence": ["GR", "IR"],
    "SequenceVariant": ["SP", "MP"],
    "ScanOptions": "IR",
    "MRAcquisitionType": "3D",
    "RepetitionTime": "2300",
    "EchoTime": "2.98",
    "InversionTime": "900",
    "FlipAngle": "9",
    "EchoTrainLength": "1",
    "PatientPosition": "HFS",
    "Manufacturer": "Synthetic",
    "PatientName": "Phantom^Test",
    "PatientID": "TEST-1",
    "PatientBirthDate": "19700101",
    "PatientSex": "O",
    "StudyDate": "20260102",
    "StudyTime": "120000",
    "StudyID": "1",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "",
    "StudyDescription": "Brain",
    "SeriesNumber": "3",
}
"""The header of an ordinary T1-weighted MPRAGE."""


@dataclass(frozen=True)
class SeriesOptions:
    """What is special about a series.

    Parameters
    ----------
    seed
        Names the study, series and instances: the same seed gives the same UIDs.
    header
        Attributes on top of ``T1_HEADER``; None as the value leaves the attribute out.
    sop_class_uid
        The class of the instances.
    stored_type
        ``uint16``, ``int16`` or ``uint8`` for the stored values.
    bits_stored
        Bits that count; all of the type where it is None.
    order
        Slice indices in order of file name and Instance Number; None for the order of the array.
    omit
        Slice indices that are not written.
    edit
        Called with each data set and its slice index before it is written.
    transfer_syntax_uid
        Encoding: any that this node decodes; only unsigned pixels can be compressed otherwise than by RLE.
    """

    seed: int = 0
    header: Mapping[str, Any] = field(default_factory=dict)
    sop_class_uid: str = MRImageStorage
    stored_type: str = "uint16"
    bits_stored: int | None = None
    order: Sequence[int] | None = None
    omit: frozenset[int] = frozenset()
    edit: Callable[[Dataset, int], None] | None = None
    transfer_syntax_uid: str = ExplicitVRLittleEndian


def write_series(
    folder: Path, array: NDArray[Any], grid: Grid, options: SeriesOptions = SeriesOptions()
) -> list[Path]:
    """Write a series of single-frame instances.

    Parameters
    ----------
    folder
        Is made where it does not exist; files are ``0001.dcm`` and so on in the order asked for.
    array : (slices, rows, columns) ndarray
        Stored values; they must fit ``options.stored_type``.
    grid
        Where the slices lie; row and column steps must be at right angles, the slice step may be sheared.
    options
        What is special.

    Returns
    -------
    list of Path
        The files, in order of name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    order = options.order if options.order is not None else range(grid.shape[0])
    for number, index in enumerate((i for i in order if i not in options.omit), start=1):
        data_set = make_instance(array[index], grid, index, options)
        data_set.InstanceNumber = number
        if options.edit is not None:
            options.edit(data_set, index)
        path = folder / f"{number:04d}.dcm"
        encode(data_set, options.transfer_syntax_uid)
        data_set.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def make_instance(pixels: NDArray[Any], grid: Grid, index: int, options: SeriesOptions) -> Dataset:
    """Make one slice of a series as a data set with File Meta, not yet compressed."""
    data_set = Dataset()
    data_set.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in {**T1_HEADER, **options.header}.items():
        if value is not None:
            setattr(data_set, keyword, value)
    data_set.SOPClassUID = options.sop_class_uid
    data_set.SOPInstanceUID = unique_uid(options.seed, "instance", index)
    data_set.StudyInstanceUID = unique_uid(options.seed, "study")
    data_set.SeriesInstanceUID = unique_uid(options.seed, "series")
    data_set.FrameOfReferenceUID = unique_uid(options.seed, "frame of reference")
    data_set.PositionReferenceIndicator = ""
    _place(data_set, grid, index)
    stored = np.ascontiguousarray(pixels.astype(options.stored_type))
    data_set.Rows, data_set.Columns = stored.shape
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = options.header.get("PhotometricInterpretation", "MONOCHROME2")
    data_set.BitsAllocated = 8 * stored.itemsize
    data_set.BitsStored = options.bits_stored or data_set.BitsAllocated
    data_set.HighBit = data_set.BitsStored - 1
    data_set.PixelRepresentation = int(np.issubdtype(stored.dtype, np.signedinteger))
    data_set.PixelData = stored.tobytes()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    return data_set


def revision_of(paths: Sequence[Path]) -> SeriesRevision:
    """Give files of one series as the node would hold them, in order of SOP Instance UID.

    The digest is of the whole file, which serves a test as well as that of the data set.
    """
    instances = sorted((_stored(path) for path in paths), key=lambda instance: instance.identity.sop_instance_uid)
    identity = instances[0].identity
    return SeriesRevision(
        identity.study_instance_uid,
        identity.series_instance_uid,
        revision=1,
        instances=tuple(instances),
        evidence=CompletionEvidence.OFFLINE,
    )


def axial_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Grid:
    """Give an axial lattice around the patient origin: slices go up, rows to the back, columns to the left.

    Parameters
    ----------
    shape, spacing_mm
        Along (slice, row index, column index).
    """
    slice_mm, row_mm, column_mm = spacing_mm
    steps = np.array([[0, 0, column_mm], [0, row_mm, 0], [slice_mm, 0, 0]])
    centre = (np.array(shape) - 1) / 2
    return Grid(shape, -steps @ centre, steps)


def _stored(path: Path) -> StoredInstance:
    header = dcmread(path, stop_before_pixels=True)
    identity = InstanceIdentity(
        UID(header.StudyInstanceUID),
        UID(header.SeriesInstanceUID),
        UID(header.SOPInstanceUID),
        UID(header.SOPClassUID),
    )
    content = path.read_bytes()
    return StoredInstance(
        identity, UID(header.file_meta.TransferSyntaxUID), path, hashlib.sha256(content).hexdigest(), len(content)
    )


def _place(data_set: Dataset, grid: Grid, index: int) -> None:
    _, row_mm, column_mm = grid.spacing_mm
    along_row, along_column = grid.steps_mm[:, 2] / column_mm, grid.steps_mm[:, 1] / row_mm
    data_set.ImageOrientationPatient = [_ds(v) for v in (*along_row, *along_column)]
    data_set.ImagePositionPatient = [_ds(v) for v in grid.to_lps((index, 0, 0))]
    data_set.PixelSpacing = [_ds(row_mm), _ds(column_mm)]
    data_set.SliceThickness = _ds(grid.spacing_mm[0])


def _ds(value: float) -> str:
    """Write a number as DS: at most 16 characters (PS3.5 section 6.2)."""
    return f"{value:.8f}"[:16]


def unique_uid(seed: int, *name: object) -> str:
    """Give a UID for a name; the same seed and name give the same."""
    return str(generate_uid(prefix="2.25.", entropy_srcs=["synthetic", str(seed), *map(str, name)]))


def encode(data_set: Dataset, transfer_syntax_uid: str) -> None:
    """Bring an uncompressed little endian data set to another encoding."""
    if uid.UID(transfer_syntax_uid).is_encapsulated:
        compress(data_set, transfer_syntax_uid)
        return
    data_set.file_meta.TransferSyntaxUID = transfer_syntax_uid
    if transfer_syntax_uid == uid.ExplicitVRBigEndian and data_set.BitsAllocated > 8:  # pydicom leaves pixels as is
        words = np.frombuffer(data_set.PixelData, dtype=f"<u{data_set.BitsAllocated // 8}")
        data_set.PixelData = words.byteswap().tobytes()
