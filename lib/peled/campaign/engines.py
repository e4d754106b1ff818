"""Where the samples of a campaign are analysed: on this machine, at a scheduler, on a cluster.

Each engine is a context that gives a function: pairs (key, line) -> pairs (key, answer), in the
order in which they come. `dask` does what is needed between machines.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peled.campaign import worker

if TYPE_CHECKING:
    from distributed import Client

Run = Callable[[Iterable[tuple[str, str]]], Iterator[tuple[str, dict]]]
#: Samples on their way for each worker of a cluster: none waits for the network.
AHEAD = 4
SAID_AFTER_S = 10.0  #: without a worker, after which it is said
CONNECT_S = 10.0  #: for a scheduler to answer
GIVEN_UP_AFTER_S = 600.0  #: at a scheduler; a queue may take days
POLL_S = 0.005
LOST = "the scheduler is lost; the same command goes on from here"
EXTRA = "needs dask: pip install 'peled[campaign]'"


class EngineError(RuntimeError):
    """The engine cannot be had, or is lost; what was kept stays."""


@contextlib.contextmanager
def here(budget: worker.Budget, workers: int | None = None) -> Iterator[Run]:
    """On this machine: a thread and its child process for each worker, the number of cores.

    Parameters
    ----------
    budget : Budget
    workers : int, optional
        By default one for each core.

    Yields
    ------
    Run
        Its children end with the context.
    """
    count = workers or os.cpu_count() or 1
    children: list[worker.Child] = []
    pool = ThreadPoolExecutor(count, initializer=lambda: children.append(worker.child_of(budget)))

    def run(tasks: Iterable[tuple[str, str]]) -> Iterator[tuple[str, dict]]:
        tasks, going = iter(tasks), {}
        while True:
            for key, line in tasks:
                going[pool.submit(worker.answer, budget, line)] = key
                if len(going) > 2 * count:
                    break
            if not going:
                return
            for done in wait(going, return_when=FIRST_COMPLETED).done:
                yield going.pop(done), done.result()

    try:
        yield run
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.close()


@contextlib.contextmanager
def at(scheduler: str, budget: worker.Budget) -> Iterator[Run]:
    """At the scheduler of a `dask` cluster, by its address.

    Parameters
    ----------
    scheduler : str
        Address.
    budget : Budget

    Yields
    ------
    Run

    Raises
    ------
    EngineError
        If dask is not installed, nothing answers at the address, the scheduler is lost, or has no
        worker for `GIVEN_UP_AFTER_S`.
    """
    try:
        from distributed import Client
    except ImportError:
        raise EngineError(f"--scheduler {EXTRA}") from None
    try:
        client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EngineError(f"no scheduler at {scheduler}: {error}") from error
    remedy = f"start some (dask worker {scheduler})"
    with client:
        yield _through(client, budget, remedy, GIVEN_UP_AFTER_S)


@contextlib.contextmanager
def _queued(path: Path, budget: worker.Budget) -> Iterator[Run]:
    """On a cluster with a queue, as a file says (`jobs_of`)."""
    from distributed import Client

    with jobs_of(path) as cluster, Client(cluster, set_as_default=False) as client:
        yield _through(client, budget, "its jobs wait in the queue, or end at once: see there")


def jobs_of(path: Path) -> Any:
    """The cluster of a file: `dask_jobqueue`'s own configuration and a number of jobs.

    Parameters
    ----------
    path : Path
        YAML with `jobs: 10` and one section as `dask_jobqueue` takes it, `jobqueue: {slurm: …}`
        (pbs, sge, slurm and others of its names).

    Returns
    -------
    dask_jobqueue.JobQueueCluster

    Raises
    ------
    EngineError
        If dask-jobqueue is not installed, the file names no queue that it knows, or this machine
        cannot submit to it.
    """
    try:
        import dask
        import dask_jobqueue
    except ImportError:
        raise EngineError(f"--jobqueue {EXTRA}") from None
    import yaml

    kinds = {
        kind.job_cls.config_name: kind
        for kind in vars(dask_jobqueue).values()
        if isinstance(kind, type) and getattr(kind, "job_cls", None)
    }
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        (name, section), jobs = *said["jobqueue"].items(), int(said["jobs"])
        kind = kinds[name]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        expected = f"jobs: N and jobqueue: {{one of {', '.join(sorted(kinds))}: …}}"
        raise EngineError(f"{path.name}: expected {expected}, found {error}") from error
    if not shutil.which(command := kind.job_cls.submit_command):
        told = f"{name} takes jobs by {command}, which this machine does not have"
        raise EngineError(f"{path.name}: {told}; start the campaign where jobs are submitted")
    # Not for a while only: the script is made when a job is asked for.
    dask.config.set({f"jobqueue.{name}": {**dask.config.get(f"jobqueue.{name}"), **section}})
    cluster = kind()
    cluster.scale(jobs=jobs)
    return cluster


def _through(client: Client, budget: worker.Budget, remedy: str, within_s: float = math.inf) -> Run:
    from distributed import CancelledError, as_completed

    again = secrets.token_hex(4)  # a run is not answered by what another one left at the scheduler

    def run(tasks: Iterable[tuple[str, str]]) -> Iterator[tuple[str, dict]]:
        tasks, count = iter(tasks), itertools.count()
        going = as_completed(loop=client.loop)

        def more(number: int) -> None:
            for key, line in itertools.islice(tasks, number):
                name = f"{key}-{again}-{next(count)}"
                going.add(client.submit(worker.answer, budget, line, key=name))

        more(max(AHEAD * sum(client.nthreads().values()), 64))
        for future in _ready(client, going, remedy, within_s):
            try:  # waits where a worker was lost with it and dask computes it elsewhere
                answer = future.result()
            except CancelledError as error:
                raise EngineError(LOST) from error
            except Exception as error:  # dask has tried it on several workers
                answer = {"status": "lost", "reason": repr(error)}
            yield str(future.key).split("-")[0], answer
            future.release()
            more(1)

    run.dashboard = client.dashboard_link
    return run


def _ready(client: Client, going, remedy: str, within_s: float) -> Iterator:
    """Futures as they are done; says when the cluster has no worker, and raises when it has none
    for `within_s` or is gone: a future sent as the connection ended is never done.
    """
    seen = looked = time.monotonic()
    said = False
    while going.count():
        if going.has_ready():
            yield next(going)
            continue
        time.sleep(POLL_S)
        now = time.monotonic()
        if now - looked < SAID_AFTER_S / 10:
            continue
        looked = now
        if client.status in ("closing", "closed"):
            raise EngineError(LOST)
        try:
            some = client.nthreads()
        except Exception:  # the connection may come back
            continue
        if some:
            seen, said = now, False
        elif now - seen > within_s:
            raise EngineError(f"no worker for {within_s:g} s; the same command goes on from here")
        elif now - seen > SAID_AFTER_S and not said:
            said = True
            print(f"no worker at the scheduler: {remedy}", file=sys.stderr, flush=True)


def dashboard(run: Run) -> str:
    """Where a browser sees the cluster at work, or nothing.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
        Address; empty without a cluster.
    """
    return getattr(run, "dashboard", "")


def engine(
    budget: worker.Budget,
    scheduler: str | None = None,
    jobqueue: Path | None = None,
    workers: int | None = None,
) -> contextlib.AbstractContextManager[Run]:
    """The engine for a scheduler's address, a cluster's file, or else this machine.

    Parameters
    ----------
    budget : Budget
    scheduler : str, optional
        Address.
    jobqueue : Path, optional
        File as `jobs_of` takes it; it goes before a scheduler.
    workers : int, optional
        On this machine; by default one for each core.

    Returns
    -------
    context manager of Run

    Raises
    ------
    EngineError
        On entry, where dask is asked for and cannot be had.
    """
    if jobqueue:
        return _queued(jobqueue, budget)
    return at(scheduler, budget) if scheduler else here(budget, workers)
