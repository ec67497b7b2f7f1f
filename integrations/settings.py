"""Every setting of the node: one frozen class, and the only place that reads the environment."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from inference.charsets import is_known
from inference.domain.charsets import LATIN_1, CharacterSets
from inference.domain.identifiers import AETitle
from inference.errors import ConfigurationError
from integrations.environment import is_ours, read_variables, variable_name
from integrations.kept_secrets import keep_secret

SHORTEST_SECRET_BYTES: Final = 32
"""A key shorter than its HMAC's digest weakens it (RFC 7518 section 3.2); PyJWT itself only warns."""


@dataclass(frozen=True, slots=True)
class ArchivePeer:
    """Where results go by C-STORE.

    Parameters
    ----------
    ae_title
        The archive's AE title.
    host, port
        Its address.
    """

    ae_title: AETitle
    host: str
    port: int


def parse_peer(value: object) -> ArchivePeer:
    """Read ``AE@host:port``.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(value, ArchivePeer):
        return value
    ae_title, at, address = str(value).rpartition("@")
    host, colon, port = address.rpartition(":")
    if not (at and colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("write AE@host:port, for example ORTHANC@127.0.0.1:4242")
    return ArchivePeer(AETitle(ae_title), host.strip("[]"), int(port))


def parse_listener(value: object) -> tuple[str, int]:
    """Read ``host:port``.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(value, tuple):
        return value
    host, colon, port = str(value).rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("write host:port, for example ris.example:2575")
    return host.strip("[]"), int(port)


