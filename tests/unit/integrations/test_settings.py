"""Settings: read once, all faults together, secrets never shown."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from inference.domain.identifiers import AETitle
from inference.domain.job import JobState
from inference.errors import ConfigurationError
from integrations.environment import GUIDE_NAMES, read_variables
from integrations.settings import ArchivePeer, Settings, load_settings

SECRET = "0123456789abcdef0123456789abcdef"
SERVER = {"DB_HOST": "db", "NODE_QUEUE_SECRET": SECRET, "JWT_SECRET_KEY": SECRET}


def faults(env: dict[str, str]) -> list[str]:
    """Give what is wrong with an environment."""
    with pytest.raises(ConfigurationError) as raised:
        load_settings(env)
    return raised.value.message.splitlines()[1:]


def test_an_empty_environment_is_an_embedded_node(tmp_path: Path) -> None:
    """Nothing has to be set: SQLite, folders and a short quiet time."""
    settings = load_settings({"NODE_DATA_DIR": str(tmp_path)})

    assert settings.embedded
    assert (settings.ae_title, settings.dicom_port, settings.api_port) == ("NEURONOVA", 11112, 8000)
    assert settings.quiet_time_s == 3
    assert (settings.archive, settings.report_url, settings.redis_url) == (None, None, None)
    assert settings.spool_dir == tmp_path / "spool"


def test_a_database_server_makes_a_production_node() -> None:
    """With a server the quiet time is longer, and nothing is written to disk."""
    settings = load_settings({**SERVER, "NODE_DATA_DIR": "/nowhere"})

    assert not settings.embedded
    assert settings.quiet_time_s == 30


@pytest.mark.parametrize(("url", "embedded"), [("sqlite:////srv/node.sqlite3", True), ("mysql://u:p@h/d", False)])
def test_the_database_address_decides_too(tmp_path: Path, url: str, embedded: bool) -> None:
    """A SQLite address is embedded, any other is not."""
    settings = load_settings({**SERVER, "DB_HOST": "", "NODE_DATABASE_URL": url, "NODE_DATA_DIR": str(tmp_path)})

    assert settings.embedded is embedded


def test_the_guides_names_are_read() -> None:
    """The CDSS guide's ``.env`` works unchanged."""
    settings = load_settings(
        SERVER
        | {"DB_PORT": "3307", "DB_NAME": "cdss", "DB_USER": "cdss_user", "DB_PASSWORD": "pw"}
        | {"REDIS_URL": "redis://redis:6379/0", "ORTHANC_API_URL": "http://orthanc:8042/"}
        | {"HAPI_FHIR_URL": "http://hapi:8080/fhir", "OPENEMR_BASE_URL": "https://openemr"}
        | {"JWT_ACCESS_TOKEN_LIFETIME_MINUTES": "60", "JWT_REFRESH_TOKEN_LIFETIME_DAYS": "7"}
    )

    assert (settings.db_host, settings.db_port, settings.db_name, settings.db_user) == (
        "db",
        3307,
        "cdss",
        "cdss_user",
    )
    assert settings.db_password is not None
    assert settings.db_password.get_secret_value() == "pw"
    assert settings.redis_url is not None
    assert settings.archive_rest_url == "http://orthanc:8042"
    assert settings.report_url == "http://hapi:8080/fhir"
    assert settings.emr_url == "https://openemr"
    assert (settings.jwt_access_minutes, settings.jwt_refresh_days) == (60, 7)


def test_our_own_name_wins_over_the_guides() -> None:
    """Where both are set ours counts, because it is the more specific one."""
    assert load_settings({**SERVER, "DB_PORT": "1", "NODE_DB_PORT": "2"}).db_port == 2


def test_every_guide_name_is_a_setting() -> None:
    """An alias of a setting that does not exist would be silently ignored."""
    assert set(GUIDE_NAMES.values()) <= set(Settings.model_fields)


