"""The composition root of the HTTP door: settings in, wired services out; nothing is wired anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from types import MappingProxyType
from typing import Final

import httpx
from sqlalchemy import Engine

from control_api.access import OIDCOptions, RateLimits
from control_api.audit_log import AuditLog
from control_api.auth.audit import RequestTrail
from control_api.changes import ChangeFeed
from control_api.documents import Documents
from control_api.events import Places
from control_api.gateway.wiring import build_gateway
from control_api.model_services import ModelServices
from control_api.node_queries import NodeReadModel
from control_api.node_services import NodeServices
from control_api.queries import ReadModel
from control_api.readiness import disk_probe
from control_api.services import APIOptions, Probe, Services
from inference.domain.charsets import CharacterSets
from inference.domain.job import QueueName
from inference.domain.model_spec import Deployment, ModelSpec
from inference.domain.study import SeriesRevision
from inference.errors import InstanceUnreadable, NodeError, StoreUnavailable
from inference.ports import DeploymentLog, JobQueue, ModelCatalogue
from inference.reading import describe_revision
from inference.selection import select
from integrations import durable_files
from integrations.environment import Source
from integrations.orthanc.priors import OrthancPriors
from integrations.orthanc.rest import OrthancREST
from integrations.persistence.audit_trail import SQLAuditTrail
from integrations.persistence.deployments import SQLDeploymentLog
from integrations.persistence.engine import make_engine
from integrations.persistence.identities import SQLIdentities
from integrations.persistence.job_store import JobStoreOptions, SQLJobStore
from integrations.persistence.master_data import SQLMasterData
from integrations.persistence.migrations import is_current
from integrations.persistence.node_reports import SQLPeerLog, SQLWorkerRoll
from integrations.persistence.service_accounts import SQLServiceAccounts
from integrations.persistence.sessions import SQLSessions
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.transactions import Transactions
from integrations.persistence.users import SQLUserStore
from integrations.persistence.verifications import SQLVerificationLog
from integrations.preview_folder import PreviewFolder
from integrations.read_cache import make_read_cache
from integrations.settings import Settings
from integrations.shown_settings import shown_settings
from integrations.system import RandomUIDSource, SystemClock
from integrations.taskqueue import make_job_queue
from models.catalogue import FolderCatalogue, builtin_models_root
from models.model_store import ModelStore

ARCHIVE_SECONDS: Final = 20.0
"""How long a person waits for the archive's answer."""


def build_services(settings: Settings, sources: Mapping[str, Source] = MappingProxyType({})) -> Services:
    """Wire what the API may call; nothing is connected yet, so that it starts while the database is still away.

    Parameters
    ----------
    settings
        The node's.
    sources
        Where each comes from, to be shown.

    Raises
    ------
    ConfigurationError
        If the address of the database or of the queue, or the key for the medical record, is not valid.
    """
    clock, uid_source = SystemClock(), RandomUIDSource()
    engine = make_engine(settings)
    queue = make_job_queue(settings, None)
    log = SQLDeploymentLog(engine, clock)
    catalogue = FolderCatalogue([builtin_models_root(), *settings.models_dirs], settings.models_store, log)
    transactions = Transactions(engine, clock)
    changes, trail = ChangeFeed(transactions), SQLAuditTrail(engine, clock)
    return Services(
        jobs=SQLJobStore(engine, clock, uid_source, JobStoreOptions(max_attempts=settings.max_attempts)),
        studies=SQLStudyIndex(engine, clock, settings.spool_dir, uid_source),
        queue=queue,
        catalogue=catalogue,
        accounts=SQLUserStore(engine, clock),
        sessions=SQLSessions(engine, clock, uid_source, settings.jwt_refresh_days),
        service_accounts=SQLServiceAccounts(engine, clock, uid_source),
        identities=SQLIdentities(engine, clock),
        audit=trail,
        audit_log=AuditLog(transactions),
        queries=ReadModel(transactions),
        changes=changes,
        documents=Documents(make_read_cache(settings, clock), changes),
        event_places=Places(settings.event_streams),
        master_data=SQLMasterData(engine, clock),
        previews=PreviewFolder(settings.previews_dir),
        priors=_priors(settings),
        match=_matcher(catalogue, settings.character_sets),
        probes=_probes(settings, engine, queue),
        models=_models(settings, engine, catalogue, log),
        node=_node(settings, engine, sources),
        clock=clock,
        uid_source=uid_source,
        options=_options(settings),
        gateway=build_gateway(settings, clock, uid_source, RequestTrail()),
    )


