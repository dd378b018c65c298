"""The warm parent: it has imported what notebooks need, and each kernel is forked from it.

`kernels` starts it as ``python -P -m evalkit.engine.warm FD NEEDS`` and asks for a kernel by one
byte over the socket FD, with two descriptors: the kernel's line and its log. Over the line come the
order (arguments, environment, folder), back go the child's pid and at last its exit code. What must
not be shared is made after the fork: sockets, threads, random numbers.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any, Literal

Way = Literal["forked", "ready"]
WAYS: dict[Way, str] = {"forked": "由预热进程派生", "ready": "预先启动"}
NUMBER = 4  # bytes of a pid or exit code on a line
_LOOK = 0.02  # seconds between two looks for children that have ended
INLINE = "module://matplotlib_inline.backend_inline"
NEEDED = (
    "ipykernel.kernelapp", "ipykernel.debugger", "IPython.core.completer", "matplotlib.pyplot",
    "matplotlib_inline.backend_inline", "pandas",
)  # fmt: skip


def default_way() -> Way:
    """What EVALKIT_KERNELS says, else fork where it is sound."""
    asked = os.environ.get("EVALKIT_KERNELS")
    can_fork = hasattr(os, "fork") and (sys.platform != "darwin" or asked == "forked")
    return "forked" if can_fork and asked != "ready" else "ready"


def spare_grammar() -> None:
    """Import jsonschema without the grammar of addresses that it compiles, two seconds long.

    No notebook has such addresses; who needs the grammar later can still import it.
    """
    if not {"jsonschema", "rfc3987_syntax"} & sys.modules.keys():
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
        with suppress(ImportError):
            import_module("jsonschema")
        del sys.modules["rfc3987_syntax"]


def load(notebooks: Iterable[str]) -> None:
    """Import what kernels need, and the workflows that these notebooks have."""
    for name in (*NEEDED, *(f"evalkit.workflows.{name}" for name in notebooks)):
        with suppress(ImportError):
            import_module(name)


def rehearse(workflow: str) -> None:
    """Run a business once on its demo, so that its files are read and its fonts known."""
    with suppress(Exception), tempfile.TemporaryDirectory() as out:
        business: Any = import_module(f"evalkit.workflows.{workflow}")
        task = business.load(business.Params(out=out))
        result = business.evaluate(task)
        business.checks(business.deliver(task, result, business.draw(task, result)))


def main(control: socket.socket, notebooks: list[str], often: list[str]) -> None:
    """Get ready and serve; ends with the driver, and then ends its children."""
    load(notebooks)
    for workflow in often:
        rehearse(workflow)
    if os.path.isdir("/proc/self/task") and len(os.listdir("/proc/self/task")) > 1:
        sys.exit("a module has started threads")  # which a fork would lose with their locks
    gc.collect()
    gc.freeze()  # so that collecting in a child copies no page of this
    children: dict[int, socket.socket] = {}
    control.sendall(b"r")
    while True:
        if select.select([control], [], [], _LOOK if children else None)[0]:
            asked, fds, *_ = socket.recv_fds(control, 1, 2)
            if not asked:
                break
            for fd in fds:
                os.set_inheritable(fd, False)
            line = socket.socket(fileno=fds[0])
            if not (pid := os.fork()):
                for other in (control, *children.values()):
                    other.close()
                _kernel(line, fds[1])
            os.close(fds[1])
            children[pid] = line
            line.sendall(pid.to_bytes(NUMBER))
        while children and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with suppress(OSError), children.pop(ended[0]) as line:
                code = os.waitstatus_to_exitcode(ended[1])
                line.sendall(code.to_bytes(NUMBER, signed=True))
    for pid in children:
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _kernel(line: socket.socket, log: int) -> None:
    """Be a kernel; never returns into the parent's code."""
    code = 1
    try:
        os.setsid()
        with line, line.makefile(encoding="utf-8") as stream:
            order = json.loads(stream.readline())
        null = os.open(os.devnull, os.O_RDONLY)
        for ours, theirs in ((null, 0), (log, 1), (log, 2)):
            os.dup2(ours, theirs)
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        sys.argv = ["ipykernel_launcher", *order["argv"]]
        import numpy as np
        from ipykernel.kernelapp import IPKernelApp
        from matplotlib_inline.backend_inline import configure_inline_support

        np.random.seed()  # the state that notebooks may use would be the parent's
        app: Any = IPKernelApp.instance(parent_handle=os.getppid())  # dies with the parent
        app.initialize(order["argv"])
        configure_inline_support(app.shell, INLINE)  # type: ignore[no-untyped-call]
        app.start()
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), *json.loads(sys.argv[2]))
