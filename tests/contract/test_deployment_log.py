"""The log of decisions about models: on SQLite and on MariaDB."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import URL, Engine

from inference.domain.deployment import DeploymentEvent, present
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment
from inference.errors import StoreUnavailable
from integrations.persistence.deployments import SQLDeploymentLog, find_recall
from integrations.persistence.engine import engine_for
from tests.support.fakes import NOON, FixedClock

FIRST = ModelReference("brain_structures", "1.0.0", "d" * 64)
SECOND = ModelReference("brain_structures", "1.1.0-rc.1", "e" * 64)


def decided(model: ModelReference, deployment: Deployment, minute: int, reason: str = "") -> DeploymentEvent:
    """Give a decision, some minutes after noon."""
    return DeploymentEvent(NOON + timedelta(minutes=minute, microseconds=1), model, deployment, "operator", reason)


def test_what_is_recorded_is_read_back_in_order(database: Engine) -> None:
    """Every part of every event, in the order of the decisions, whatever the clock said."""
    log = SQLDeploymentLog(database, FixedClock())
    events = [
        decided(FIRST, Deployment.ACTIVE, 5),
        decided(SECOND, Deployment.SHADOW, 4),
        decided(SECOND, Deployment.ACTIVE, 4),
        decided(SECOND, Deployment.RECALLED, 9, "Seiten vertauscht: 左 und 右"),
    ]
    assert list(log.events()) == []

    for event in events:
        log.record(event)

    assert list(SQLDeploymentLog(database, FixedClock()).events()) == events
    assert present(log.events()) == {FIRST: Deployment.INACTIVE, SECOND: Deployment.RECALLED}


def test_a_recall_is_found(database: Engine) -> None:
    """By the exact version; the first one, if somebody recalls it again."""
    log = SQLDeploymentLog(database, FixedClock())
    log.record(decided(SECOND, Deployment.ACTIVE, 1))
    first = decided(SECOND, Deployment.RECALLED, 2, "why")
    log.record(first)
    log.record(decided(SECOND, Deployment.RECALLED, 3, "once more"))

    with database.connect() as connection:
        assert find_recall(connection, SECOND) == first
        assert find_recall(connection, FIRST) is None
        assert find_recall(connection, None) is None


def test_a_log_that_is_away_is_said_so() -> None:
    """A database that does not answer is one error of ours."""
    log = SQLDeploymentLog(engine_for(URL.create("mysql+pymysql", "nobody", None, "127.0.0.1", 1, "x")), FixedClock())

    with pytest.raises(StoreUnavailable):
        log.events()
    with pytest.raises(StoreUnavailable):
        log.record(decided(FIRST, Deployment.ACTIVE, 1))
