"""The API on a real SQLite database with accounts in memory, and rows to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from control_api.app import create_app
from control_api.audit_log import AuditFilter, AuditLog
from control_api.auth import tokens
from control_api.auth.roles import known_scopes
from control_api.changes import ChangeFeed
from control_api.documents import Documents
from control_api.events import Places
from control_api.gateway.ports import Gateway
from control_api.model_services import ModelServices
from control_api.node_queries import NodeReadModel
from control_api.node_services import NodeServices
from control_api.queries import ReadModel
from control_api.services import APIOptions, Priors, Probe, Services
from inference.domain.delivery import RESULT as RESULT_ERRAND
from inference.domain.delivery import Delivery
from inference.domain.identifiers import UID
from inference.domain.job import JobState, Lease, ModelReference, QueueName
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision
from inference.errors import AccountExists, NoMatchingModel, QueueUnavailable, ReasonCode
from integrations import durable_files
from integrations.environment import Source
from integrations.persistence.audit_trail import AuditEvent, SQLAuditTrail
from integrations.persistence.deliveries import SQLDeliveryLog
from integrations.persistence.deployments import SQLDeploymentLog
from integrations.persistence.identities import SQLIdentities
from integrations.persistence.job_store import SQLJobStore
from integrations.persistence.master_data import SQLMasterData
from integrations.persistence.node_reports import SQLPeerLog, SQLWorkerRoll
from integrations.persistence.service_accounts import SQLServiceAccounts
from integrations.persistence.sessions import SQLSessions
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.tables import job_stages, jobs, series, studies
from integrations.persistence.times import to_column
from integrations.persistence.transactions import Transactions
from integrations.persistence.verifications import SQLVerificationLog
from integrations.preview_folder import PreviewFolder
from integrations.read_cache import MemoryCache, ReadCache
from integrations.settings import Settings
from integrations.shown_settings import shown_settings
from models.catalogue import BrokenPackage, FolderCatalogue, builtin_models_root
from models.model_store import ModelStore
from tests.support.fakes import NOON, CountingUIDSource, FixedCatalogue, FixedClock, RecordingQueue

KEY = "k" * 32
UPLOAD_BYTES = 1 << 20
STUDY = UID("1.2.826.0.1.3680043.8.498.1")
SERIES = UID("1.2.826.0.1.3680043.8.498.1.2")
BRAIN = ModelReference("brain_structures", "1.0.0", "d" * 64)
RESULT: dict[str, Any] = {
    "measurements": [
        {
            "label": "Thalamus",
            "code": "42695009",
            "laterality": None,
            "quantity": "Volume",
            "value": 14.2,
            "unit": "mL",
            "usual": None,
            "tracking_uid": "2.25.77",
        }
    ],
    "artifacts": [{"kind": "SEG", "sop_instance_uid": "1.2.3.4", "series_instance_uid": "1.2.3"}],
    "absent": ["Pallidum"],
    "report": "DiagnosticReport/7",
    "warnings": ["one slice was interpolated"],
}


class FakeQueue(RecordingQueue):
    """A queue that cannot be asked while it is ``away``."""

    away = False

    def depth(self, queue: QueueName) -> int:
        """Count the hints kept for one queue."""
        if self.away:
            raise QueueUnavailable("the queue does not answer")
        return super().depth(queue)


@dataclass(frozen=True)
class FakeAccount:
    """Somebody with a role; the name is the role's."""

    username: str
    role: str


@dataclass
class FakeAccounts:
    """Accounts named like their roles, with one password; ``failure`` is raised while one is set."""

    inactive: set[str] = field(default_factory=set)
    password: str = "right"
    failure: Exception | None = None

    def authenticate(self, username: str, password: str) -> FakeAccount | None:
        """Accept one password."""
        return self.find(username) if password == self.password else None

    def set_password(self, username: str, password: str) -> None:
        """Take another password from now on."""
        self.password = password

    def find(self, username: str) -> FakeAccount | None:
        """Give an account that is active."""
        self._fail_as_told()
        return None if username in self.inactive else FakeAccount(username, username)

    def _fail_as_told(self) -> None:
        if self.failure is not None:
            raise self.failure


