"""The small Storage SCU, against our own receiver over the wire."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.demo.sender import send_files
from dicom_node.receiver import ReceiverOptions
from inference.domain.identifiers import AETitle
from inference.errors import PeerRefused, PeerUnavailable, SpoolFull
from tests.support.arrivals import data_set_bytes, small_series
from tests.support.free_port import free_port
from tests.support.receiving import OUR_TITLE, receiving


def test_every_file_is_sent_and_told(tmp_path: Path) -> None:
    """The receiver has the data sets byte for byte; the caller hears of each."""
    paths = small_series(tmp_path / "in", slices=4)
    told: list[int] = []
    with receiving(tmp_path / "spool") as running:
        send_files(paths, running.port, OUR_TITLE, lambda: told.append(1))
        kept = {data_set_bytes(path.read_bytes()) for path in running.files()}
    assert len(told) == 4
    assert kept == {data_set_bytes(path.read_bytes()) for path in paths}


def test_files_without_meta_are_sent(tmp_path: Path) -> None:
    """As ``scan`` takes them: implicit little endian."""
    (path,) = small_series(tmp_path / "in", slices=1)
    data_set = dcmread(path)
    del data_set.file_meta
    data_set.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    with receiving(tmp_path / "spool") as running:
        send_files([path], running.port, OUR_TITLE, lambda: None)
        assert len(running.files()) == 1


def test_nobody_listens(tmp_path: Path) -> None:
    """An error of ours, before anything is told."""
    told: list[int] = []
    with pytest.raises(PeerUnavailable):
        send_files(small_series(tmp_path, slices=1), free_port(), OUR_TITLE, lambda: told.append(1))
    assert told == []


def test_a_receiver_that_knows_us_not(tmp_path: Path) -> None:
    """Titles are checked by the receiver; the sender learns that no association was made."""
    options = ReceiverOptions(OUR_TITLE, calling_ae_titles=frozenset({AETitle("OTHER")}), network_timeout_s=10)
    with receiving(tmp_path / "spool", options) as running, pytest.raises(PeerUnavailable):
        send_files(small_series(tmp_path / "in", slices=1), running.port, OUR_TITLE, lambda: None)


def test_an_instance_that_is_refused_ends_the_sending(tmp_path: Path) -> None:
    """The status is named; nothing after it is sent."""
    paths = small_series(tmp_path / "in", slices=3)
    told: list[int] = []

    def one() -> None:
        told.append(1)
        running.index.failure = SpoolFull("no room")

    with receiving(tmp_path / "spool") as running, pytest.raises(PeerRefused, match="0xA700"):
        send_files(paths, running.port, OUR_TITLE, one)
    assert told == [1]


def test_a_class_that_is_not_taken_is_a_refusal(tmp_path: Path) -> None:
    """The receiver knows the standard's classes only; the sender says so instead of breaking down."""
    paths = small_series(tmp_path / "in", slices=2)
    data_set = dcmread(paths[1])
    data_set.SOPClassUID = data_set.file_meta.MediaStorageSOPClassUID = "2.25.1234"
    data_set.save_as(paths[1])
    with receiving(tmp_path / "spool") as running, pytest.raises(PeerRefused, match="class"):
        send_files(paths, running.port, OUR_TITLE, lambda: None)