def _zone_name(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("write a name of the time zone database, for example Asia/Seoul") from error
    return name


def _system_of_issuer(value: object) -> tuple[str, str]:
    """Read ``issuer=system``; the issuer may be empty."""
    issuer, equals, system = str(value).partition("=")
    if not (equals and ":" in system):
        raise ValueError("write issuer=system, for example CityHospital=urn:oid:1.2.3")
    return issuer.strip(), system.strip()


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < SHORTEST_SECRET_BYTES:
        raise ValueError(f"a secret needs at least {SHORTEST_SECRET_BYTES} bytes")
    return secret


def _redis_address(address: SecretStr) -> SecretStr:
    if not address.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("write an address that begins with redis://, rediss:// or unix://")
    return address


def _without_slash(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        raise ValueError("write a whole address, beginning with http:// or https://")
    return address.rstrip("/")


def _charset(term: str) -> str:
    """Read a Defined Term, also with the backslash with which a header says that it extends the default one."""
    stripped = term.strip().lstrip("\\").strip()
    if not is_known(stripped):
        raise ValueError("write a Defined Term of Specific Character Set, for example ISO 2022 IR 149 or GB18030")
    return stripped


def _charset_of_ae(value: object) -> tuple[AETitle, str]:
    """Read ``AE=character set``."""
    ae_title, _, term = str(value).rpartition("=")
    if not ae_title:
        raise ValueError("write AE=character set, for example CT1=ISO 2022 IR 149")
    return AETitle(ae_title), _charset(term)


AE = Annotated[AETitle, PlainValidator(lambda value: AETitle(str(value)))]
AEList = Annotated[tuple[AE, ...], BeforeValidator(_split)]
Address = Annotated[str, AfterValidator(_without_slash)]
Port = Annotated[int, Field(ge=1, le=65535)]
ListenPort = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Peer = Annotated[ArchivePeer, PlainValidator(parse_peer)]
PeerList = Annotated[tuple[Peer, ...], BeforeValidator(_split)]
HL7Peer = Annotated[tuple[str, int], PlainValidator(parse_listener)]
SystemOfIssuer = Annotated[tuple[str, str], PlainValidator(_system_of_issuer)]
SystemList = Annotated[tuple[SystemOfIssuer, ...], BeforeValidator(_split)]
Secret = Annotated[SecretStr, AfterValidator(_long_enough)]
Charset = Annotated[str, AfterValidator(_charset)]
CharsetOfAE = Annotated[tuple[AETitle, str], PlainValidator(_charset_of_ae)]
CharsetList = Annotated[tuple[CharsetOfAE, ...], BeforeValidator(_split)]
ScopeList = Annotated[tuple[str, ...], BeforeValidator(_split)]
PathList = Annotated[tuple[Path, ...], BeforeValidator(_split)]


SECRET_FIELDS: Final = ("queue_secret", "jwt_secret")
"""Settings that are generated once in embedded mode."""


def is_embedded(values: Mapping[str, Any]) -> bool:
    """Tell whether settings, parsed or not, name no database server."""
    url = values.get("database_url")
    if url is None:
        return values.get("db_host") is None
    return (url.get_secret_value() if isinstance(url, SecretStr) else str(url)).startswith("sqlite")


class Settings(BaseSettings):
    """The node's settings.

    Each is read from ``NODE_`` and its name in capitals, or from the CDSS guide's own name where it has one
    (``integrations/environment.py``). Built by :func:`load_settings`; building it directly, as tests do, reads no
    environment.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, env_prefix="NODE_", hide_input_in_errors=True
    )

    data_dir: Annotated[Path, AfterValidator(Path.absolute)] = Path("data")
    """Folder for everything the node keeps: spool, results, embedded database, secrets."""

    ae_title: AE = AETitle("NEURONOVA")
    """Our AE title, as receiver and as sender."""
    dicom_host: str = "0.0.0.0"  # noqa: S104 - modalities reach the receiver from other machines
    """Address on which the receiver listens."""
    dicom_port: ListenPort = 11112
    """TCP port of the receiver; 0 lets the system choose."""
    called_ae_titles: AEList = ()
    """AE titles under which peers may call us, comma-separated; empty: only ``ae_title``."""
    calling_ae_titles: AEList = ()
    """AE titles that may send, comma-separated; empty: any."""
    default_charset: Charset = LATIN_1
    """Specific Character Set to assume of instances that name none, a Defined Term such as ISO 2022 IR 149."""
    charsets_by_ae: CharsetList = ()
    """The same by calling AE title, comma-separated, AE=character set."""
    max_associations: int = Field(default=25, ge=1, le=1000)
    """Associations at the same time; MONAI's gateway has the same limit."""
    acse_timeout_s: Seconds = 30.0
    """Seconds to wait for association messages; also the absolute limit until an association stands."""
    dimse_timeout_s: Seconds = 60.0
    """Seconds to wait for the next part of a DIMSE message."""
    network_timeout_s: Seconds = 60.0
    """Seconds an association may be silent before it is closed."""

    quiet_time_s: Seconds = 30.0
    """Seconds without a new instance after which a series counts as complete where nothing stronger decides; 3 in
    embedded mode, where the sender is mostly a command line."""
    settle_time_s: Seconds = 2.0
    """Seconds between the two questions to the archive that must agree: equality once proves nothing."""
    channel_wait_seconds: float = Field(default=600.0, ge=0, le=86400, allow_inf_nan=False)
    """Seconds after its latest instance for which a study may still receive a series that a model with several
    channels lacks; an explicit signal that the study is complete ends the wait at once."""

    archive: Peer | None = None
    """The archive for results, ``AE@host:port``; none: a folder."""
    archive_rest_url: Address | None = None
    """REST address of that archive, to read back what it holds."""
    archive_rest_user: str = ""
    """User for the REST address; empty: none."""
    archive_rest_password: SecretStr = SecretStr("")
    """Password for the REST address."""
    destinations: Path | None = None
    """File of archives and what each takes (docs/destinations.md), instead of the archive settings above."""
    notes: bool = False
    """Whether a series that a model wanted and that could not be analysed gets a note: in the archive above, and as a
    report; in a file of destinations each says so for itself."""
    commitment_port: Port | None = None
    """TCP port on which archives report on storage commitment, for destinations that are confirmed by it."""
    commitment_peers: PeerList = ()
    """Senders that are told of our storage commitment on an association of ours, AE@host:port, comma-separated; any
    other only on theirs, while it is open."""
    timezone: Annotated[str, AfterValidator(_zone_name)] = "UTC"
    """Where the site is, a name such as Asia/Seoul: what times of sources mean that name no offset, as most do."""
    organization: str = Field(default="not stated", min_length=1, max_length=64)
    """Name of the hospital or practice, for reports that a person here has verified."""
    report_url: Address | None = None
    """Base address of the FHIR R4 server; none: bundles as files."""
    patient_systems: SystemList = ()
    """Under which system the report server knows patient numbers, comma-separated, issuer=system; an empty issuer for
    sources that name none. Any other issuer gets a system of ours."""
    hl7: HL7Peer | None = None
    """Receiver of HL7 v2 results (ORU^R01) by MLLP, host:port; none: no messages."""
    emr_url: Address | None = None
    """Base address of OpenEMR, which the gateway passes on to (docs/openemr.md)."""
    emr_client_id: str = ""
    """Our client id there; empty: OpenEMR is not passed on to."""
    emr_private_key: SecretStr = SecretStr("")
    """Private RSA key in PEM form by which OpenEMR knows us."""
    emr_site: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "default"
    """Site within OpenEMR."""
    emr_scopes: ScopeList = ()
    """Scopes that are asked for of OpenEMR, comma-separated; empty: reading patients, encounters and appointments."""

    database_url: SecretStr | None = None
    """SQLAlchemy address of the database; wins over the parts below. Neither: SQLite in the data folder."""
    db_host: str | None = None
    """Host of MySQL or MariaDB."""
    db_port: Port = 3306
    """Its TCP port."""
    db_name: str = "neuronova"
    """Name of the schema."""
    db_user: str = "neuronova"
    """User."""
    db_password: SecretStr | None = None
    """Password."""
    redis_url: Annotated[SecretStr, AfterValidator(_redis_address)] | None = None
    """Address of Redis, ``redis://[:password@]host:port/number``; none: a queue in SQLite."""

    queue_secret: Secret
    """Key that signs queue messages, so that nobody who reaches Redis can make a worker run something."""
    jwt_secret: Secret
    """Key that signs access tokens."""
    jwt_access_minutes: int = Field(default=60, ge=1, le=1440)
    """Life of an access token in minutes; a revoked one is refused before."""
    jwt_refresh_days: int = Field(default=1, ge=1, le=30)
    """Life of a refresh token in days."""

    public_url: Address | None = None
    """Address under which clients reach the node, for links in answers; none: as each request says."""
    viewer_minutes: int = Field(default=30, ge=1, le=480)
    """Life of a session of the viewer in minutes."""
    viewer_cookie_secure: bool = True
    """Whether the viewer's cookie travels by https only; False in embedded mode, which is reached by plain http."""

    viewer_dir: Path | None = None
    """Folder with OHIF as `make viewer` makes it, for the API to serve itself; none: nginx serves it, or nobody."""

    api_host: str = "127.0.0.1"
    """Address on which the API listens; only the gateway should reach it."""
    api_port: ListenPort = 8000
    """TCP port of the API."""

    models_dirs: PathList = ()
    """More folders with model packages beside the built-in ones and those that were added, comma-separated."""
    execution_provider: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes the GPU where there is one."""
    intra_op_threads: int = Field(default=0, ge=0, le=1024)
    """Threads of one network run; 0: as many as cores."""

    lease_seconds: Seconds = 120.0
    """Seconds without a heartbeat after which a worker's job is taken from it."""
    reap_interval_s: Seconds = 5.0
    """Seconds between two looks for due jobs."""
    max_attempts: int = Field(default=3, ge=1, le=100)
    """Attempts of inference before a job is FAILED."""
    retry_base_s: Seconds = 10.0
    """Seconds before the second attempt; doubled for each further one."""
    delivery_deadline_hours: float = Field(default=72.0, gt=0, le=8760)
    """Hours for which delivery is tried: long enough for an archive that is down over a weekend."""

    spool_reserve_mb: int = Field(default=512, ge=0)
    """MiB of the spool's disk that stay free; below, instances are refused with A700."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest level that is logged."""
    log_format: Literal["json", "console"] = "json"
    """json for machines, console for people."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_embedded(cls, values: Any) -> Any:
        if isinstance(values, dict) and is_embedded(values):
            return {"quiet_time_s": 3.0, "viewer_cookie_secure": False, **values}
        return values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing by itself: ``load_settings`` is given the environment and knows aliases and ``_FILE``."""
        _ = settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def embedded(self) -> bool:
        """Whether the database is SQLite, so that all processes share this machine and the data folder."""
        return is_embedded(self.model_dump(include={"database_url", "db_host"}))

    @property
    def accepted_ae_titles(self) -> tuple[AETitle, ...]:
        """The AE titles under which peers may call us."""
        return self.called_ae_titles or (self.ae_title,)

    @property
    def character_sets(self) -> CharacterSets:
        """What is assumed of senders that name no character set."""
        return CharacterSets(self.default_charset, MappingProxyType(dict(self.charsets_by_ae)))

    @property
    def zone(self) -> tzinfo:
        """Where the site is."""
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)

    @property
    def spool_dir(self) -> Path:
        """Received instances."""
        return self.data_dir / "spool"

    @property
    def results_dir(self) -> Path:
        """Results that wait for delivery, and stay for the API."""
        return self.data_dir / "results"

    @property
    def archive_dir(self) -> Path:
        """The folder archive, used where no archive is named."""
        return self.data_dir / "archive"

    @property
    def reports_dir(self) -> Path:
        """FHIR bundles, used where no report server is named."""
        return self.data_dir / "reports"

    @property
    def models_store(self) -> Path:
        """Model packages that ``dicom-node models add`` brought."""
        return self.data_dir / "models"

    @property
    def secrets_dir(self) -> Path:
        """Generated secrets, readable by the owner only."""
        return self.data_dir / "secrets"

    @property
    def sqlite_path(self) -> Path:
        """The embedded database."""
        return self.data_dir / "node.sqlite3"

    @property
    def queue_path(self) -> Path:
        """The embedded queue; its own file, so that polling never waits for the database."""
        return self.data_dir / "queue.sqlite3"


def load_settings(env: Mapping[str, str] | None = None, *, keep_secrets: bool = True) -> Settings:
    """Read the settings, once, at start.

    Where the node is embedded, secrets that are not given are generated and kept in the data folder; a node on
    servers must be given them, because several machines have to share them.

    Parameters
    ----------
    env
        The environment; the process's own by default.
    keep_secrets
        False for work that needs no secret: then nothing is written, and generated secrets are forgotten.

    Raises
    ------
    ConfigurationError
        If anything is wrong; the message lists every fault, one a line, and no value.
    """
    environment = os.environ if env is None else env  # noqa: TID251 - the one place that reads the environment
    values, faults = read_variables(environment, tuple(Settings.model_fields))
    missing = [name for name in SECRET_FIELDS if name not in values] if is_embedded(values) else []
    # A candidate stands in for a secret that may be on disk, so that all faults are found before one is written.
    candidates = {name: secrets.token_urlsafe(SHORTEST_SECRET_BYTES) for name in missing}
    settings = _validated({**values, **candidates}, faults)
    if not keep_secrets:
        return settings
    kept = {name: keep_secret(settings.secrets_dir / name, candidates[name]) for name in missing}
    return _validated({**values, **kept}, []) if kept else settings


def _validated(values: Mapping[str, Any], faults: list[str]) -> Settings:
    settings = None
    try:
        settings = Settings(**values)
    except ValidationError as error:
        faults = faults + [_fault(dict(entry)) for entry in error.errors(include_input=False, include_url=False)]
    if settings is None or faults:
        raise ConfigurationError("the settings are not valid:\n" + "\n".join(f"  - {fault}" for fault in faults))
    return settings


def _fault(entry: Mapping[str, Any]) -> str:
    name = variable_name(str(entry["loc"][0])) if entry["loc"] else "settings"
    if entry["type"] == "missing":
        return f"{name} (or {name}_FILE) is required where the database is a server"
    return f"{name}: {str(entry['msg']).removeprefix('Value error, ')}"


def child_environment(values: Mapping[str, str], env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment for a node of its own in a child process: inherited, but for every setting of ours.

    Parameters
    ----------
    values
        The child's settings by variable name, e.g. ``NODE_DATA_DIR``.
    env
        The environment to inherit; the process's own by default.
    """
    environment = os.environ if env is None else env  # noqa: TID251 - the one place that reads the environment
    ours = {name for name in environment if is_ours(name)}
    return {**{name: value for name, value in environment.items() if name not in ours}, **values}
