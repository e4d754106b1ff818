"""A papermill engine that runs a notebook inside this process, with IPython's own shell.

Meant for a child forked from a process that has the heavy imports done: six notebooks then cost one
start-up. The outputs are those of a real kernel, to the byte; a test compares the two.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_output
from papermill.engines import Engine, papermill_engines

NAME = "peled-fork"


class _Stream:
    """Standard output or error of a cell; consecutive writes make one output, as a kernel's do."""

    encoding, errors = "utf-8", "strict"

    def __init__(self, shell: _Shell, name: str):
        self.shell, self.name = shell, name

    def write(self, text: str) -> int:
        outputs = self.shell.outputs
        if outputs and outputs[-1].output_type == "stream" and outputs[-1].name == self.name:
            outputs[-1].text += text
        elif text:
            outputs.append(new_output("stream", name=self.name, text=text))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return {"stdout": 1, "stderr": 2}[self.name]


class _Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, *, transient=None, update=False, **_) -> None:
        if not update:
            self.shell.outputs.append(
                new_output("display_data", data=_encoded(data), metadata=metadata or {})
            )

    def clear_output(self, wait: bool = False) -> None:
        self.shell.outputs.clear()


class _Hook(DisplayHook):
    def start_displayhook(self) -> None:
        """A kernel shows results as outputs, without prompts."""

    def write_output_prompt(self) -> None:
        """No prompt."""

    def write_format_data(self, format_dict, md_dict=None) -> None:
        if format_dict:
            self.shell.outputs.append(
                new_output(
                    "execute_result",
                    data=_encoded(format_dict),
                    metadata=md_dict or {},
                    execution_count=self.shell.cell_count,
                )
            )

    def finish_displayhook(self) -> None:
        """Nothing to end."""


class _Shell(InteractiveShell):
    outputs: list
    cell_count: int = (
        0  # of code cells so far; the shell's own count runs ahead while a cell is executed
    )

    def __init__(self, **options):
        self.outputs = []
        super().__init__(**options)

    def init_display_pub(self) -> None:
        self.display_pub = _Publisher(parent=self, shell=self)
        self.configurables.append(self.display_pub)

    def init_displayhook(self) -> None:
        self.displayhook_class = _Hook
        super().init_displayhook()

    def enable_gui(self, gui=None) -> None:
        """No event loop to enable."""

    def _showtraceback(self, etype, evalue, stb) -> None:
        name, text = _said(evalue)
        self.outputs.append(new_output("error", ename=name, evalue=text, traceback=list(stb)))


class ForkEngine(Engine):
    """Runs the cells of a notebook here and now. Failing cells, `exit()` and failing shell lines
    end it, each by name."""

    @classmethod
    def execute_managed_notebook(cls, manager, kernel_name, **_) -> None:
        shell = _make_shell()
        count = 0
        for index, cell in enumerate(manager.nb.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            manager.cell_start(cell, index)
            count += 1
            shell.outputs, shell.cell_count = [], count
            shell.user_ns["_exit_code"] = 0
            stdout, stderr = sys.stdout, sys.stderr
            sys.stdout, sys.stderr = _Stream(shell, "stdout"), _Stream(shell, "stderr")
            try:
                result = shell.run_cell(cell.source, store_history=True)
            finally:
                sys.stdout, sys.stderr = stdout, stderr
            cell.execution_count, cell.outputs = count, shell.outputs
            error = result.error_before_exec or result.error_in_exec
            if error is None and shell.user_ns.get("_exit_code"):
                error = RuntimeError(
                    f"a shell line failed with status {shell.user_ns['_exit_code']}"
                )
            if error is not None:
                if not any(output.output_type == "error" for output in cell.outputs):
                    name, text = _said(error)
                    cell.outputs.append(
                        new_output(
                            "error",
                            ename=name,
                            evalue=text,
                            traceback=traceback.format_exception(error),
                        )
                    )
                manager.cell_exception(cell, index)
                manager.cell_complete(cell, index)
                return
            manager.cell_complete(cell, index)


def _said(error: BaseException) -> tuple[str, str]:
    """Name and text of an error for the notebook; papermill would take `SystemExit: 0` for
    success."""
    if isinstance(error, SystemExit):
        return (
            "NotebookExit",
            f"the cell called exit({error.code if error.code is not None else ''})",
        )
    return type(error).__name__, str(error)


def register(preload: bool) -> None:
    """Make the engine known to papermill; do first, if asked, the imports that most notebooks
    need: the children of one or two notebooks would not all share them."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot
    import matplotlib_inline.backend_inline  # noqa: F401

    if preload:
        import scipy.ndimage
        import scipy.optimize
        import scipy.signal  # noqa: F401
        import uncertainties  # noqa: F401
    papermill_engines.register(NAME, ForkEngine)
    gc.freeze()  # what is imported stays: the children need not look through it again
    gc.set_threshold(100_000, 20, 100)


def _make_shell() -> _Shell:
    from IPython.core.pylabtools import activate_matplotlib
    from matplotlib_inline.backend_inline import configure_inline_support

    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    shell = _Shell.instance(colors="nocolor")
    InteractiveShell._instance = shell
    shell.history_manager.enabled = False
    shell.cleanup()
    sys.displayhook = shell.displayhook
    activate_matplotlib("module://matplotlib_inline.backend_inline")
    configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
    return shell


def _encoded(data: dict) -> dict:
    """Pictures as the base64 text that a kernel sends."""
    from binascii import b2a_base64

    return {
        kind: b2a_base64(value).decode("ascii") if isinstance(value, bytes) else value
        for kind, value in data.items()
    }
