"""papermill's entry point ``evalkit``: ``papermill --engine evalkit IN OUT`` and the batch alike.

papermill imports this module while it is itself being imported, so nothing more is imported here.
"""

from pathlib import Path
from typing import Any

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine


class Engine(NBClientEngine):  # type: ignore[misc]
    """papermill's nbclient engine with kernels from `kernels`, one a notebook."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, run: Any = None, start_timeout: int = 60,
        execution_timeout: int | None = None, log_output: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        """Called by papermill with the notebook's parameters in place.

        `run`, if the batch asks, is told of the client before the first cell.
        """
        from evalkit.engine import kernels

        folder = run.folder if run else Path.cwd()
        with kernels.kernel(folder, Path(options["input_path"])) as kernel:
            place = {"metadata": {"path": str(folder)}}
            said = {name: options.get(name) for name in ("stdout_file", "stderr_file")}
            client = PapermillNotebookClient(
                nb_man, kernel, resources=place, timeout=execution_timeout, log_output=log_output,
                startup_timeout=start_timeout, shutdown_kernel="immediate", **said,
            )  # fmt: skip
            nb_man.nb.metadata.papermill["kernel"] = kernel.way
            if run:
                run.attach(client)
            client.execute(cleanup_kc=True, **kernel.options())
