"""`answer`: a sample's line in, its record out, whatever the sample does.

The same function serves threads of this machine and workers of `dask.distributed`. Each thread has
a persistent child process; a sample that crashes it, fills the memory or never ends takes that
child and nothing else.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass

from peled import THREADS

RECYCLE = 2000  # samples after which a child is replaced: what leaks stays small
START_S = 300.0  # for the imports of a child
TRIES = 3  # of what was killed, perhaps from outside
_CODE = (
    "import json, sys; said = json.loads(sys.argv[1]); sys.path[:] = said.pop('path'); "
    "from peled.campaign.child import main; main(**said)"
)


@dataclass(frozen=True)
class Budget:
    """What a sample may cost.

    Attributes
    ----------
    module : str
        Whose `analyse` is called.
    cpu_s : float
        CPU time, where the system can limit it.
    memory_MB : float
        Beyond what the imports take, where the system can limit it.
    """

    module: str
    cpu_s: float = 600.0
    memory_MB: float = 2000.0

    @property
    def wall_s(self) -> float:
        """For a sample that waits for something; a busy machine takes longer than the CPU time."""
        return 6 * self.cpu_s + 10


class Child:
    """A process that takes one sample after the other; started when needed, again after an end."""

    def __init__(self, budget: Budget):
        self.budget, self.count = budget, 0
        self.process: subprocess.Popen | None = None
        self.closed = self.late = False

    def start(self) -> str:
        """Start it; what keeps it from starting, or nothing."""
        said = json.dumps({"path": sys.path, **asdict(self.budget)})
        self.count = 0
        for _ in range(TRIES):
            self.process = process = subprocess.Popen(
                [sys.executable, "-c", _CODE, said],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**dict.fromkeys(THREADS, "1"), **os.environ},
                start_new_session=True,  # the keyboard's interrupt is for the parent
            )  # fmt: skip
            if reply := self._reply(process, START_S):
                if trouble := json.loads(reply)["ready"]:
                    self.stop()
                return trouble
            trouble = f"its worker does not start: {_end(process)}"
            self.stop()
            if self.closed:
                break
        return trouble

    def close(self) -> None:
        """End it for good."""
        self.closed = True
        self.stop()

    def stop(self) -> None:
        """End it now."""
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                try:
                    pipe.close()
                except OSError:  # what was to be flushed has nobody to read it
                    pass

    def ask(self, line: str) -> dict:
        """The child's answer, or how it ended.

        Parameters
        ----------
        line : str
            As `Unit.line` makes it.

        Returns
        -------
        dict
            `status` is done, failed, stopped, crashed or lost, as in `answer`.
        """
        if self.count >= RECYCLE:
            self.stop()
        if self.closed or (self.process is None and (said := self.start())):
            return {"status": "lost", "reason": "interrupted" if self.closed else said}
        self.count += 1
        process = self.process
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        except (OSError, ValueError):
            pass  # its end is seen below
        reply = self._reply(process, self.budget.wall_s)
        answer = json.loads(reply) if reply else self._ended(process)
        if answer["status"] not in ("done", "failed"):
            self.stop()
        return answer

    def _reply(self, process: subprocess.Popen, within_s: float) -> bytes:
        """A whole line, or nothing if the child ends or takes too long."""
        self.late = False
        timer = threading.Timer(within_s, self._too_late, [process])
        timer.daemon = True
        timer.start()
        try:
            line = process.stdout.readline()
        except ValueError:  # closed from another thread
            line = b""
        timer.cancel()
        return line if line.endswith(b"\n") else b""

    def _too_late(self, process: subprocess.Popen) -> None:
        self.late = True
        process.kill()

    def _ended(self, process: subprocess.Popen) -> dict:
        if self.closed:
            return {"status": "lost", "reason": "interrupted"}
        if self.late:
            said = f"not done in {self.budget.wall_s:g} s"
        elif -process.wait() == getattr(signal, "SIGXCPU", None):
            said = f"more than {self.budget.cpu_s:g} s of CPU time"
        else:
            return {"status": "crashed", "reason": _end(process)}
        return {"status": "stopped", "reason": said}


def _end(process: subprocess.Popen) -> str:
    process.kill()
    code = process.wait()
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with status {code}"


_mine = threading.local()


def answer(budget: Budget, line: str) -> dict:
    """The record of a unit.

    Parameters
    ----------
    budget : Budget
    line : str
        As `Unit.line` makes it.

    Returns
    -------
    dict
        `status` is done; failed (the analysis raised), stopped (over its budget), crashed (again
        and again), each with its reason; or lost: nothing is known, another try may do.
    """
    child = child_of(budget)
    for _ in range(TRIES):
        if (found := child.ask(line))["status"] != "crashed":
            break
    return found


def child_of(budget: Budget) -> Child:
    """The child of this thread.

    Parameters
    ----------
    budget : Budget
        Another one ends the child and makes a new one.

    Returns
    -------
    Child
    """
    child = getattr(_mine, "child", None)
    if child is None or child.budget != budget:
        if child is not None:
            child.close()
        child = _mine.child = Child(budget)
        atexit.register(child.close)
    return child
