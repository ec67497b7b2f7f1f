"""Verifications of models in SQL: asked for by people, made by workers, and sent to the queue like jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, and_, insert, or_, select, update

from inference.domain.identifiers import JobID
from inference.domain.job import About, Hint, ModelReference, QueueName
from inference.domain.verification import OPEN, Subject, Verification, VerificationFault, VerificationState
from inference.ports import Clock, UIDSource
from integrations.persistence.tables import model_verifications as rows
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

REPEAT_SECONDS: Final = 60.0
"""A message that had no effect for so long counts as lost."""

MOST_ATTEMPTS: Final = 2
"""A graph that takes its worker down does so once more, and then no further."""

LOST: Final = VerificationFault(
    "graph", "the worker was lost each time it looked at it: too little memory, or a graph that ends its process"
)


class SQLVerificationLog:
    """Verifications in SQLite, MySQL or MariaDB; every method raises StoreUnavailable where it cannot be asked.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time of requests and leases.
    uid_source
        Gives ids.
    """

    def __init__(self, engine: Engine, clock: Clock, uid_source: UIDSource) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._uid_source = uid_source

    def request(self, subject: Subject, requested_by: str) -> Verification:
        """Ask for a look at a version; one that was asked for and has not ended is given instead of another.

        Parameters
        ----------
        subject
            What is to be looked over.
        requested_by
            Who asks.
        """
        verification_id = self._uid_source.job_id()
        row = {
            "verification_id": verification_id,
            "model_id": subject.model.model_id,
            "model_version": subject.model.version,
            "model_digest": subject.model.digest,
            "manifest_sha256": subject.manifest_sha256,
            "node_version": subject.node_version,
            "state": VerificationState.REQUESTED,
            "requested_at": to_column(self._clock.now()),
            "requested_by": requested_by[:64],
        }

        def work(connection: Connection) -> Row[Any]:
            open_ones = select(rows).where(*_about(subject), rows.c.state.in_(OPEN)).limit(1)
            found = connection.execute(open_ones).one_or_none()
            if found is not None:
                return found
            connection.execute(insert(rows).values(row))
            return connection.execute(select(rows).where(_is(verification_id))).one()

        return _verification(self._transactions.write(work))

    def find(self, verification_id: JobID) -> Verification | None:
        """Give a verification, None where there is none of that id."""
        with self._transactions.read() as connection:
            row = connection.execute(select(rows).where(_is(verification_id))).one_or_none()
        return None if row is None else _verification(row)

    def of(self, subject: Subject) -> Sequence[Verification]:
        """List the looks at exactly this version, manifest and node, the latest first."""
        statement = select(rows).where(*_about(subject)).order_by(rows.c.requested_at.desc())
        with self._transactions.read() as connection:
            return [_verification(row) for row in connection.execute(statement)]

    def latest(self) -> Mapping[ModelReference, Verification]:
        """Give the latest look at each version of each model."""
        statement = select(rows).order_by(rows.c.requested_at)
        with self._transactions.read() as connection:
            found = [_verification(row) for row in connection.execute(statement)]
        return {one.subject.model: one for one in found}

    def claim(self, verification_id: JobID, owner: str, lease_seconds: float) -> Verification | None:
        """Begin a look; None where it has ended, is at somebody else, or took its worker down too often.

        Parameters
        ----------
        verification_id
            Which.
        owner
            The worker.
        lease_seconds
            How long it counts as alive without a word.
        """
        now = to_column(self._clock.now())

        def work(connection: Connection) -> Row[Any] | None:
            row = connection.execute(select(rows).where(_is(verification_id)).with_for_update()).one_or_none()
            if row is None or not _is_claimable(row, now):
                return None
            if row.attempt >= MOST_ATTEMPTS:
                connection.execute(update(rows).where(_is(verification_id)).values(_ended([LOST], now)))
                return None
            values = {
                "state": VerificationState.RUNNING,
                "attempt": row.attempt + 1,
                "started_at": now,
                "hinted_at": None,
                "lease_owner": owner,
                "lease_expires_at": now + timedelta(seconds=lease_seconds),
            }
            connection.execute(update(rows).where(_is(verification_id)).values(values))
            return connection.execute(select(rows).where(_is(verification_id))).one()

        claimed = self._transactions.write(work)
        return None if claimed is None else _verification(claimed)

    def extend(self, owner: str, lease_seconds: float) -> None:
        """Say that a worker is alive, and so is whatever it looks at."""
        until = to_column(self._clock.now()) + timedelta(seconds=lease_seconds)
        running = (rows.c.lease_owner == owner, rows.c.state == VerificationState.RUNNING)
        statement = update(rows).where(*running).values(lease_expires_at=until)
        self._transactions.write(lambda connection: connection.execute(statement))

    def finish(
        self, verification: Verification, faults: Sequence[VerificationFault], provider: str | None = None
    ) -> bool:
        """Write down what came of a look.

        Parameters
        ----------
        verification
            As it was claimed.
        faults
            What was found; empty where the version proved itself.
        provider
            What computed it.

        Returns
        -------
        bool
            False if somebody else has it by now: then their word counts.
        """
        mine = (
            _is(verification.verification_id),
            rows.c.state == VerificationState.RUNNING,
            rows.c.lease_owner == verification.worker,
            rows.c.attempt == verification.attempt,
        )
        values = {**_ended(faults, to_column(self._clock.now())), "provider": provider}
        statement = update(rows).where(*mine).values(values)
        return self._transactions.write(lambda connection: connection.execute(statement).rowcount) == 1

    def due(self, limit: int) -> Sequence[Hint]:
        """List the messages that are owed to inference workers, the request that waits longest first."""
        now = to_column(self._clock.now())
        free = and_(rows.c.state == VerificationState.RUNNING, rows.c.lease_expires_at <= now)
        silent = or_(rows.c.hinted_at.is_(None), rows.c.hinted_at <= now - timedelta(seconds=REPEAT_SECONDS))
        statement = (
            select(rows.c.verification_id)
            .where(or_(rows.c.state == VerificationState.REQUESTED, free), silent)
            .order_by(rows.c.requested_at)
            .limit(limit)
        )
        with self._transactions.read() as connection:
            return [_hint(JobID(found)) for found in connection.scalars(statement)]

    def dispatched(self, hint: Hint) -> None:
        """Note that a message was sent."""
        statement = update(rows).where(_is(hint.job_id)).values(hinted_at=to_column(self._clock.now()))
        self._transactions.write(lambda connection: connection.execute(statement))


def _hint(verification_id: JobID) -> Hint:
    return Hint(QueueName.INFERENCE, verification_id, About.VERIFICATION)


def _is(verification_id: JobID) -> Any:
    return rows.c.verification_id == verification_id


def _about(subject: Subject) -> tuple[Any, ...]:
    return (
        rows.c.model_id == subject.model.model_id,
        rows.c.model_version == subject.model.version,
        rows.c.model_digest == subject.model.digest,
        rows.c.manifest_sha256 == subject.manifest_sha256,
        rows.c.node_version == subject.node_version,
    )


def _is_claimable(row: Row[Any], now: datetime) -> bool:
    lost = row.state == VerificationState.RUNNING and row.lease_expires_at <= now
    return bool(row.state == VerificationState.REQUESTED or lost)


def _ended(faults: Sequence[VerificationFault], now: datetime) -> dict[str, Any]:
    return {
        "state": VerificationState.FAILED if faults else VerificationState.PASSED,
        "finished_at": now,
        "faults": [{"part": fault.part, "message": fault.message} for fault in faults],
    }


def _verification(row: Row[Any]) -> Verification:
    model = ModelReference(row.model_id, row.model_version, row.model_digest)
    return Verification(
        verification_id=JobID(row.verification_id),
        subject=Subject(model, row.manifest_sha256, row.node_version),
        state=VerificationState(row.state),
        requested_at=from_column(row.requested_at),
        requested_by=row.requested_by,
        attempt=row.attempt,
        started_at=from_column(row.started_at),
        finished_at=from_column(row.finished_at),
        worker=row.lease_owner,
        provider=row.provider,
        faults=tuple(VerificationFault(fault["part"], fault["message"]) for fault in row.faults or ()),
    )
