"""An administrator sees how the node is set up, and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integrations.environment import Source
from integrations.settings import Settings, load_settings, setting_sources
from integrations.shown_settings import MASK, ShownSetting, shown_settings
from tests.support.control_api import ControlAPI

HIDDEN = "nobody-must-ever-read-this-0123456789"

ENVIRONMENT = {
    "NODE_DATABASE_URL": f"mysql+pymysql://neuronova:{HIDDEN}@db/neuronova",
    "NODE_REDIS_URL": f"redis://:{HIDDEN}@redis:6379/0",
    "NODE_QUEUE_SECRET": HIDDEN,
    "DB_PASSWORD": HIDDEN,
    "NODE_ARCHIVE": "ORTHANC@orthanc:4242",
    "NODE_ARCHIVE_REST_PASSWORD": HIDDEN,
    "ORTHANC_API_URL": f"http://node:{HIDDEN}@orthanc:8042",
    "NODE_HL7": "ris:2575",
    "NODE_PATIENT_SYSTEMS": "CityHospital=urn:oid:1.2.3, =urn:oid:1.2.4",
    "NODE_CHARSETS_BY_AE": "CT1=ISO 2022 IR 149",
    "NODE_CALLING_AE_TITLES": "ORTHANC, CT1",
    "NODE_MODELS_DIRS": "/srv/a,/srv/b",
    "NODE_QUIET_TIME_S": "7.5",
    "NODE_NOTES": "true",
    "NODE_WEBHOOKS": f"https://chat.example/hook/{HIDDEN}",
    "NODE_WEBHOOK_SECRET": HIDDEN,
}


@pytest.fixture
def shown(tmp_path: Path) -> dict[str, ShownSetting]:
    """Give what is shown of a node on servers, by name."""
    kept = tmp_path / "jwt_secret"
    kept.write_text(HIDDEN)
    environment = ENVIRONMENT | {"NODE_DATA_DIR": str(tmp_path), "JWT_SECRET_KEY_FILE": str(kept)}
    settings = load_settings(environment)
    return {one.name: one for one in shown_settings(settings, setting_sources(environment))}


def test_no_secret_is_shown_wherever_it_stands(shown: dict[str, ShownSetting], tmp_path: Path) -> None:
    """Nor the name of the file in which one is, nor one inside an address."""
    assert HIDDEN not in str(shown)
    assert str(tmp_path / "jwt_secret") not in str(shown)
    secrets = {name for name, one in shown.items() if one.secret}
    assert secrets >= {
        "database_url",
        "db_password",
        "redis_url",
        "queue_secret",
        "jwt_secret",
        "archive_rest_password",
    }
    assert {shown[name].value for name in secrets if shown[name].source is not Source.DEFAULT} == {MASK}
    assert {shown[name].value for name in secrets} <= {MASK, None}
    assert shown["archive_rest_url"].value == "http://orthanc:8042"


def test_values_read_as_they_are_written(shown: dict[str, ShownSetting]) -> None:
    """Whoever compares with a compose file finds the same text."""
    values = {name: one.value for name, one in shown.items()}

    assert values["archive"] == "ORTHANC@orthanc:4242"
    assert values["hl7"] == "ris:2575"
    assert values["patient_systems"] == ["CityHospital=urn:oid:1.2.3", "=urn:oid:1.2.4"]
    assert values["charsets_by_ae"] == ["CT1=ISO 2022 IR 149"]
    assert values["calling_ae_titles"] == ["ORTHANC", "CT1"]
    assert values["models_dirs"] == ["/srv/a", "/srv/b"]
    assert (values["quiet_time_s"], values["notes"], values["destinations"]) == (7.5, True, None)


def test_it_is_said_where_a_value_comes_from(shown: dict[str, ShownSetting]) -> None:
    """Under the guide's names too."""
    sources = {name: one.source for name, one in shown.items()}

    assert sources["quiet_time_s"] is Source.ENVIRONMENT
    assert sources["db_password"] is Source.ENVIRONMENT
    assert sources["jwt_secret"] is Source.FILE
    assert sources["ae_title"] is Source.DEFAULT
    assert shown["db_password"].guide_variable == "DB_PASSWORD"


def test_every_setting_is_shown_with_its_meaning(shown: dict[str, ShownSetting]) -> None:
    """In the order of the manual."""
    assert list(shown) == list(Settings.model_fields)
    assert all(one.description and one.variable == f"NODE_{one.name.upper()}" for one in shown.values())


def test_an_embedded_node_says_which_secrets_it_made(tmp_path: Path) -> None:
    """And that others are not set."""
    environment = {"NODE_DATA_DIR": str(tmp_path)}
    settings = load_settings(environment)

    shown = {one.name: one for one in shown_settings(settings, setting_sources(environment))}

    assert (shown["jwt_secret"].value, shown["jwt_secret"].source) == (MASK, Source.GENERATED)
    assert (shown["db_password"].value, shown["archive_rest_password"].value) == (None, None)


def test_every_value_can_be_written_as_json(api: ControlAPI) -> None:
    """An administrator gets the list."""
    document: dict[str, Any] = api.get("/api/settings", "admin").json

    by_name = {one["name"]: one for one in document["settings"]}
    assert list(by_name) == list(Settings.model_fields)
    assert by_name["data_dir"]["source"] == "environment"
    assert (by_name["jwt_secret"]["value"], by_name["jwt_secret"]["secret"]) == (MASK, True)
    assert by_name["retry_base_s"]["value"] == 10.0


@pytest.mark.parametrize("role", ["radiologist", "doctor", "nurse", "technician", "service"])
def test_only_administrators_see_it(api: ControlAPI, role: str) -> None:
    """Addresses and titles help whoever means harm."""
    assert api.get("/api/settings", role).status_code == 403