def test_lists_and_peers_are_parsed() -> None:
    """Comma lists become tuples, an archive its parts."""
    settings = load_settings(
        {
            **SERVER,
            "NODE_CALLING_AE_TITLES": "CT1, MR1,",
            "NODE_CALLED_AE_TITLES": "AI",
            "NODE_ARCHIVE": "ORTHANC@[::1]:4242",
            "NODE_MODELS_DIRS": "/a,/b",
        }
    )

    assert settings.calling_ae_titles == ("CT1", "MR1")
    assert settings.accepted_ae_titles == ("AI",)
    assert settings.archive == ArchivePeer(AETitle("ORTHANC"), "::1", 4242)
    assert settings.models_dirs == (Path("/a"), Path("/b"))


def test_without_a_list_only_our_title_is_called() -> None:
    """An empty allow-list of called titles does not mean any."""
    assert load_settings({**SERVER, "NODE_AE_TITLE": "AI"}).accepted_ae_titles == ("AI",)


def test_all_faults_come_at_once_and_show_no_value() -> None:
    """One start shows everything there is to mend; a value may be a secret and is never shown."""
    found = faults(
        {
            "DB_HOST": "db",
            "NODE_DICOM_PORT": "70000",
            "NODE_AE_TITLE": "A" * 17,
            "NODE_ARCHIVE": "orthanc",
            "HAPI_FHIR_URL": "hapi",
            "REDIS_URL": "hunter2-redis",
            "JWT_SECRET_KEY": "hunter2",
            "NODE_DB_PASSWORD_FILE": "/does/not/exist",
            "NODE_DICOMPORT": "104",
        }
    )

    named = sorted(line.removeprefix("  - ").split()[0].rstrip(":") for line in found)
    assert named == [
        "NODE_AE_TITLE",
        "NODE_ARCHIVE",
        "NODE_DB_PASSWORD_FILE",
        "NODE_DICOMPORT",
        "NODE_DICOM_PORT",
        "NODE_JWT_SECRET",
        "NODE_QUEUE_SECRET",
        "NODE_REDIS_URL",
        "NODE_REPORT_URL",
    ]
    assert "hunter2" not in "\n".join(found)
    assert any("did you mean NODE_DICOM_PORT?" in line for line in found)


@pytest.mark.parametrize("name", ["NODE_ENV", "NODE_OPTIONS", "NODE_VERSION", "NODE_NAME"])
def test_variables_of_others_are_ignored(name: str) -> None:
    """Node.js, Jenkins and Kubernetes use our prefix too; their variables must not stop us."""
    load_settings({**SERVER, name: "something"})


@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1"])
def test_times_are_positive_and_finite(value: str) -> None:
    """A quiet time of NaN would never pass."""
    (fault,) = faults({**SERVER, "NODE_QUIET_TIME_S": value})

    assert "NODE_QUIET_TIME_S" in fault


@pytest.mark.parametrize("address", ["@h:1", "A@:1", "A@h", "A@h:0", "A@h:65536", "A@h:x", "h:1"])
def test_a_peer_that_is_not_one(address: str) -> None:
    """An archive without title, host or port is refused."""
    assert len(faults({**SERVER, "NODE_ARCHIVE": address})) == 1


def test_character_sets_of_senders() -> None:
    """One for all, and one by calling AE title; a leading backslash, as headers have it, is no fault."""
    env = {
        **SERVER,
        "NODE_DEFAULT_CHARSET": "\\ISO 2022 IR 149",
        "NODE_CHARSETS_BY_AE": "CT1=GB18030, MR1=ISO_IR 192",
    }
    charsets = load_settings(env).character_sets
    assert [charsets.of(sender) for sender in ("CT1", " CT1 ", "MR1", "OTHER")] == [
        "GB18030", "GB18030", "ISO_IR 192", "ISO 2022 IR 149",
    ]  # fmt: skip


def test_without_a_word_text_is_latin() -> None:
    """What most devices that say nothing meant."""
    assert load_settings(SERVER).character_sets.of("ANYBODY") == "ISO_IR 100"


