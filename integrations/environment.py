"""From environment variables to named values: prefixes, the guide's aliases, ``_FILE`` variants, unknown names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Final

PREFIX: Final = "NODE_"

GUIDE_NAMES: Final[Mapping[str, str]] = {
    "DB_HOST": "db_host",
    "DB_PORT": "db_port",
    "DB_NAME": "db_name",
    "DB_USER": "db_user",
    "DB_PASSWORD": "db_password",
    "REDIS_URL": "redis_url",
    "ORTHANC_API_URL": "archive_rest_url",
    "HAPI_FHIR_URL": "report_url",
    "OPENEMR_BASE_URL": "emr_url",
    "JWT_SECRET_KEY": "jwt_secret",
    "JWT_ACCESS_TOKEN_LIFETIME_MINUTES": "jwt_access_minutes",
    "JWT_REFRESH_TOKEN_LIFETIME_DAYS": "jwt_refresh_days",
}
"""The CDSS guide's own names, so that its ``.env`` works unchanged; a ``NODE_`` name wins over them."""

FILE_SUFFIX: Final = "_FILE"
FILE_FIELDS: Final = frozenset(
    {
        "archive_rest_password",
        "database_url",
        "db_password",
        "jwt_secret",
        "oidc_client_secret",
        "queue_secret",
        "redis_url",
        "emr_private_key",
        "smtp_password",
        "webhook_secret",
    }
)
"""Settings that may be given as the path of a file, as Docker and Kubernetes mount secrets."""

FOREIGN_NAMES: Final = frozenset(
    {
        *(
            "NODE_DEBUG",
            "NODE_DISABLE_COLORS",
            "NODE_ENV",
            "NODE_EXTRA_CA_CERTS",
            "NODE_ICU_DATA",
            "NODE_NO_WARNINGS",
        ),
        *("NODE_OPTIONS", "NODE_PATH", "NODE_TLS_REJECT_UNAUTHORIZED", "NODE_V8_COVERAGE", "NODE_VERSION"),
        *("NODE_COMPILE_CACHE", "NODE_HOME", "NODE_BIN", "NODE_REPL_HISTORY", "NODE_USE_ENV_PROXY"),
        *("NODE_NAME", "NODE_LABELS", "NODE_IP", "NODE_RANK"),
    }
)
"""Variables of Node.js, Jenkins, Kubernetes and MPI that share our prefix and are none of our business."""


class Source(StrEnum):
    """Where the value of a setting comes from."""

    DEFAULT = "default"
    """Nobody gave one."""
    ENVIRONMENT = "environment"
    """A variable."""
    FILE = "file"
    """A file that a variable names."""
    GENERATED = "generated"
    """The node made it for itself and keeps it in the data folder."""


def variable_name(field: str) -> str:
    """Give the environment variable of a setting."""
    return PREFIX + field.upper()


def read_variables(env: Mapping[str, str], fields: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Pick our settings out of an environment.

    An empty variable counts as absent, as compose files leave it. Where a setting has several names, the ``NODE_``
    name wins, and a value wins over a file only by being refused: giving both is a fault.

    Parameters
    ----------
    env
        The environment.
    fields
        Names of all settings.

    Returns
    -------
    values
        Raw text by name of setting.
    faults
        What is wrong, one sentence each.
    """
    values: dict[str, str] = {}
    faults = _unknown(env, fields)
    guide = {field: name for name, field in GUIDE_NAMES.items()}
    for field in fields:
        names = [variable_name(field), *([guide[field]] if field in guide else [])]
        for name in names:
            value, fault = _one(env, name, may_be_file=field in FILE_FIELDS)
            if fault is not None:
                faults.append(fault)
            if value is not None:
                values.setdefault(field, value)
    return values, faults


def find_sources(env: Mapping[str, str], fields: Sequence[str]) -> dict[str, Source]:
    """Say of each setting that an environment gives whether it stands there or in a file that is named there.

    Parameters
    ----------
    env
        The environment.
    fields
        Names of all settings.
    """
    guide = {field: name for name, field in GUIDE_NAMES.items()}
    found: dict[str, Source] = {}
    for field in fields:
        for name in (variable_name(field), *([guide[field]] if field in guide else [])):
            if env.get(name):
                found.setdefault(field, Source.ENVIRONMENT)
            elif field in FILE_FIELDS and env.get(name + FILE_SUFFIX):
                found.setdefault(field, Source.FILE)
    return found


def _one(env: Mapping[str, str], name: str, *, may_be_file: bool) -> tuple[str | None, str | None]:
    """Give the value of one variable, or None, and what is wrong with it, or None."""
    value, path = env.get(name) or None, env.get(name + FILE_SUFFIX) or None
    if not may_be_file or path is None:
        return value, None
    if value is not None:
        return value, f"{name} and {name}{FILE_SUFFIX} are both set; keep one"
    try:
        return Path(path).read_text(encoding="utf-8").strip(), None
    except (OSError, UnicodeDecodeError) as error:
        return None, f"{name}{FILE_SUFFIX}: the file cannot be read ({type(error).__name__})"


def _unknown(env: Mapping[str, str], fields: Sequence[str]) -> list[str]:
    known = {variable_name(field) for field in fields}
    known |= {variable_name(field) + FILE_SUFFIX for field in FILE_FIELDS}
    faults = []
    for name in sorted(env):
        if name.startswith(PREFIX) and name not in known and name not in FOREIGN_NAMES:
            near = get_close_matches(name, known, n=1)
            faults.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
    return faults


def is_ours(name: str) -> bool:
    """Tell whether a variable is one of our settings, by our name or the guide's.

    Parameters
    ----------
    name
        Name of an environment variable.
    """
    if name.startswith(PREFIX):
        return name not in FOREIGN_NAMES
    return name.removesuffix(FILE_SUFFIX) in GUIDE_NAMES
