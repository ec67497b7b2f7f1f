"""docs/configuration.md must say what integrations/settings.py does."""

from __future__ import annotations

from pydantic_core import PydanticUndefined

from integrations.environment import FILE_FIELDS, GUIDE_NAMES, variable_name
from integrations.settings import Settings
from tests.support.repository import REPOSITORY


def rows() -> list[str]:
    """Give the table row of every setting, as the document must have it."""
    guide = {field: name for name, field in GUIDE_NAMES.items()}
    return [_row(field, guide.get(field)) for field in Settings.model_fields]


def _row(field: str, guide_name: str | None) -> str:
    info = Settings.model_fields[field]
    names = [f"`{variable_name(field)}`", *([f"`{guide_name}`"] if guide_name else [])]
    if field in FILE_FIELDS:
        names.append("`…_FILE`")
    description = " ".join((info.description or "").split())
    return f"| {', '.join(names)} | {_default(info.default)} | {description} |"


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required, or generated"
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if value in (None, "", ()):
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def test_every_setting_is_in_the_document_as_it_is() -> None:
    """Names, default and meaning of each setting stand in the document; paste the rows that are missing."""
    lines = (REPOSITORY / "docs" / "configuration.md").read_text().splitlines()
    missing = [row for row in rows() if row not in lines]
    assert not missing, "\n" + "\n".join(missing)


def test_the_document_names_no_setting_that_does_not_exist() -> None:
    """A row that is nobody's is a setting that was renamed or removed."""
    lines = (REPOSITORY / "docs" / "configuration.md").read_text().splitlines()
    stale = [line for line in lines if line.startswith("| `NODE_") and line not in rows()]
    assert not stale, "\n" + "\n".join(stale)


def test_every_setting_is_described() -> None:
    """A setting without a docstring is a setting that only its author can use."""
    undescribed = [name for name, info in Settings.model_fields.items() if not info.description]
    assert not undescribed