@pytest.mark.parametrize(
    "env",
    [{"NODE_DEFAULT_CHARSET": "EUC-KR"}, {"NODE_CHARSETS_BY_AE": "GB18030"}, {"NODE_CHARSETS_BY_AE": "CT1=korean"}],
)
def test_a_character_set_that_is_none(env: dict[str, str]) -> None:
    """Defined Terms of PS3.3 section C.12.1.1.2 only, each with its sender."""
    assert len(faults({**SERVER, **env})) == 1


def test_the_sites_zone_is_read_by_name() -> None:
    """UTC where nothing is said; what is in no database of zones is a fault."""
    assert load_settings({"NODE_TIMEZONE": "Asia/Seoul"}, keep_secrets=False).zone == ZoneInfo("Asia/Seoul")
    assert load_settings({}, keep_secrets=False).zone is UTC
    for name in ("Seoul", "../etc/passwd", "KST+9"):
        with pytest.raises(ConfigurationError, match="NODE_TIMEZONE"):
            load_settings({"NODE_TIMEZONE": name}, keep_secrets=False)


def test_who_is_told_beside_the_archive_is_read() -> None:
    """Patient systems by issuer, the HL7 receiver, and senders that take reports on storage commitment."""
    settings = load_settings(
        {
            "NODE_PATIENT_SYSTEMS": "City Hospital=urn:oid:1.2.3,=urn:oid:1.2.4",
            "NODE_HL7": "[::1]:2575",
            "NODE_COMMITMENT_PEERS": "CT1@10.0.0.7:104, MR1@10.0.0.8:104",
        },
        keep_secrets=False,
    )
    assert settings.patient_systems == (("City Hospital", "urn:oid:1.2.3"), ("", "urn:oid:1.2.4"))
    assert settings.hl7 == ("::1", 2575)
    assert [peer.ae_title for peer in settings.commitment_peers] == ["CT1", "MR1"]


@pytest.mark.parametrize(
    ("name", "value"), [("NODE_PATIENT_SYSTEMS", "City"), ("NODE_HL7", "ris"), ("NODE_HL7", "ris:0")]
)
def test_what_is_no_address_is_a_fault(name: str, value: str) -> None:
    """Said with the name of the variable."""
    with pytest.raises(ConfigurationError, match=name):
        load_settings({name: value}, keep_secrets=False)


MAIL = {
    "NODE_SMTP_HOST": "mail.example",
    "NODE_EMAIL_FROM": "a@b.example",
    "NODE_EMAIL_TO": "c@d.example, e@f.example",
}


