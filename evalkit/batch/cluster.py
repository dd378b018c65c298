"""The same projects on the workers of a Dask cluster; everything but the notebooks stays here.

List, inputs and output lie in a folder that all see under the same path, as is probed first. Each
worker process warms its own kernels. A project's folder is taken by one run only: when its worker
is lost, the scheduler gives the task to another, which finds the folder taken, and the project runs
anew in a new one. A worker goes on as long as the mark of its run is there, so nothing that was
given up keeps running or writes where others read.
"""

import importlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from evalkit.batch.outcome import Job
from evalkit.batch.perform import Ended, Lost, Order, perform
from evalkit.core.problem import Problem, refusal, refuse, sentence
from evalkit.core.result_file import versions
from evalkit.core.store import digest, sha256
from evalkit.engine.notebook import Failure
from evalkit.workflows.inputs import shared_inputs

CONNECT = 20  # seconds that a scheduler may take to answer
STOPPING = 10  # seconds that a worker may take to end what it runs
WAITING, TAKEN = ".等待", ".已取走"  # marks in a run's folder
LOOK = 0.2  # seconds between two looks for a wish to stop
_PROBE = ".evalkit_probe"
_STOPPED = Ended(Failure("stopped", ("已中断",)), ())


class Cluster:
    """Runs projects on the workers of a scheduler."""

    def __init__(self, address: str, order: Order, source: Path, most: int | None) -> None:
        """Connect and probe; `source` is the list, `most` limits how many run at once.

        Raises:
            EvalkitError: no scheduler answers, it has no workers, or they cannot do the same as
                this process: other code, other packages, or another folder.
        """
        try:
            distributed = importlib.import_module("distributed")
        except ImportError:
            raise refusal("cluster.extra") from None
        for name in ("distributed", "distributed.client", "distributed.core"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # a `Failure` says it
        try:
            self.client: Any = distributed.Client(address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            raise refusal("cluster.connect", address=address, why=error or "超时") from None
        self._topic = f"evalkit-{token_hex(4)}"
        self._tell: dict[str, Callable[[str], None]] = {}  # by a run's folder
        try:
            threads = self.client.nthreads()
            if not threads:
                raise refusal("cluster.empty", address=address)
            refuse(self._probe(order, source))
        except BaseException:
            self.client.close()
            raise
        self.at_once = min(sum(threads.values()), most or sum(threads.values()))
        self.told = f"计算集群 {address}：{len(threads)} 个工作进程，同时运行 {self.at_once} 个项目"
        self.order, self._lost = order, sentence("cluster.lost", at=address)
        self.client.subscribe_topic(self._topic, self._heard)

    def _probe(self, order: Order, source: Path) -> Iterator[Problem]:
        """What keeps workers from doing the same as this process would."""
        mark, mine = order.out / _PROBE, _seen(source, Path.cwd())
        mark.write_text(self._topic, encoding="utf-8")
        try:
            asked = self.client.run(
                _probed, mark, self._topic, source, Path.cwd(), on_error="return"
            )
        finally:
            mark.unlink(missing_ok=True)
        for worker, found in asked.items():
            if isinstance(found, BaseException):  # it has no evalkit, or another
                why = f"{type(found).__name__}：{found}"
                yield sentence("cluster.worker", worker=worker, why=why)
            elif not found:
                yield sentence("cluster.folder", worker=worker, out=order.out)
            elif other := [name for name, seen in mine.items() if found.get(name) != seen]:
                yield sentence("cluster.differs", worker=worker, what="、".join(other))

    def _heard(self, event: tuple[float, Any]) -> None:
        place, stage = event[1]
        if tell := self._tell.get(place):
            tell(stage)

    def perform(
        self, job: Job, place: Path, shown: Path,
        tell: Callable[[str], None], stopped: threading.Event,
    ) -> Ended:  # fmt: skip
        """Have a worker run a job; see `perform`.

        Raises:
            Lost: the worker is; the folder `place` cannot be used any more.
        """
        (place / WAITING).touch()
        self._tell[place.name] = tell
        over, patience = threading.Event(), 0.0
        try:
            task = perform_there, self._topic, self.order, job, place, shown
            future = self.client.submit(*task, key=f"{job.code}-{place.name}", pure=False)
            future.add_done_callback(lambda _: over.set())
            while not over.wait(LOOK):
                if stopped.is_set():
                    patience = patience or time.monotonic() + STOPPING
                    if _withdrawn(place) or time.monotonic() > patience:
                        future.cancel()
                        return _STOPPED
            ended: Ended = future.result(timeout=CONNECT)
        except Lost:
            raise
        except Exception:
            if self.client.status != "running":
                stopped.set()  # what has not begun is left for the next time
                return Ended(Failure("kernel", (str(self._lost),)), ())
            if stopped.is_set():
                return _STOPPED
            raise
        finally:
            del self._tell[place.name]
            _withdrawn(place)
        return ended

    def close(self) -> None:
        """Let the workers end their kernels, and leave them."""
        with suppress(Exception):  # it may be lost
            if self.client.status == "running":
                self.client.run(_close, on_error="ignore")
        with suppress(Exception):
            self.client.close(timeout=2)


def _seen(source: Path, workspace: Path) -> dict[str, str]:
    """What a process has to have in common with others, for equal results."""
    about = versions()
    code = {"程序和参数": digest(shared_inputs(workspace)), "Python": about["python"]}
    listed = sha256(source) if source.is_file() else ""
    return {"清单": listed, **code, **about["packages"]}


def _probed(mark: Path, words: str, source: Path, workspace: Path) -> dict[str, str] | None:
    """What a worker has; None if the output folder is another or cannot be written."""
    own = mark.with_name(f"{_PROBE}_{token_hex(4)}")
    try:
        own.touch()
        own.unlink()
        same = mark.read_text(encoding="utf-8") == words
    except OSError:
        return None
    return _seen(source, workspace) if same else None


def _withdrawn(place: Path) -> bool:
    """Take a run back: true if it had not begun; what has begun will end."""
    (place / TAKEN).unlink(missing_ok=True)
    try:
        (place / WAITING).unlink()
    except OSError:
        return False
    return True


class _Mark(threading.Event):
    """Set once a file is gone."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def is_set(self) -> bool:
        return super().is_set() or not self.path.exists()


def perform_there(topic: str, order: Order, job: Job, place: Path, shown: Path) -> Ended:
    """Run a job on this worker.

    Raises:
        Lost: another worker had begun to.
    """
    worker = importlib.import_module("distributed").get_worker()
    try:
        (place / WAITING).rename(place / TAKEN)
    except FileNotFoundError:
        raise Lost from None

    def tell(stage: str) -> None:
        worker.log_event(topic, (place.name, stage))

    own = order._replace(at_once=worker.state.nthreads)
    return perform(own, job, place, shown, tell, _Mark(place / TAKEN))


def _close() -> None:
    importlib.import_module("evalkit.engine.kernels").close()
