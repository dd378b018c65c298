"""Kernels without the wait: forked from a warm parent, or started ahead of need.

A warm parent (`warm`) has imported what the notebooks need; every kernel forked from it is a
process and a session of its own that has seen no other project. Where there is no fork (Windows),
or no wish for it (macOS, or EVALKIT_KERNELS=ready), kernels that jupyter_client has started ahead
wait with the same modules imported. Either kind serves one project and is ended with all that it
started. Any process may use this, a worker's, too: nothing here needs the main thread.
"""

import asyncio
import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from time import monotonic, sleep
from typing import Any

import psutil
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.utils import ensure_event_loop, run_sync

from evalkit.core.paths import workspace
from evalkit.engine.warm import INLINE, NUMBER, Way, default_way

START = 60  # seconds that a kernel or a warm parent may take
_FEW = 3  # runs of a notebook for which a rehearsal of two seconds is not worth while
_SOCKET_PATH = 80  # characters of a folder that leave room for the names of sockets


def _environment() -> dict[str, str]:
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # Agg, if the caller's environment said so, would lose every figure without a word
    return single | os.environ | {"MPLBACKEND": INLINE, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def session(pid: int) -> list[psutil.Process]:
    """The living processes of a kernel: its session; on Windows it and its descendants."""
    if sys.platform == "win32":
        with suppress(psutil.Error):
            return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return []
    found = []
    for other in psutil.pids():
        with suppress(OSError, psutil.Error):
            if os.getsid(other) == pid and psutil.Process(other).status() != psutil.STATUS_ZOMBIE:
                found.append(psutil.Process(other))
    return found


def memory(pid: int) -> int:
    """Resident bytes of a kernel's processes; 0 if one ends just now."""
    with suppress(psutil.Error):
        return sum(process.memory_info().rss for process in session(pid))
    return 0


def end(pid: int) -> None:
    """Kill a kernel's processes, those it left behind, too."""
    until = monotonic() + 2
    while (left := session(pid)) and monotonic() < until:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=0.05)


class _Client(AsyncKernelClient):
    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """Called by nbclient once the channels are open.

        The stock client sleeps; this one is done when the reply has come and, of the same request,
        the idle status: from then on no output is lost.
        """
        until = monotonic() + (timeout or START)
        while await self._async_is_alive() and monotonic() < until:
            asked, idle = self.kernel_info(), False
            with suppress(Empty):
                reply = await self.shell_channel.get_msg(timeout=1)
                while not idle:
                    said = await self.iopub_channel.get_msg(timeout=0.2)
                    mine = said["parent_header"].get("msg_id") == asked
                    idle = mine and said["content"].get("execution_state") == "idle"
                return self._handle_kernel_info_reply(reply)
        raise RuntimeError("the kernel did not answer")


