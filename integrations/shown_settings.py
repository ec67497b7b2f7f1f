"""The settings as an administrator is shown them: everything but what is secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import SecretStr

from integrations.configured_peers import without_login
from integrations.environment import GUIDE_NAMES, Source, variable_name
from integrations.settings import ArchivePeer, Settings

MASK: Final = "********"
"""Stands for a secret that is set, whatever its length."""

_SECRET_NAME: Final = re.compile(r"password|secret|token|private_key|api_key|webhooks")
"""A setting that is called so is secret, whatever its type; addresses of webhooks often hold a key."""


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting.

    Parameters
    ----------
    name
        As the code calls it.
    variable, guide_variable
        The environment variable, and the CDSS guide's own name, None where it has none.
    value
        Text, number, truth or list; of a secret only whether there is one.
    source
        Where it comes from; never the path of a file with a secret.
    secret
        Whether the value is hidden.
    description
        What it does.
    """

    name: str
    variable: str
    guide_variable: str | None
    value: Any
    source: Source
    secret: bool
    description: str


def shown_settings(settings: Settings, sources: Mapping[str, Source]) -> tuple[ShownSetting, ...]:
    """List every setting in the order of the documentation.

    Parameters
    ----------
    settings
        The node's.
    sources
        Where each comes from; one that is not named has its default.
    """
    guide = {field: name for name, field in GUIDE_NAMES.items()}
    return tuple(
        ShownSetting(
            name=name,
            variable=variable_name(name),
            guide_variable=guide.get(name),
            value=_value(getattr(settings, name), secret=_is_secret(name, info.annotation)),
            source=sources.get(name, Source.DEFAULT),
            secret=_is_secret(name, info.annotation),
            description=" ".join((info.description or "").split()),
        )
        for name, info in Settings.model_fields.items()
    )


def _is_secret(name: str, annotation: Any) -> bool:
    return _SECRET_NAME.search(name) is not None or _holds_secret(annotation)


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_holds_secret(part) for part in get_args(annotation))


def _value(value: Any, *, secret: bool) -> Any:
    if secret or isinstance(value, SecretStr):
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return MASK if text else None
    if isinstance(value, tuple):
        is_address = len(value) == 2 and isinstance(value[1], int)
        return f"{value[0]}:{value[1]}" if is_address else [_entry(entry) for entry in value]
    return _entry(value)


def _entry(value: Any) -> Any:
    """Give a value as a variable would hold it; numbers, truth and None as they are."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, ArchivePeer):
        return f"{value.ae_title}@{value.host}:{value.port}"
    if isinstance(value, tuple):
        return "=".join(str(part) for part in value)
    text = str(value)
    return without_login(text) if "://" in text and not isinstance(value, Path) else text
