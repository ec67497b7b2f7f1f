"""A small Storage SCU: what a modality does when it sends a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.presentation import build_context

from inference.errors import PeerRefused, PeerUnavailable

MOST_CONTEXTS: Final = 128
"""Presentation contexts of one association (PS3.8 section 9.3.2.2: odd numbers up to 255)."""


def send_files(paths: Sequence[Path], port: int, called_ae: str, on_sent: Callable[[], None]) -> None:
    """Send Part 10 files over one association.

    Parameters
    ----------
    paths
        The files, each a composite instance.
    port
        DICOM port on this machine.
    called_ae
        AE title of the receiver.
    on_sent
        Told of every instance that was answered with success.

    Raises
    ------
    PeerUnavailable
        If no association can be made, or it breaks.
    PeerRefused
        If an instance, or its class or encoding, is not taken.
    """
    wanted = sorted({_context_key(_read(path, header_only=True)) for path in paths})
    ae = AE("DEMO")
    ae.requested_contexts = [build_context(sop_class, syntax) for sop_class, syntax in wanted[:MOST_CONTEXTS]]
    association = ae.associate("127.0.0.1", port, ae_title=called_ae)
    if not association.is_established:
        raise PeerUnavailable("the receiver does not take an association")
    try:
        for path in paths:
            _check(_send(association, _read(path)))
            on_sent()
    finally:
        association.release()


def _read(path: Path, header_only: bool = False) -> Dataset:
    """Read a file; one without File Meta holds implicit little endian (PS3.10 section 7.5 allows no other guess)."""
    data_set = dcmread(path, stop_before_pixels=header_only, force=True)
    if "TransferSyntaxUID" not in data_set.file_meta:
        data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return data_set


def _context_key(data_set: Dataset) -> tuple[str, str]:
    return str(data_set.SOPClassUID), str(data_set.file_meta.TransferSyntaxUID)


def _send(association: Any, data_set: Dataset) -> Dataset:
    try:
        return association.send_c_store(data_set)
    except ValueError as error:
        raise PeerRefused("the receiver does not take this class of objects in this encoding") from error
    except RuntimeError as error:
        raise PeerUnavailable("the association broke while sending") from error


def _check(status: Dataset) -> None:
    if "Status" not in status:
        raise PeerUnavailable("the association broke while sending")
    if status.Status != 0x0000:
        raise PeerRefused(f"the receiver answered 0x{status.Status:04X}")
