"""What runs beside what, and that all of it stops together."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread
from threading import enumerate as threads

import pytest
from structlog.testing import capture_logs

from dicom_node.assembler import Assembler
from dicom_node.housekeeping import Dispatcher
from dicom_node.processes import ReceiverProcess, WorkerProcess
from dicom_node.receiver import Receiver
from dicom_node.signals import stop_on_signals
from inference.errors import QueueUnavailable
from tests.support.waiting import wait_until


class RecordingConsumer:
    """Consumes until it is stopped; or ends at once with ``failure``."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self._stop = Event()
        self.events: list[str] = []

    def run(self) -> None:
        """Work."""
        self.events.append("run")
        if self._failure is not None:
            raise self._failure
        assert self._stop.wait(30)
        self.events.append("ended")

    def stop(self) -> None:
        """End ``run``."""
        self.events.append("stop")
        self._stop.set()


class IdleDispatcher(Dispatcher):
    """Has nothing to do, or fails with ``failure``."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.interval_seconds = 0.0

    def run(self, stop: Event, interval_seconds: float) -> None:
        """Wait for the end."""
        self.interval_seconds = interval_seconds
        if self._failure is not None:
            raise self._failure
        assert stop.wait(30)


class IdleReceiver(Receiver):
    """Notes when it is started and stopped."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def start(self) -> None:
        """Note it."""
        self.events.append("start")

    def stop(self, grace_s: float = 0.0) -> None:
        """Note it."""
        self.events.append("stop")


class IdleAssembler(Assembler):
    """Has nothing to do, or fails with ``failure``."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def run(self, stop: Event) -> None:
        """Wait for the end."""
        if self._failure is not None:
            raise self._failure
        assert stop.wait(30)


def test_a_worker_process_finishes_its_consumer() -> None:
    """Told to stop, it stops the consumer and waits for the job at hand."""
    consumer, dispatcher, stop = RecordingConsumer(), IdleDispatcher(), Event()
    process = Thread(target=WorkerProcess(consumer, dispatcher, 2.5).run, args=(stop,))
    process.start()
    wait_until(lambda: consumer.events, 10, "the consumer")

    stop.set()
    process.join(10)

    assert not process.is_alive()
    assert consumer.events == ["run", "stop", "ended"]
    assert dispatcher.interval_seconds == 2.5


@pytest.mark.parametrize("failure", [RuntimeError("the queue's file is gone"), None], ids=["failed", "ended"])
def test_a_worker_without_a_consumer_does_not_live_on(failure: Exception | None) -> None:
    """A process that takes no jobs looks alive to everybody; it must end, so that it is started again."""
    consumer = RecordingConsumer(failure)
    if failure is None:
        consumer.stop()
    with capture_logs() as logs, pytest.raises(QueueUnavailable):
        WorkerProcess(consumer, IdleDispatcher(), 1.0).run(Event())
    assert [entry["event"] for entry in logs] == (["consumer.failed"] if failure else [])


def test_a_dispatcher_that_fails_takes_the_consumer_with_it() -> None:
    """No thread of the process is left behind."""
    consumer = RecordingConsumer()
    with pytest.raises(ZeroDivisionError):
        WorkerProcess(consumer, IdleDispatcher(ZeroDivisionError()), 1.0).run(Event())
    assert consumer.events[-1] == "ended"
    assert [thread for thread in threads() if thread.name == "consumer"] == []


@pytest.mark.parametrize("failure", [None, ZeroDivisionError()], ids=["told", "failed"])
def test_a_receiver_process_closes_its_door(failure: Exception | None) -> None:
    """Whether it is told to stop or the assembler fails: nobody may send into a process that assembles nothing."""
    receiver, stop = IdleReceiver(), Event()
    process = ReceiverProcess(receiver, IdleAssembler(failure))
    if failure is None:
        stop.set()
        process.run(stop)
    else:
        with pytest.raises(ZeroDivisionError):
            process.run(stop)
    assert receiver.events == ["start", "stop"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_mean_stop_in_good_order(number: int) -> None:
    """SIGTERM of a supervisor and Ctrl-C set the event, and end nothing by themselves."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = stop_on_signals()
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(10)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
