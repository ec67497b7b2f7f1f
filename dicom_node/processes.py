"""The long-running processes: what runs beside what, and how all of it stops."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread
from typing import Protocol

import structlog

from dicom_node.assembler import Assembler
from dicom_node.chores import Chore, beside
from dicom_node.housekeeping import Dispatcher
from dicom_node.receiver import Receiver
from inference.errors import QueueUnavailable

LOG = structlog.get_logger(__name__)


class Consumer(Protocol):
    """Works on the messages of one queue."""

    def run(self) -> None:
        """Work until told to stop."""

    def stop(self) -> None:
        """Finish what is being worked on, within a bound, and end ``run``."""


class Consumers:
    """Several consumers as one: where one ends, all do.

    Parameters
    ----------
    consumers
        At least one.
    """

    def __init__(self, consumers: Sequence[Consumer]) -> None:
        self._consumers = tuple(consumers)

    def run(self) -> None:
        """Work until told to stop, or until one of them ends by itself."""
        threads = [Thread(target=self._run, args=(one,), name="consumer") for one in self._consumers[1:]]
        for thread in threads:
            thread.start()
        try:
            self._consumers[0].run()
        finally:
            self.stop()
            for thread in threads:
                thread.join()

    def stop(self) -> None:
        """Make each finish what is being worked on, within a bound."""
        for consumer in self._consumers:
            consumer.stop()

    def _run(self, consumer: Consumer) -> None:
        try:
            consumer.run()
        except Exception:  # the worker's border: the others end, and the process sees it
            LOG.exception("consumer.failed")
        finally:
            self.stop()


class ReceiverProcess:
    """The SCP and the assembler.

    Parameters
    ----------
    receiver
        The SCP.
    assembler
        Closes complete series.
    chores
        What is done beside.
    """

    def __init__(self, receiver: Receiver, assembler: Assembler, chores: Sequence[Chore] = ()) -> None:
        self._receiver = receiver
        self._assembler = assembler
        self._chores = chores

    def run(self, stop: Event) -> None:
        """Receive and assemble until ``stop`` is set; open associations may end by themselves, within a bound."""
        self._receiver.start()
        try:
            with beside(self._chores):
                self._assembler.run(stop)
        finally:
            self._receiver.stop()


class WorkerProcess:
    """A queue's consumer and the dispatcher.

    Parameters
    ----------
    consumer
        Works on one queue.
    dispatcher
        Feeds both queues from the database.
    interval_seconds
        Time between two passes of the dispatcher.
    chores
        What is done beside, until the last job has ended.
    """

    def __init__(
        self, consumer: Consumer, dispatcher: Dispatcher, interval_seconds: float, chores: Sequence[Chore] = ()
    ) -> None:
        self._chores = chores
        self._consumer = consumer
        self._dispatcher = dispatcher
        self._interval_seconds = interval_seconds

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set; what is being worked on is finished, within a bound.

        Raises
        ------
        QueueUnavailable
            If the consumer ended by itself: a worker that takes no jobs must not look alive.
        """
        ended_early = Event()
        consumer = Thread(target=self._consume, args=(stop, ended_early), name="consumer")
        with beside(self._chores):
            consumer.start()
            try:
                self._dispatcher.run(stop, self._interval_seconds)
            finally:
                self._consumer.stop()
                consumer.join()
        if ended_early.is_set():
            raise QueueUnavailable("the consumer of the queue ended by itself")

    def _consume(self, stop: Event, ended_early: Event) -> None:
        try:
            self._consumer.run()
        except Exception:  # the worker's border: the thread's end is told to the process instead
            LOG.exception("consumer.failed")
        if not stop.is_set():
            ended_early.set()
            stop.set()