class _OwnInterpreter(KernelSpecManager):
    """Kernels of the interpreter that runs evalkit, whatever kernelspecs are installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


class Kernel(AsyncKernelManager):
    """The manager of one kernel for one project, with a folder and a log of its own."""

    def __init__(self, way: Way, warm: "WarmParent | None" = None) -> None:
        self.way, self.last_words = way, ""
        self.process: Any = None  # as `subprocess.Popen` shows one; also when it has ended
        self.place = tempfile.TemporaryDirectory(prefix="ek", ignore_cleanup_errors=True)
        self.log_file = Path(self.place.name, "log").open("w+b")  # noqa: SIM115 see `discard`
        own: dict[str, Any] = {"connection_file": f"{self.place.name}/kernel.json"}
        if sys.platform != "win32" and len(self.place.name) < _SOCKET_PATH:
            own |= {"transport": "ipc", "ip": f"{self.place.name}/s"}  # nobody takes the port
        specs = _OwnInterpreter()
        super().__init__("python3", kernel_spec_manager=specs, client_factory=_Client, **own)
        if warm:
            self.provisioner = _Forked(parent=self, kernel_spec=self.kernel_spec)
            self.provisioner.warm = warm

    def options(self) -> dict[str, Any]:
        """How it is to be started."""
        return {"env": _environment(), "stdout": self.log_file, "stderr": self.log_file}

    async def _async_launch_kernel(self, *args: Any, **options: Any) -> None:
        await super()._async_launch_kernel(*args, **options)
        provisioner: Any = self.provisioner
        self.process = provisioner.process

    def discard(self) -> None:
        """End all that is left of it, and note its last words."""
        if self.process:
            end(self.process.pid)
        with self.log_file:
            self.log_file.seek(0)
            lines = self.log_file.read().decode("utf-8", "replace").splitlines()
        said = [line.strip() for line in lines if line.strip() and "[IPKernelApp]" not in line]
        self.last_words = said[-1][:200] if said else ""
        self.place.cleanup()


class _Child:
    """A forked kernel, as `subprocess.Popen` shows a process; `line` tells how it fares."""

    stdin = stdout = stderr = None

    def __init__(self, line: socket.socket, order: dict[str, Any]) -> None:
        self.line = line
        self.returncode: int | None = None
        line.sendall(json.dumps(order).encode() + b"\n")
        if not (said := line.recv(NUMBER)):
            raise OSError("the warm parent is lost")
        self.pid = int.from_bytes(said)
        line.setblocking(False)

    def poll(self) -> int | None:
        """Its exit code, if it has one; without a parent to tell it, that of a killed process."""
        if self.returncode is None:
            with suppress(BlockingIOError):
                said = self.line.recv(NUMBER)
                self.returncode = int.from_bytes(said, signed=True) if said else -9
                self.line.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code when it has ended."""
        while (code := self.poll()) is None:
            sleep(0.003)
        return code

    def kill(self) -> None:
        """Called where the session could not be signalled: there is nothing left of it."""


class _Forked(LocalProvisioner):
    """A kernel forked from a warm parent, where jupyter_client would start a new interpreter."""

    warm: "WarmParent"

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Called by the manager's `start_kernel`."""
        order = {"argv": cmd[cmd.index("-f") :], "env": options["env"], "cwd": str(options["cwd"])}
        child: Any = self.warm.fork(options["stderr"].fileno(), order)
        self.process, self.pid, self.pgid = child, child.pid, child.pid
        return self.connection_info

    async def wait(self) -> int | None:
        """Called by the manager after it has killed the kernel."""
        while await self.poll() is None:
            await asyncio.sleep(0.003)
        return await super().wait()


class WarmParent:
    """The process that kernels of one workspace are forked from; threads may share it."""

    way: Way = "forked"
    worked = False

    def __init__(self, folder: Path, runs: Mapping[str, int], at_once: int, state: str) -> None:
        self.runs, self.at_once, self.state = runs, at_once, state
        self._lock = threading.Lock()
        self.control, theirs = socket.socketpair()
        self.control.settimeout(START)
        needs = json.dumps([[*runs], [name for name, number in runs.items() if number > _FEW]])
        command = [sys.executable, "-P", "-m", "evalkit.engine.warm", str(theirs.fileno()), needs]
        nothing = subprocess.DEVNULL
        self.process = subprocess.Popen(  # noqa: S603 in a session of its own, away from Ctrl-C
            command, cwd=folder, env=_environment(), pass_fds=[theirs.fileno()],
            stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True,
        )  # fmt: skip
        theirs.close()

    @property
    def lost(self) -> bool:
        """True if it does not live any more."""
        return self.process.poll() is not None

    def take(self, folder: Path) -> Kernel:
        """A kernel that is still to be started."""
        return Kernel(self.way, self)

    def fork(self, log: int, order: dict[str, Any]) -> _Child:
        """Fork a kernel whose standard output goes to the descriptor `log`.

        Raises:
            OSError: the parent is lost.
        """
        mine, theirs = socket.socketpair()
        with self._lock, theirs:
            self.worked = self.worked or self.control.recv(1) == b"r"
            if not self.worked:
                raise OSError("the warm parent did not start")
            socket.send_fds(self.control, [b"k"], [theirs.fileno(), log])
        return _Child(mine, order)

    def close(self) -> None:
        """End it, and with it what was forked from it."""
        self.control.close()
        if not self.worked:
            self.process.kill()  # it does not listen yet
        self.process.wait()


