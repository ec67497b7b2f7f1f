"""Logs: one JSON object a line on standard error, from our code and from libraries, without patient data.

Three things keep patient data out. Our own code names jobs and hashes; a field whose name is on the list below is
dropped; and anything that looks like a UID becomes a short hash, in messages and values alike, because Study, Series
and SOP Instance UIDs are identifiers of a person's images. Of an exception only type and place are written, unless
the error is ours: messages of other libraries quote what they choked on.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from inference.errors import NodeError
from integrations.settings import Settings

PATIENT_KEYS: Final = frozenset(
    {
        *("patientid", "patientname", "patientbirthdate", "patientsex", "patientage", "patientaddress"),
        *("patientcomments", "otherpatientids", "otherpatientnames", "issuerofpatientid", "familyname", "givenname"),
        *("birthdate", "accessionnumber", "studydate", "studytime", "studyid", "studydescription"),
        *("seriesdescription", "referringphysicianname", "performingphysicianname", "operatorsname"),
        *("institutionname", "protocolname", "subject", "header", "dataset", "password", "token", "authorization"),
    }
)
"""Field names that are never written, compared without case and underscores."""

LIBRARY_LEVELS: Final[Mapping[str, int]] = {
    "pynetdicom": logging.WARNING,
    "pydicom": logging.ERROR,  # its warnings quote values
    "py.warnings": logging.ERROR,  # so do the same warnings on their other way
    "highdicom": logging.ERROR,
    "huey": logging.WARNING,
    "httpx": logging.WARNING,  # its lines hold whole addresses, with their queries
    "httpcore": logging.WARNING,
    "alembic": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "PIL": logging.WARNING,
    "werkzeug": logging.WARNING,
}

_UID: Final = re.compile(r"(?<![\d.])(?=[\d.]{20})[0-2](?:\.\d+){2,}")
"""A UID has at least 20 characters in practice; versions, addresses and seconds have fewer."""
_NOT_LETTERS: Final = re.compile(r"[^a-z]")


def short_hash(uid: str) -> str:
    """Give the 12 hexadecimal digits under which a UID is written: enough to follow it, too few to find a person.

    Parameters
    ----------
    uid
        A Study, Series or SOP Instance UID.
    """
    return hashlib.sha256(uid.encode()).hexdigest()[:12]


def configure_logs(settings: Settings) -> None:
    """Set up logging as the settings say."""
    configure_logging(settings.log_level, settings.log_format)


def configure_logging(level: str = "INFO", format_name: str = "json", stream: TextIO | None = None) -> None:
    """Set up logging for the process; later calls replace what earlier ones did.

    Parameters
    ----------
    level
        Lowest level that is written: DEBUG, INFO, WARNING or ERROR.
    format_name
        ``json`` for machines, ``console`` for people.
    stream
        Where lines go; standard error by default.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[*shared[:4], structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                describe_exception,
                without_patient,
                _renderer(format_name),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.captureWarnings(capture=True)


def _renderer(format_name: str) -> structlog.typing.Processor:
    if format_name == "console":
        return structlog.dev.ConsoleRenderer(colors=False)
    return structlog.processors.JSONRenderer(default=str, ensure_ascii=False)


def without_patient(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop fields that name a patient and hash every UID (a structlog processor)."""
    return {_hash_uids(str(key)): _clean(value) for key, value in event.items() if not _names_a_patient(str(key))}


def describe_exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its types and places (a structlog processor); the message only where it is ours."""
    info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[1] is not None:
        event["exception"] = [_one(error) for error in _chain(info[1])]
        event["where"] = _places(info[2])
    return event


def _names_a_patient(key: str) -> bool:
    return _NOT_LETTERS.sub("", key.lower()) in PATIENT_KEYS


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_patient(None, "", dict(value))
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _hash_uids(str(value))


def _hash_uids(text: str) -> str:
    return _UID.sub(lambda found: f"uid:{short_hash(found.group())}", text)


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _one(error: BaseException) -> str:
    return f"{error.code}: {error.message}" if isinstance(error, NodeError) else type(error).__qualname__


def _places(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-12:]]
