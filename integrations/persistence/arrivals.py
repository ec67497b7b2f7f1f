"""Writing one instance: the statements behind ``StudyIndex.add``, in the order that keeps neighbours apart.

Every transaction that adds to a study first takes the row of the study, so associations that send the same new
study, series or instance at once form a line instead of a deadlock. What a header says first is kept, and only
blanks are filled later: headers of one series may disagree, and a list that flickers helps nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, String, Table, insert, select, update
from sqlalchemy.dialects import mysql, sqlite

from inference.domain.arrival import Arrival, ArrivalHeader
from inference.domain.study import StoredInstance
from inference.errors import InstanceUnreadable
from integrations.persistence.tables import instances, series, studies

REOPENED: Final[Mapping[str, Any]] = {
    "receiving": True,
    "completed_at": None,
    "evidence": None,
    "decision": None,
    "reason_code": None,
    "reason_message": None,
    "expected_count": None,
}
"""What a late instance takes back. The signal's count too: it was about the revision that is over."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One instance on its way into the index; holds patient data.

    Parameters
    ----------
    instance, header, calling_ae
        As given to ``StudyIndex.add``.
    path
        The file, relative to the spool.
    now
        Naive UTC.
    """

    instance: StoredInstance
    header: ArrivalHeader
    calling_ae: str
    path: str
    now: datetime


def lock_study(connection: Connection, incoming: Incoming) -> None:
    """Make the study's row where it is not there, and hold it until the transaction ends."""
    header = incoming.header
    row = {
        "study_instance_uid": incoming.instance.identity.study_instance_uid,
        "patient_id": header.patient_id,
        "patient_name": header.patient_name,
        "accession_number": header.accession_number,
        "study_date": header.study_date,
        "study_description": header.study_description,
        "calling_ae": incoming.calling_ae,
        "first_received_at": incoming.now,
        "last_received_at": incoming.now,
    }
    make_and_hold(connection, studies, row)


def lock_series(connection: Connection, incoming: Incoming) -> Row[Any]:
    """Give the series' row, made where it is not there, and hold it until the transaction ends.

    Raises
    ------
    InstanceUnreadable
        If the series is known as part of another study: one of the two data sets lies (PS3.3 section A.1.2.3), and
        taking it in would mix two patients.
    """
    identity = incoming.instance.identity
    row = {
        "series_instance_uid": identity.series_instance_uid,
        "study_instance_uid": identity.study_instance_uid,
        "first_received_at": incoming.now,
        "last_received_at": incoming.now,
    }
    make_and_hold(connection, series, row)
    held = connection.execute(
        select(series).where(series.c.series_instance_uid == identity.series_instance_uid).with_for_update()
    ).one()
    if held.study_instance_uid != identity.study_instance_uid:
        raise InstanceUnreadable("the series belongs to another study")
    return held


def place_instance(connection: Connection, incoming: Incoming) -> Arrival:
    """Write the row of an instance and tell what its arrival means; older bytes stop being current."""
    instance = incoming.instance
    found = connection.execute(
        select(instances.c.id, instances.c.sha256, instances.c.current).where(
            instances.c.sop_instance_uid == instance.identity.sop_instance_uid,
            instances.c.series_instance_uid == instance.identity.series_instance_uid,
        )
    ).all()
    same = next((row for row in found if row.sha256 == instance.sha256), None)
    if same is not None and same.current:
        return Arrival.DUPLICATE
    older = [row.id for row in found if row.current]
    if older:
        connection.execute(update(instances).where(instances.c.id.in_(older)).values(current=False))
    newest = {"current": True, "received_at": incoming.now, "path": incoming.path}
    if same is not None:
        connection.execute(update(instances).where(instances.c.id == same.id).values(newest))
    else:
        _insert_instance(connection, instance, newest)
    return Arrival.CHANGED if found else Arrival.NEW


def _insert_instance(connection: Connection, instance: StoredInstance, newest: Mapping[str, Any]) -> None:
    identity = instance.identity
    connection.execute(
        insert(instances).values(
            sop_instance_uid=identity.sop_instance_uid,
            series_instance_uid=identity.series_instance_uid,
            sop_class_uid=identity.sop_class_uid,
            transfer_syntax_uid=instance.transfer_syntax_uid,
            sha256=instance.sha256,
            size_bytes=instance.size_bytes,
            **newest,
        )
    )


def count_arrival(connection: Connection, incoming: Incoming, row: Row[Any], arrival: Arrival) -> None:
    """Bring series and study up to date; a series that was closed opens its next revision."""
    header = incoming.header
    changes: dict[str, Any] = {
        "arrivals": row.arrivals + 1,
        "instance_count": row.instance_count + (arrival is Arrival.NEW),
        "last_received_at": incoming.now,
        "calling_ae": incoming.calling_ae,
        "modality": row.modality or header.modality,
        "series_description": row.series_description or header.series_description,
    }
    if row.instance_count == 0:
        changes["first_received_at"] = incoming.now
    if not row.receiving:
        changes |= {**REOPENED, "revision": row.revision + 1}
    if header.promised_instances is not None:
        changes["promised_count"] = max(header.promised_instances, row.promised_count or 0)
    wanted = series.c.series_instance_uid == row.series_instance_uid
    connection.execute(update(series).where(wanted).values(_fitting(series, changes)))
    of_study = studies.c.study_instance_uid == row.study_instance_uid
    connection.execute(update(studies).where(of_study).values(last_received_at=incoming.now))


def make_and_hold(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row where there is none with its key; either way nobody else may change it until we commit."""
    values = _fitting(table, row)
    if connection.dialect.name == "sqlite":  # a writer holds the whole database
        connection.execute(sqlite.insert(table).values(values).on_conflict_do_nothing())
    else:
        key = {column.name: column for column in table.primary_key.columns}
        connection.execute(mysql.insert(table).values(values).on_duplicate_key_update(key))


def _fitting(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Make texts fit their columns: a header may say more than its VR allows, and what is not Unicode."""
    return {name: _fit(value, table.c[name].type) for name, value in values.items()}


def _fit(value: Any, kind: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "replace").decode("utf-8")
    return text[: kind.length] if isinstance(kind, String) else text