class ReadyKernels:
    """Kernels started ahead of need by jupyter_client, at most one for each of the runs.

    Who wants more, or comes too early, waits for a new one.
    """

    way: Way = "ready"
    lost, worked = False, True

    def __init__(self, folder: Path, runs: Mapping[str, int], at_once: int, state: str) -> None:
        self.runs, self.at_once, self.state, self.folder = runs, at_once, state, folder
        self._starting = ThreadPoolExecutor(max(at_once, 1), "evalkit-ahead")
        self._lock, self._ahead = threading.Lock(), deque[Future[Kernel]]()
        self._left = sum(runs.values())
        for _ in range(at_once):
            self._start_ahead()

    def _start_ahead(self) -> None:
        if self._left > 0:
            self._left -= 1
            self._ahead.append(self._starting.submit(self._start))

    def _start(self) -> Kernel:
        kernel = Kernel(self.way)
        try:
            memory_only = ["--HistoryManager.hist_file=:memory:"]
            start = {"extra_arguments": memory_only, "cwd": str(self.folder), **kernel.options()}
            run_sync(kernel.start_kernel)(**start)
            names = sorted(self.runs)
            _tell(kernel, f"__import__('evalkit.engine.warm', fromlist=['_']).load({names})")
        except (RuntimeError, OSError) as error:
            _abandon(kernel)
            raise RuntimeError("；".join(filter(None, (str(error), kernel.last_words)))) from None
        finally:
            settle()
        return kernel

    def take(self, folder: Path) -> Kernel:
        """A kernel that has started, and works in `folder`."""
        with self._lock:
            first = self._ahead.popleft() if self._ahead else None
            if self.at_once:
                self._start_ahead()
        kernel = first.result() if first else self._start()
        _tell(kernel, f"__import__('os').chdir({str(folder)!r})")
        return kernel

    def close(self) -> None:
        """End those that nobody took."""
        self._starting.shutdown(cancel_futures=True)
        for future in self._ahead:
            if not future.cancelled() and not future.exception():
                _abandon(future.result())


def _tell(kernel: Kernel, code: str) -> None:
    """Have a kernel run a line, of which the notebook sees nothing."""
    client = kernel.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(START)
        told = {"silent": True, "store_history": False, "output_hook": lambda message: None}
        client.execute_interactive(code, timeout=START, **told)
    finally:
        client.stop_channels()


def _abandon(kernel: Kernel) -> None:
    kernel.discard()
    if kernel.process:
        kernel.process.wait()
    run_sync(kernel.cleanup_resources)()


def settle() -> None:
    """Cancel what a dead kernel left waiting in this thread's event loop, and close the loop."""
    loop = ensure_event_loop()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


_SOURCES: dict[tuple[int, Path], WarmParent | ReadyKernels] = {}  # by process and workspace
_LOCK = threading.Lock()


def prepare(
    folder: Path, runs: Mapping[str, int], at_once: int = 0, state: str | None = None
) -> None:
    """Get kernels ready for notebooks that will run in folders below `folder`.

    `runs` says how often each will run, by its name. What was made ready for another `state` of the
    files that notebooks read is not used again. A warm parent that is lost is replaced; by kernels
    started ahead if it never worked.
    """
    key = os.getpid(), workspace(folder)
    with _LOCK:
        old = _SOURCES.get(key)
        if old and state not in (None, old.state):
            old.close()
            old = None
        if old is None or old.lost:
            make = WarmParent if default_way() == "forked" else ReadyKernels
            if old is None:
                _SOURCES[key] = make(folder, runs, at_once, state or "")
            else:
                make = make if old.worked else ReadyKernels
                _SOURCES[key] = make(folder, old.runs, old.at_once, old.state)


def close() -> None:
    """End whatever provides kernels to this process."""
    with _LOCK:
        for key in [key for key in _SOURCES if key[0] == os.getpid()]:
            _SOURCES.pop(key).close()


atexit.register(close)


@contextmanager
def kernel(folder: Path, notebook: Path) -> Iterator[Kernel]:
    """A kernel for one notebook in `folder`; started or not, and ended with all it started.

    Raises:
        RuntimeError, OSError: none could be started.
    """
    prepare(folder, {notebook.stem: 1})
    taken = _SOURCES[os.getpid(), workspace(folder)].take(folder)
    try:
        yield taken
    finally:
        taken.discard()
