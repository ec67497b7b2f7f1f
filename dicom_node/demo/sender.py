"""A small Storage SCU: what a modality does when it sends a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.presentation import build_context

from inference.errors import PeerRefused, PeerUnavailable


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
        If an instance is not taken.
    """
    wanted = sorted({_context_key(path) for path in paths})
    ae = AE("DEMO")
    ae.requested_contexts = [build_context(sop_class, syntax) for sop_class, syntax in wanted[:128]]
    association = ae.associate("127.0.0.1", port, ae_title=called_ae)
    if not association.is_established:
        raise PeerUnavailable("the receiver does not take an association")
    try:
        for path in paths:
            status = association.send_c_store(dcmread(path))
            _check(status)
            on_sent()
    finally:
        association.release()


def _context_key(path: Path) -> tuple[str, str]:
    header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
    return str(header.SOPClassUID), str(header.file_meta.TransferSyntaxUID)


def _check(status: Dataset) -> None:
    if "Status" not in status:
        raise PeerUnavailable("the association broke while sending")
    if status.Status != 0x0000:
        raise PeerRefused(f"the receiver answered 0x{status.Status:04X}")
