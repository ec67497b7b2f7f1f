"""What the settings want to be done again and again, and told to whom."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event, Thread

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import insert, select, update
from structlog.testing import capture_logs

from dicom_node import bootstrap
from dicom_node.bootstrap import build_worker, prepare
from dicom_node.periodic_bootstrap import (
    EMAIL,
    build_notifier,
    build_outbox,
    build_patient_sync,
    build_periodic_tasks,
    build_senders,
    patient_sources,
    webhook_channel,
)
from inference.domain.identifiers import JobID
from inference.domain.job import JobState, QueueName
from inference.errors import ConfigurationError
from integrations.persistence.engine import make_engine
from integrations.persistence.job_store import SQLJobStore
from integrations.persistence.periodic_runs import SQLTurns
from integrations.persistence.tables import jobs, notifications, periodic_runs
from integrations.persistence.times import to_column
from integrations.settings import Settings
from integrations.system import RandomUIDSource, SystemClock
from tests.support.http_listener import HTTPListener
from tests.support.mail_server import running_mail_server
from tests.support.waiting import wait_until

SECRET = "w" * 32


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the environment of an embedded node."""
    monkeypatch.setattr(bootstrap, "configure_logs", lambda _: None)
    return {"NODE_DATA_DIR": str(tmp_path / "data"), "NODE_EXECUTION_PROVIDER": "cpu", "NODE_REAP_INTERVAL_S": "0.05"}


def names(settings: Settings) -> list[str]:
    """Name the tasks."""
    return [task.name for task in build_periodic_tasks(settings)]


def test_a_node_that_is_told_nothing_only_cleans(environment: dict[str, str]) -> None:
    """Expired tokens and old turns go; nobody is told, and no patient is brought anywhere."""
    settings = prepare(environment)
    assert names(settings) == ["clean"]
    assert build_senders(settings) == {}


def test_what_the_settings_name_is_done(environment: dict[str, str]) -> None:
    """Each channel has a sender under its name; the address of a webhook is not part of it."""
    environment |= {
        "NODE_WEBHOOKS": "https://a.example/key-1,https://b.example",
        "NODE_WEBHOOK_SECRET": SECRET,
        "NODE_SMTP_HOST": "mail.example",
        "NODE_EMAIL_FROM": "a@b.example",
        "NODE_EMAIL_TO": "c@d.example",
        "NODE_PATIENT_SYNC_MINUTES": "15",
        "NODE_REPORT_URL": "http://fhir.example/fhir",
        "NODE_ARCHIVE_REST_URL": "http://orthanc.example",
    }
    settings = prepare(environment)
    assert names(settings) == ["clean", "notify", "sync_patients", "daily_summary"]
    senders = build_senders(settings)
    assert set(senders) == {EMAIL, webhook_channel("https://a.example/key-1"), webhook_channel("https://b.example")}
    assert not [name for name in senders if "key" in name]
    environment["NODE_SUMMARY_AT"] = "never"
    assert "daily_summary" not in names(prepare(environment))


def test_patients_need_a_source_and_a_server(environment: dict[str, str]) -> None:
    """A schedule that could do nothing is a fault of the configuration."""
    settings = prepare(environment | {"NODE_REPORT_URL": "http://fhir.example/fhir"})
    with pytest.raises(ConfigurationError):
        build_patient_sync(settings, make_engine(settings))
    environment["NODE_PATIENT_SYNC_MINUTES"] = "15"
    with pytest.raises(ConfigurationError):
        build_periodic_tasks(prepare(environment))


def test_the_emr_is_asked_only_with_a_login(environment: dict[str, str]) -> None:
    """And after the archive, so that its word stands."""
    environment |= {"NODE_ARCHIVE_REST_URL": "http://orthanc.example", "NODE_EMR_URL": "https://emr.example"}
    assert [source.name for source in patient_sources(prepare(environment))] == ["orthanc"]
    key = str(RSAKey.generate_key(2048, private=True).as_pem(private=True).decode())
    environment |= {"NODE_EMR_CLIENT_ID": "node", "NODE_EMR_PRIVATE_KEY": key}
    assert [source.name for source in patient_sources(prepare(environment))] == ["orthanc", "emr"]


def ended_job(settings: Settings, state: JobState) -> JobID:
    """Put a job there that has just ended."""
    now = to_column(SystemClock().now())
    row = {
        "job_id": "a" * 32,
        "study_instance_uid": "1.2",
        "series_instance_uid": "1.2.3",
        "revision": 1,
        "model_id": "brain",
        "model_version": "1.0.0",
        "model_digest": "d" * 64,
        "state": state.value,
        "created_at": now,
        "updated_at": now,
    }
    with make_engine(settings).begin() as connection:
        connection.execute(insert(jobs).values(**row))
    return JobID("a" * 32)