def test_who_is_told_of_ends_is_read(tmp_path: Path) -> None:
    """Recipients, addresses and states are lists; secrets may be files."""
    (tmp_path / "secret").write_text(SECRET)
    addresses, secret = "https://a.example/x,http://b.example/", str(tmp_path / "secret")
    hooks = {"NODE_WEBHOOKS": addresses, "NODE_WEBHOOK_SECRET_FILE": secret}
    states = {"NODE_EMAIL_STATES": "failed, REJECTED", "NODE_SUMMARY_AT": "06:30"}
    settings = load_settings({**MAIL, **hooks, **states}, keep_secrets=False)
    assert settings.email_to == ("c@d.example", "e@f.example")
    assert settings.email_states == (JobState.FAILED, JobState.REJECTED)
    assert (settings.summary_at, settings.webhooks) == ("06:30", ("https://a.example/x", "http://b.example"))
    assert load_settings({**MAIL, "NODE_SUMMARY_AT": "never"}, keep_secrets=False).summary_at == "never"


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"NODE_SMTP_HOST": "mail.example"}, "NODE_EMAIL_FROM"),
        ({**MAIL, "NODE_EMAIL_TO": ""}, "NODE_EMAIL_TO"),
        ({**MAIL, "NODE_EMAIL_TO": "nobody"}, "NODE_EMAIL_TO"),
        ({**MAIL, "NODE_EMAIL_FROM": "Node <a@b.example>"}, "NODE_EMAIL_FROM"),
        ({**MAIL, "NODE_EMAIL_FROM": "a@b.example\nBcc: x@y.example"}, "NODE_EMAIL_FROM"),
        ({**MAIL, "NODE_EMAIL_STATES": "QUEUED"}, "NODE_EMAIL_STATES"),
        ({**MAIL, "NODE_SUMMARY_AT": "seven"}, "NODE_SUMMARY_AT"),
        ({**MAIL, "NODE_SMTP_SECURITY": "ssl"}, "NODE_SMTP_SECURITY"),
        ({"NODE_WEBHOOKS": "https://a.example"}, "NODE_WEBHOOK_SECRET"),
        ({"NODE_WEBHOOKS": "a.example", "NODE_WEBHOOK_SECRET": SECRET}, "NODE_WEBHOOKS"),
        ({"NODE_WEBHOOKS": "https://a.example", "NODE_WEBHOOK_SECRET": "short"}, "NODE_WEBHOOK_SECRET"),
        ({"NODE_SPOOL_RETENTION_DAYS": "-1"}, "NODE_SPOOL_RETENTION_DAYS"),
    ],
)
def test_what_is_told_by_half_is_a_fault(env: dict[str, str], name: str) -> None:
    """A node that would tell nobody, or anybody, does not start."""
    with pytest.raises(ConfigurationError, match=name):
        load_settings(env, keep_secrets=False)


def test_an_empty_variable_is_absent() -> None:
    """Compose files leave empty variables behind; they mean the default."""
    assert load_settings({**SERVER, "NODE_DB_PORT": "", "NODE_ARCHIVE": ""}).db_port == 3306


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    """A mounted secret is read without its newline."""
    file = tmp_path / "jwt"
    file.write_text(SECRET + "\n")

    settings = load_settings({"DB_HOST": "db", "NODE_QUEUE_SECRET": SECRET, "JWT_SECRET_KEY_FILE": str(file)})

    assert settings.jwt_secret.get_secret_value() == SECRET


def test_a_value_and_a_file_contradict(tmp_path: Path) -> None:
    """Both at once is a fault: nobody could say which one counts."""
    file = tmp_path / "jwt"
    file.write_text(SECRET)

    (fault,) = faults({**SERVER, "JWT_SECRET_KEY_FILE": str(file)})

    assert "both set" in fault


def test_secrets_are_never_shown() -> None:
    """Neither the settings' text nor an error about them shows a secret."""
    settings = load_settings({**SERVER, "DB_PASSWORD": "hunter2", "REDIS_URL": "redis://:hunter2@r:1/0"})

    assert "hunter2" not in repr(settings)
    assert SECRET not in repr(settings)


def test_generated_secrets_are_kept_and_private(tmp_path: Path) -> None:
    """Tokens survive a restart; nobody else on the machine may read their key."""
    first = load_settings({"NODE_DATA_DIR": str(tmp_path)})
    second = load_settings({"NODE_DATA_DIR": str(tmp_path)})

    assert first.jwt_secret == second.jwt_secret
    assert first.queue_secret == second.queue_secret
    assert first.jwt_secret != first.queue_secret
    assert len(first.jwt_secret.get_secret_value()) >= 32
    kept = sorted(first.secrets_dir.iterdir())
    assert [file.name for file in kept] == ["jwt_secret", "queue_secret"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept} == {0o600}
    assert stat.S_IMODE(first.secrets_dir.stat().st_mode) == 0o700