def _models(settings: Settings, engine: Engine, catalogue: FolderCatalogue, log: DeploymentLog) -> ModelServices:
    return ModelServices(
        packages=catalogue,
        decisions=log,
        store=ModelStore(settings.models_store, durable_files),
        verifications=SQLVerificationLog(engine, SystemClock(), RandomUIDSource()),
        node_version=version("neuronova-node"),
        upload_bytes=settings.model_upload_mb * 2**20,
    )


def _node(settings: Settings, engine: Engine, sources: Mapping[str, Source]) -> NodeServices:
    clock = SystemClock()
    return NodeServices(
        queries=NodeReadModel(Transactions(engine, clock)),
        workers=SQLWorkerRoll(engine, clock),
        peers=SQLPeerLog(engine, clock),
        data_dir=settings.data_dir,
        reserve_bytes=settings.spool_reserve_mb * 2**20,
        settings=shown_settings(settings, sources),
    )


def _priors(settings: Settings) -> OrthancPriors | None:
    if settings.archive_rest_url is None:
        return None
    password = settings.archive_rest_password.get_secret_value()
    login = (settings.archive_rest_user, password) if settings.archive_rest_user else None
    client = httpx.Client(timeout=ARCHIVE_SECONDS, auth=login)
    return OrthancPriors(OrthancREST(settings.archive_rest_url, client), settings.ae_title)


def _options(settings: Settings) -> APIOptions:
    return APIOptions(
        version=version("neuronova-node"),
        ae_title=settings.ae_title,
        jwt_key=settings.jwt_secret.get_secret_value(),
        access_minutes=settings.jwt_access_minutes,
        data_dir=settings.data_dir,
        organization=settings.organization,
        zone=settings.zone,
        cookie_secure=settings.cookie_secure,
        trusted_proxies=settings.trusted_proxies,
        limits=_limits(settings),
        oidc=_oidc(settings),
    )


def _limits(settings: Settings) -> RateLimits:
    """Count in Redis where there is one, so that all workers count together."""
    address = settings.redis_url.get_secret_value() if settings.redis_url else "memory://"
    storage = address.replace("unix://", "redis+unix://", 1) if address.startswith("unix://") else address
    return RateLimits(settings.rate_limit, settings.login_rate_limit, settings.picture_rate_limit, storage)


def _oidc(settings: Settings) -> OIDCOptions | None:
    if settings.oidc_issuer is None or settings.public_url is None:
        return None
    return OIDCOptions(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        public_url=settings.public_url,
        username_claim=settings.oidc_username_claim,
        role_claim=settings.oidc_role_claim,
        roles=dict(settings.oidc_roles),
    )


def _matcher(catalogue: ModelCatalogue, charsets: CharacterSets) -> Callable[[SeriesRevision], Sequence[ModelSpec]]:
    """Select by the same rules, from the same headers, as the intake does on arrival; who orders wants an answer.

    A model in shadow gives none.
    """

    def match(series: SeriesRevision) -> Sequence[ModelSpec]:
        """Select models for a series by its headers."""
        try:
            header = describe_revision(series, charsets)
        except NodeError:
            raise
        except Exception as error:  # headers made by strangers
            raise InstanceUnreadable(f"the headers cannot be read ({type(error).__name__})") from error
        answering = [spec for spec in catalogue.active() if spec.deployment is Deployment.ACTIVE]
        selection = select(header, answering)
        if selection.refusal is not None:
            raise selection.refusal
        return selection.matches

    return match


def _probes(settings: Settings, engine: Engine, queue: JobQueue) -> dict[str, Probe]:
    def database() -> None:
        """Ask whether the schema is this version's."""
        if not is_current(engine):
            raise StoreUnavailable("the database lacks this version's schema (dicom-node migrate)")

    def ask_queue() -> None:
        """Ask whether the queue answers."""
        queue.depth(QueueName.INFERENCE)

    disk = disk_probe(settings.data_dir, settings.spool_reserve_mb * 2**20)
    return {"database": database, "queue": ask_queue, "disk": disk}