def test_a_job_that_ends_is_told_by_mail_and_webhook(
    environment: dict[str, str], http_listener: HTTPListener
) -> None:
    """From the worker's notifier through the database to real servers, once."""
    with running_mail_server("none") as mailbox:
        environment |= {
            "NODE_WEBHOOKS": http_listener.address,
            "NODE_WEBHOOK_SECRET": SECRET,
            "NODE_SMTP_HOST": "127.0.0.1",
            "NODE_SMTP_PORT": str(mailbox.port),
            "NODE_SMTP_SECURITY": "none",
            "NODE_EMAIL_FROM": "node@hospital.example",
            "NODE_EMAIL_TO": "it@hospital.example",
            "NODE_SUMMARY_AT": "00:00",
        }
        settings = prepare(environment)
        engine = make_engine(settings)
        job_id = ended_job(settings, JobState.FAILED)
        job = SQLJobStore(engine, SystemClock(), RandomUIDSource()).get(job_id)
        tasks = {task.name: task for task in build_periodic_tasks(settings, engine)}
        with capture_logs():
            build_notifier(settings, engine).job_ended(job)
            for name in ("notify", "daily_summary", "notify", "daily_summary", "notify"):
                tasks[name].run()

    (message,) = http_listener.received
    assert json.loads(message.body)["data"]["job_id"] == job_id
    subjects = [str(one["Subject"]) for one in mailbox.messages]
    assert subjects[0] == "NeuroNova Node: job FAILED"
    assert [subject.split(" (")[0] for subject in subjects[1:]] == ["NeuroNova Node: 0 completed, 1 failed"]
    with engine.connect() as connection:
        assert set(connection.scalars(select(notifications.c.state))) == {"sent"}
        stored = str(connection.execute(select(notifications)).all())
    assert http_listener.address not in stored


def test_a_job_that_nobody_told_of_is_told(environment: dict[str, str], http_listener: HTTPListener) -> None:
    """The worker was killed between the end and the note of it."""
    environment |= {"NODE_WEBHOOKS": http_listener.address, "NODE_WEBHOOK_SECRET": SECRET}
    settings = prepare(environment)
    (notify,) = (task for task in build_periodic_tasks(settings) if task.name == "notify")
    with capture_logs():
        notify.run()
        ended_job(settings, JobState.COMPLETED)
        notify.run()
        notify.run()
    assert len(http_listener.received) == 1


def test_cleaning_is_done_once_a_day(environment: dict[str, str]) -> None:
    """However often the crontab says so; its report is kept."""
    noon_here = f"Etc/GMT{SystemClock().now().hour - 12:+d}"  # these names count westwards
    settings = prepare(environment | {"NODE_TIMEZONE": noon_here})
    engine = make_engine(settings)
    (clean,) = build_periodic_tasks(settings, engine)
    with capture_logs() as lines:
        clean.run()
        clean.run()
    assert [line["event"] for line in lines] == ["cleaning.done"]
    assert SQLTurns(engine, SystemClock()).last_report("clean") is not None


def test_the_delivery_worker_looks_at_the_crontab(environment: dict[str, str], http_listener: HTTPListener) -> None:
    """A real worker process with Huey on SQLite tells what ended while it was off, and stops when it is told to."""
    environment |= {"NODE_WEBHOOKS": http_listener.address, "NODE_WEBHOOK_SECRET": SECRET}
    settings = prepare(environment)
    outbox = build_outbox(settings, make_engine(settings))
    outbox.tell_of(ended_job(settings, JobState.COMPLETED))
    stop = Event()
    with capture_logs():
        thread = Thread(target=build_worker(settings, QueueName.DELIVERY, 1).run, args=(stop,))
        thread.start()
        try:
            wait_until(lambda: http_listener.received, 60, "the webhook")
        finally:
            stop.set()
            thread.join(60)
    assert not thread.is_alive()


def test_a_turn_belongs_to_the_database(environment: dict[str, str]) -> None:
    """A turn that is not over keeps everybody else out."""
    settings = prepare(environment)
    engine = make_engine(settings)
    turns = SQLTurns(engine, SystemClock())
    assert turns.begin("clean", "a") is not None
    assert SQLTurns(engine, SystemClock()).begin("clean", "a") is None
    with engine.begin() as connection:
        connection.execute(update(periodic_runs).values(error_code="x", finished_at=to_column(SystemClock().now())))
    assert turns.begin("clean", "a") is None