class FakeCatalogue(FixedCatalogue):
    """The built-in model, of which the given references are versions, other models, and one broken package."""

    def __init__(self, *models: ModelReference | ModelSpec) -> None:
        spec = FolderCatalogue([builtin_models_root()]).get("brain_structures")
        super().__init__([replace(spec, reference=one) if isinstance(one, ModelReference) else one for one in models])
        self._folder = spec.graph.weights.parent
        self.broken = [BrokenPackage(Path("packages") / "odd", "weights.sha256: field required")]

    def folder(self, reference: ModelReference) -> Path:
        """Give the folder of the built-in model, whose versions they all are."""
        self.exactly(reference)
        return self._folder


@dataclass
class ControlAPI:
    """The application under test and everything behind it.

    Parameters
    ----------
    engine, clock, accounts, queue
        What the API is wired to.
    unwanted
        Series that no model wants.
    probes
        Readiness checks.
    options
        Facts of the node that differ from the usual; nobody is counted unless ``limits`` says so.
    cache, version_seconds
        Where answers are kept (in memory by default), and how long they are believed without a look at the database.
    event_streams
        Room for streams of events.
    gateway
        Servers behind the gateway; none by default.
    priors
        The archive that has earlier studies.
    """

    engine: Engine
    folder: Path
    clock: FixedClock = field(default_factory=FixedClock)
    accounts: Any = field(default_factory=FakeAccounts)
    queue: FakeQueue = field(default_factory=FakeQueue)
    catalogue: Any = field(default_factory=lambda: FakeCatalogue(BRAIN))
    unwanted: set[UID] = field(default_factory=set)
    probes: dict[str, Probe] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    cache: ReadCache | None = None
    version_seconds: float = 0.0
    event_streams: int = 1
    gateway: Gateway = field(default_factory=Gateway)
    priors: Priors | None = None

    def __post_init__(self) -> None:
        uid_source = CountingUIDSource()
        self.sessions = SQLSessions(self.engine, self.clock, uid_source, refresh_days=7)
        self.service_accounts = SQLServiceAccounts(self.engine, self.clock, uid_source)
        transactions = Transactions(self.engine, self.clock)
        changes = ChangeFeed(transactions)
        self.services = Services(
            jobs=SQLJobStore(self.engine, self.clock, uid_source),
            studies=SQLStudyIndex(self.engine, self.clock, self.folder),
            queue=self.queue,
            catalogue=self.catalogue,
            accounts=self.accounts,
            sessions=self.sessions,
            service_accounts=self.service_accounts,
            identities=SQLIdentities(self.engine, self.clock),
            audit=SQLAuditTrail(self.engine, self.clock),
            audit_log=AuditLog(transactions),
            queries=ReadModel(transactions),
            changes=changes,
            documents=Documents(self.cache or MemoryCache(self.clock), changes, self.version_seconds),
            event_places=Places(self.event_streams),
            master_data=SQLMasterData(self.engine, self.clock),
            priors=self.priors,
            previews=PreviewFolder(self.folder / "previews"),
            match=self._match,
            probes=self.probes,
            models=self._models(uid_source),
            node=self._node(),
            clock=self.clock,
            uid_source=uid_source,
            options=APIOptions("9.8.7", "NEURONOVA", KEY, 60, self.folder, **self.options),
            gateway=self.gateway,
        )
        self.app = create_app(self.services)
        self.client: FlaskClient = self.app.test_client()

    def _models(self, uid_source: CountingUIDSource) -> ModelServices:
        return ModelServices(
            packages=self.catalogue,
            decisions=SQLDeploymentLog(self.engine, self.clock),
            store=ModelStore(self.folder / "models", durable_files),
            verifications=SQLVerificationLog(self.engine, self.clock, uid_source),
            node_version="9.8.7",
            upload_bytes=UPLOAD_BYTES,
        )

    def _node(self) -> NodeServices:
        settings = Settings(data_dir=self.folder, queue_secret="q" * 32, jwt_secret="j" * 32)  # type: ignore[arg-type]
        return NodeServices(
            queries=NodeReadModel(Transactions(self.engine, self.clock)),
            workers=SQLWorkerRoll(self.engine, self.clock),
            peers=SQLPeerLog(self.engine, self.clock),
            data_dir=self.folder,
            settings=shown_settings(settings, {"data_dir": Source.ENVIRONMENT, "jwt_secret": Source.FILE}),
        )

    def _match(self, revision: SeriesRevision) -> Sequence[ModelSpec]:
        if revision.series_instance_uid in self.unwanted:
            raise NoMatchingModel(ReasonCode.MODALITY, "no model takes CT")
        return self.catalogue.active()

    def bearer(self, role: str) -> dict[str, str]:
        """Give the header of somebody who is logged in; for ``service`` that of a program with every scope."""
        if role == "service":
            return {"X-API-Key": self.key(*known_scopes(self.app))}
        with self.app.app_context():
            return {"Authorization": f"Bearer {tokens.issue(FakeAccount(role, role), self._session(role))[0]}"}

    def key(self, *scopes: str) -> str:
        """Give the key of a program named ``service``, which has these scopes from now on."""
        try:
            self.service_accounts.create("service", "a program", scopes)
        except AccountExists:
            self.service_accounts.change("service", scopes=scopes)
        return self.service_accounts.issue_key("service", days=None).key

    def _session(self, role: str) -> str:
        return self.sessions.open(role).session_id

    def get(self, path: str, role: str = "nurse") -> TestResponse:
        """Read as somebody."""
        return self.client.get(path, headers=self.bearer(role))

    def post(self, path: str, body: object = None, role: str = "technician") -> TestResponse:
        """Write as somebody."""
        return self.client.post(path, json=body, headers=self.bearer(role))

    def events(self) -> list[AuditEvent]:
        """Give the audit trail, oldest first."""
        return list(reversed(self.services.audit_log.list_events(AuditFilter(), 200).items))

    # --- rows -----------------------------------------------------------------------------------------------------

    def has_study(self, study_uid: UID = STUDY, minutes: float = 0, **columns: Any) -> None:
        """Put a study there, received some minutes after noon."""
        at = to_column(NOON + timedelta(minutes=minutes))
        row = {"study_instance_uid": study_uid, "first_received_at": at, "last_received_at": at}
        self._insert(studies, row | columns)

    def has_series(self, series_uid: UID = SERIES, study_uid: UID = STUDY, **columns: Any) -> None:
        """Put a closed series there."""
        at = to_column(NOON)
        row = {
            "series_instance_uid": series_uid,
            "study_instance_uid": study_uid,
            "receiving": False,
            "instance_count": 3,
            "evidence": "quiet_time",
            "decision": "analysed",
            "first_received_at": at,
            "last_received_at": at,
            "completed_at": at,
        }
        self._insert(series, row | columns)

    def has_job(self, number: int, state: JobState = JobState.COMPLETED, **columns: Any) -> str:
        """Put a job of the built-in model there, made some minutes after noon, and give its id."""
        at = to_column(NOON + timedelta(minutes=number))
        row = {
            "job_id": f"{0xA000 + number:032x}",
            "study_instance_uid": STUDY,
            "series_instance_uid": SERIES,
            "revision": 1,
            "model_id": BRAIN.model_id,
            "model_version": BRAIN.version,
            "model_digest": BRAIN.digest,
            "run": number,
            "state": state.value,
            "created_at": at,
            "updated_at": at,
        }
        self._insert(jobs, row | columns)
        return str(row["job_id"])

    def has_stage(self, job_id: str, stage: str, seconds: float) -> None:
        """Note the time of a stage."""
        row = {"job_id": job_id, "stage": stage, "attempt": 1, "started_at": to_column(NOON), "seconds": seconds}
        self._insert(job_stages, row)

    def has_delivery(self, lease: Lease, destination: str) -> Delivery:
        """Let a worker plan to bring the result somewhere."""
        [delivery] = SQLDeliveryLog(self.engine, self.clock).plan(lease, RESULT_ERRAND, [destination])
        return delivery

    def _insert(self, table: Any, row: Mapping[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(table.insert().values(**row))


@pytest.fixture
def api(sqlite_engine: Engine, tmp_path: Path) -> ControlAPI:
    """Give the API on an empty database."""
    return ControlAPI(sqlite_engine, tmp_path)


@pytest.fixture
def api_with(sqlite_engine: Engine, tmp_path: Path) -> Callable[..., ControlAPI]:
    """Give a maker of APIs with parts of the test's own."""
    return lambda **parts: ControlAPI(sqlite_engine, tmp_path, **parts)