def test_processes_that_start_at_once_agree_on_secrets(tmp_path: Path) -> None:
    """Receiver, workers and API of one node start together and must sign with the same key."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_settings({"NODE_DATA_DIR": str(tmp_path)}), range(16)))

    assert len({settings.queue_secret.get_secret_value() for settings in found}) == 1


def test_a_given_secret_is_not_generated(tmp_path: Path) -> None:
    """A secret from the environment wins and is not written to disk."""
    settings = load_settings({"NODE_DATA_DIR": str(tmp_path), "NODE_JWT_SECRET": SECRET})

    assert settings.jwt_secret.get_secret_value() == SECRET
    assert [file.name for file in settings.secrets_dir.iterdir()] == ["queue_secret"]


def test_no_secret_is_written_while_something_is_wrong(tmp_path: Path) -> None:
    """A start that fails leaves nothing behind."""
    faults({"NODE_DATA_DIR": str(tmp_path / "data"), "NODE_API_PORT": "x"})

    assert not (tmp_path / "data").exists()


def test_a_kept_secret_that_was_cut_is_refused(tmp_path: Path) -> None:
    """A damaged file must not become a weak key."""
    settings = load_settings({"NODE_DATA_DIR": str(tmp_path)})
    (settings.secrets_dir / "jwt_secret").write_text("short")

    assert len(faults({"NODE_DATA_DIR": str(tmp_path)})) == 1


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    """A data folder below a file is a fault of the configuration, not a stack trace."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError):
        load_settings({"NODE_DATA_DIR": str(tmp_path / "file" / "data")})


def test_settings_are_frozen_and_documented() -> None:
    """Nothing changes a setting later, and each says what it is."""
    settings = load_settings(SERVER)

    with pytest.raises(ValidationError):
        setattr(settings, "ae_title", "OTHER")  # noqa: B010 - mypy knows that it is frozen
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an argument the process's own environment is read."""
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NODE_DICOM_PORT", "0")

    assert load_settings().dicom_port == 0


def test_reading_variables_touches_nothing_else() -> None:
    """Only known fields come out, as text."""
    assert read_variables({"NODE_AE_TITLE": "X", "HOME": "/root"}, ("ae_title",)) == ({"ae_title": "X"}, [])


OIDC = {
    "NODE_OIDC_ISSUER": "https://idp.example/",
    "NODE_OIDC_CLIENT_ID": "node",
    "NODE_PUBLIC_URL": "https://node.example",
    "NODE_OIDC_ROLES": "radiology-staff=radiologist, group=it=admin",
}


def test_cookies_are_for_https_unless_the_node_is_embedded(tmp_path: Path) -> None:
    """An embedded node speaks plain http; either can be told otherwise."""
    data = {"NODE_DATA_DIR": str(tmp_path)}

    assert not load_settings(data).cookie_secure
    assert load_settings(data | {"NODE_COOKIE_SECURE": "true"}).cookie_secure
    assert load_settings(SERVER).cookie_secure
    assert not load_settings(SERVER | {"NODE_COOKIE_SECURE": "false"}).cookie_secure


def test_a_provider_is_configured_as_a_whole() -> None:
    """A role may be named by a value with an equals sign; the secret may be a file's, or absent."""
    settings = load_settings(SERVER | OIDC)

    assert settings.oidc_issuer == "https://idp.example"
    assert settings.oidc_roles == (("radiology-staff", "radiologist"), ("group=it", "admin"))


@pytest.mark.parametrize("missing", ["NODE_OIDC_CLIENT_ID", "NODE_PUBLIC_URL", "NODE_OIDC_ROLES"])
def test_half_a_provider_is_a_fault(missing: str) -> None:
    """It would let nobody in, or not bring them back; the message names what is missing."""
    [fault] = faults(SERVER | {name: value for name, value in OIDC.items() if name != missing})

    assert missing in fault


@pytest.mark.parametrize("roles", ["radiologist", "staff=king", "=admin", "bots=service"])
def test_a_role_of_a_provider_is_one_of_a_person(roles: str) -> None:
    """Whoever comes from a provider is a person with one of our roles."""
    [fault] = faults(SERVER | OIDC | {"NODE_OIDC_ROLES": roles})

    assert "NODE_OIDC_ROLES" in fault
