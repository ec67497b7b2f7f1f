"""The composition root of periodic work and notifications: settings in, wired tasks out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import httpx
from sqlalchemy import Engine

from dicom_node.cleaning import Cleaning, CleaningPlaces
from dicom_node.daily_summary import DailySummary, SummaryPlaces
from dicom_node.notifications import NotificationSender
from dicom_node.patient_sync import TASK as PATIENTS
from dicom_node.patient_sync import PatientSync
from dicom_node.periodic import daily, every, in_turn
from inference.errors import ConfigurationError
from inference.ports import Notifier
from integrations.http_login import Login
from integrations.notify.log_notifier import LogNotifier
from integrations.notify.mail import MailSender, MailServer
from integrations.notify.notification import Channel, Sender
from integrations.notify.several import OutboxNotifier, SeveralNotifiers
from integrations.notify.webhook import TIMEOUT_SECONDS as WEBHOOK_SECONDS
from integrations.notify.webhook import WebhookSender
from integrations.orthanc.rest import OrthancREST
from integrations.patients.emr import EMRPatients
from integrations.patients.orthanc import OrthancPatients
from integrations.patients.source import PatientSource
from integrations.patients.synchroniser import PatientSynchroniser
from integrations.periodic_queue import PeriodicTask
from integrations.persistence.day_counts import SQLDayCounts
from integrations.persistence.engine import make_engine
from integrations.persistence.notifications import SQLNotificationOutbox
from integrations.persistence.periodic_runs import SQLTurns
from integrations.persistence.retention import SQLRetention
from integrations.preview_folder import PreviewFolder
from integrations.result_folder import FolderResultStore
from integrations.settings import Settings
from integrations.system import SystemClock
from integrations.upstream.emr_login import TokenAuth, emr_tokens

EMAIL: Final = "email"
HTTP_TIMEOUT_SECONDS: Final = 60.0
CLEANING: Final = "clean"
SUMMARY: Final = "daily_summary"


def build_notifier(settings: Settings, engine: Engine) -> Notifier:
    """Give who is told when a job ends: the log, and the outbox."""
    return SeveralNotifiers([LogNotifier(), OutboxNotifier(build_outbox(settings, engine))])


def build_outbox(settings: Settings, engine: Engine) -> SQLNotificationOutbox:
    """Give the outbox of the channels that the settings name."""
    told = frozenset(settings.webhook_states)
    channels = [Channel(webhook_channel(address), told) for address in settings.webhooks]
    if settings.smtp_host is not None:
        channels.append(Channel(EMAIL, frozenset(settings.email_states)))
    return SQLNotificationOutbox(engine, SystemClock(), channels)


def webhook_channel(address: str) -> str:
    """Name the channel of a webhook; its address may hold a key, and does not go into the database."""
    return f"webhook-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


def build_senders(settings: Settings) -> dict[str, Sender]:
    """Give how each channel is told."""
    senders: dict[str, Sender] = {}
    if settings.webhook_secret is not None:
        secret, client = settings.webhook_secret.get_secret_value(), httpx.Client(timeout=WEBHOOK_SECONDS)
        for address in settings.webhooks:
            senders[webhook_channel(address)] = WebhookSender(address, secret, client, SystemClock())
    if settings.smtp_host is not None and settings.email_from is not None:
        server = _mail_server(settings, settings.smtp_host)
        senders[EMAIL] = MailSender(server, settings.email_from, settings.email_to)
    return senders


def _mail_server(settings: Settings, host: str) -> MailServer:
    login = Login(settings.smtp_user, settings.smtp_password.get_secret_value()) if settings.smtp_user else None
    return MailServer(host, settings.smtp_port, settings.smtp_security, login, settings.smtp_ca_bundle)


def build_patient_sync(settings: Settings, engine: Engine) -> PatientSync:
    """Give what synchronises patients.

    Parameters
    ----------
    settings
        Archive, EMR and report server.
    engine
        Keeps the reports.

    Raises
    ------
    ConfigurationError
        If there is no report server, or nobody who knows patients.
    """
    sources = patient_sources(settings)
    if settings.report_url is None or not sources:
        raise ConfigurationError("to synchronise patients, NODE_REPORT_URL and NODE_ARCHIVE_REST_URL must be set")
    clock = SystemClock()
    client = httpx.Client(timeout=HTTP_TIMEOUT_SECONDS)
    return PatientSync(PatientSynchroniser(settings.report_url, client, clock), sources, SQLTurns(engine, clock))


def patient_sources(settings: Settings) -> Sequence[PatientSource]:
    """Give who knows patients; the EMR last, for its word rules."""
    sources: list[PatientSource] = []
    systems = dict(settings.patient_systems)
    if settings.archive_rest_url is not None:
        user, password = settings.archive_rest_user, settings.archive_rest_password.get_secret_value()
        client = httpx.Client(timeout=HTTP_TIMEOUT_SECONDS, auth=(user, password) if user else None)
        sources.append(OrthancPatients(OrthancREST(settings.archive_rest_url, client), systems))
    tokens = emr_tokens(settings, httpx.Client(timeout=HTTP_TIMEOUT_SECONDS), SystemClock())
    if tokens is not None:
        emr = httpx.Client(timeout=HTTP_TIMEOUT_SECONDS, auth=TokenAuth(tokens))
        system = settings.emr_patient_system or systems.get("", "")
        sources.append(EMRPatients(f"{settings.emr_url}/apis/{settings.emr_site}/fhir", emr, system))
    return sources


def build_periodic_tasks(settings: Settings, engine: Engine | None = None) -> list[PeriodicTask]:
    """Give what the settings want to be done again and again."""
    database = engine or make_engine(settings)
    outbox, turns = build_outbox(settings, database), SQLTurns(database, SystemClock())
    tasks = [_cleaning(settings, database, outbox, turns)]
    senders = build_senders(settings)
    if senders:
        sender = NotificationSender(outbox, senders, SystemClock())
        tasks.append(PeriodicTask("notify", "*", sender.make_round))
    if settings.patient_sync_minutes:
        tasks.append(_patients(settings, build_patient_sync(settings, database), turns))
    if EMAIL in senders and settings.summary_at != "never":
        tasks.append(_summary(settings, database, outbox, turns))
    return tasks


def _cleaning(settings: Settings, engine: Engine, outbox: SQLNotificationOutbox, turns: SQLTurns) -> PeriodicTask:
    clock = SystemClock()
    retention = SQLRetention(engine, clock, settings.spool_dir)
    results, previews = FolderResultStore(settings.results_dir), PreviewFolder(settings.previews_dir)
    places = CleaningPlaces(retention, results, previews, outbox, turns, clock)
    cleaning = Cleaning(places, settings.spool_retention_days, settings.results_retention_days)

    def run() -> None:
        """Clean once a day, at night."""
        in_turn(turns, CLEANING, daily("02:00", clock.now(), settings.zone), cleaning.clean)

    return PeriodicTask(CLEANING, "*/10", run)


def _patients(settings: Settings, sync: PatientSync, turns: SQLTurns) -> PeriodicTask:
    clock = SystemClock()

    def run() -> None:
        """Synchronise once in so many minutes."""
        in_turn(turns, PATIENTS, every(settings.patient_sync_minutes, clock.now()), sync.run)

    return PeriodicTask(PATIENTS, "*", run)


def _summary(settings: Settings, engine: Engine, outbox: SQLNotificationOutbox, turns: SQLTurns) -> PeriodicTask:
    clock = SystemClock()
    places = SummaryPlaces(SQLDayCounts(engine, clock), outbox, turns, clock, settings.data_dir)
    summary = DailySummary(places, EMAIL, PATIENTS, settings.zone)

    def run() -> None:
        """Write the summary of a day once."""
        day = daily(settings.summary_at, clock.now(), settings.zone)
        in_turn(turns, SUMMARY, day, lambda: summary.write(str(day)))

    return PeriodicTask(SUMMARY, "*/5", run)


def sync_by_hand(settings: Settings, *, everything: bool) -> dict[str, Any]:
    """Synchronise patients now, and keep the report beside those of the crontab.

    Raises
    ------
    ConfigurationError
        If there is no report server, or nobody who knows patients.
    FHIRUnavailable
        If the report server does not answer.
    """
    engine, clock = make_engine(settings), SystemClock()
    turns = SQLTurns(engine, clock)
    sync = build_patient_sync(settings, engine)
    turn = turns.begin(PATIENTS, f"by hand {clock.now():%Y%m%dT%H%M%S.%f}")
    report = sync.run(everything=everything)
    if turn is not None:
        turns.finish(turn, report)
    return report
