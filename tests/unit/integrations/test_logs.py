"""Logs are lines of JSON, from every source, and say nothing of a patient."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from inference.errors import JobNotFound
from integrations.logs import LIBRARY_LEVELS, configure_logging, configure_logs, short_hash
from integrations.settings import Settings

UID = "1.2.826.0.1.3680043.8.498.12345"
SENTINEL = "Sentinel^Patient"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Give where the log goes, and put everything back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in LIBRARY_LEVELS}
    stream = io.StringIO()
    configure_logging("INFO", "json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Parse what was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_both_kinds_of_loggers_write_the_same_lines(stream: io.StringIO) -> None:
    """Our events and a library's messages have level, logger and time in UTC."""
    structlog.get_logger("ours").info("job.claimed", job="abc", attempt=2)
    logging.getLogger("theirs").warning("%s went %s", "something", "wrong")

    ours, theirs = lines(stream)
    assert (ours["event"], ours["job"], ours["attempt"], ours["level"]) == ("job.claimed", "abc", 2, "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("something went wrong", "theirs", "warning")
    assert ours["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "key", ["patient_name", "PatientName", "patientID", "patient_birth_date", "AccessionNumber", "study_description"]
)
def test_fields_of_patients_are_dropped(stream: io.StringIO, key: str) -> None:
    """Whatever the spelling, at the top or inside, from us or by a library's extra."""
    structlog.get_logger("ours").info("event", **{key: SENTINEL}, inside={key: SENTINEL}, more=[{key: SENTINEL}])
    logging.getLogger("theirs").warning("message", extra={key: SENTINEL})

    assert len(lines(stream)) == 2
    assert SENTINEL not in stream.getvalue()


def test_uids_become_short_hashes(stream: io.StringIO) -> None:
    """In a field, in a message, in a list: a UID is written as 12 digits that stay the same."""
    structlog.get_logger("ours").info("event", study=UID, many=[UID], path=Path(f"/spool/{UID}/x"))
    logging.getLogger("theirs").warning("GET /api/studies/%s?x=1", UID)

    assert UID not in stream.getvalue()
    ours, theirs = lines(stream)
    assert ours["study"] == f"uid:{short_hash(UID)}"
    assert ours["many"] == [f"uid:{short_hash(UID)}"]
    assert theirs["event"] == f"GET /api/studies/uid:{short_hash(UID)}?x=1"


def test_uids_of_few_components_become_hashes_and_versions_stay(stream: io.StringIO) -> None:
    """A UUID-derived UID has two dots only; a version or an address has few digits and is no UID."""
    short = "2.25.337635163279452183411563873190845273221"
    structlog.get_logger("ours").info("event", study=short, version="0.1.0", host="127.0.0.1", seconds=1.25)

    (line,) = lines(stream)
    assert line["study"] == f"uid:{short_hash(short)}"
    assert (line["version"], line["host"], line["seconds"]) == ("0.1.0", "127.0.0.1", 1.25)


@pytest.mark.parametrize("text", ["127.0.0.1:8000", "version 1.26.4", "0.25 s", "10.20.30.40"])
def test_addresses_and_versions_stay(stream: io.StringIO, text: str) -> None:
    """What has dots but is no UID stays readable."""
    structlog.get_logger("ours").info(text)

    assert lines(stream)[0]["event"] == text


def test_an_exception_is_type_and_place(stream: io.StringIO) -> None:
    """A library's message quotes values; ours is free of them and is shown."""

    def fail() -> None:
        try:
            int(SENTINEL)
        except ValueError as error:
            raise JobNotFound("there is no such job") from error

    try:
        fail()
    except JobNotFound as error:
        structlog.get_logger("ours").exception("failed")
        logging.getLogger("theirs").exception("failed")
        structlog.get_logger("ours").error("failed", exc_info=error)

    assert SENTINEL not in stream.getvalue()
    for line in lines(stream):
        assert line["exception"] == ["job.not_found: there is no such job", "ValueError"]
        assert any("test_logs.py" in place and place.endswith("fail") for place in line["where"])


def test_libraries_that_quote_values_are_quiet(stream: io.StringIO) -> None:
    """Pydicom warns with the value it dislikes, httpx logs whole addresses: neither reaches the log."""
    logging.getLogger("pydicom").warning("Invalid value for VR PN: %s", SENTINEL)
    logging.getLogger("httpx").info("GET http://fhir/Patient?identifier=%s", SENTINEL)
    logging.getLogger("pynetdicom.assoc").info(SENTINEL)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(SENTINEL, stacklevel=1)

    assert lines(stream) == []


def test_the_level_is_kept(stream: io.StringIO) -> None:
    """Below the level nothing is written."""
    structlog.get_logger("ours").debug("hidden")
    logging.getLogger("theirs").debug("hidden")
    configure_logging("DEBUG", "json", stream)
    structlog.get_logger("ours").debug("shown")

    assert [line["event"] for line in lines(stream)] == ["shown"]


def test_people_get_text(stream: io.StringIO) -> None:
    """The console format is for reading, and as clean."""
    configure_logging("INFO", "console", stream)
    structlog.get_logger("ours").info("hello", patient_name=SENTINEL, study=UID)

    assert "hello" in stream.getvalue()
    assert SENTINEL not in stream.getvalue()
    assert UID not in stream.getvalue()


def test_settings_decide(
    stream: io.StringIO, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Level and format come from the settings, lines go to standard error."""
    configure_logs(Settings(data_dir=tmp_path, log_level="ERROR", queue_secret="s" * 32, jwt_secret="s" * 32))  # type: ignore[arg-type]
    structlog.get_logger("ours").warning("hidden")
    structlog.get_logger("ours").error("shown")

    captured = capsys.readouterr()
    assert captured.out == stream.getvalue() == ""
    assert [json.loads(line)["event"] for line in captured.err.splitlines()] == ["shown"]
