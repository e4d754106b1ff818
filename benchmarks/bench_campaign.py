"""A campaign beside a plain loop, a process pool, dask and papermill, in one run.

CPU seconds of the whole tree of processes count, as other work on the machine does not change them;
the clock's are printed beside. `BENCH=benchmarks/bench_campaign.py make bench` runs all; the tests
run a few samples.
"""

import contextlib
import resource
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import pytest

from ledger import files

sys.path.insert(0, str(files.ROOT / "tests"))

import campaign_toy as toy
import lab_examples
from peled.campaign.engines import engine
from peled.campaign.run import Campaign
from peled.campaign.worker import Budget
from peled.led.analyse import analyse
from peled.transient_absorption.analyse import analyse as analyse_map

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="resource usage of children")
WORKERS = 2


def cpu() -> float:
    """Of this process and all children that have ended."""
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in parts)


def cost(function) -> tuple[float, float]:
    """(CPU seconds, seconds on the clock)."""
    start, clock = cpu(), time.perf_counter()
    function()
    return cpu() - start, time.perf_counter() - clock


def whole(work: Campaign) -> None:
    """A campaign from the look into the folder to the records, processes started and ended."""
    with engine(Budget(work.module, 300.0, 1000.0), workers=WORKERS) as run:
        work.analyse(run, work.units())


def pooled(sheet) -> int:
    return len(analyse(sheet, {}).quantities)


def pool(units, workers: int = WORKERS) -> None:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(pooled, [unit.sheet for unit in units]))


def say(benchmark, count: int, **seconds: tuple[float, float]) -> None:
    """Print and keep what each way costs a sample."""
    for name, (used, clock) in seconds.items():
        text = f"{1e3 * used / count:.2f} ms CPU, {1e3 * clock / count:.2f} ms"
        benchmark.extra_info[name] = text
        print(f"\n{count} samples, {name}: {text} a sample")


@pytest.mark.benchmark(group="empty samples")
def test_an_empty_sample(benchmark, tmp_path, quick):
    count = 20 if quick else 1000
    toy.write(tmp_path / "in", {f"s{i:04d}": str(i) for i in range(count)})
    work = toy.Toy("led", tmp_path / "in", tmp_path / "out")
    units = work.units()
    spent = {"plain loop": cost(lambda: [toy.analyse(unit.sheet, {}) for unit in units])}
    began = cpu()
    with engine(Budget(work.module), workers=WORKERS) as run:
        list(run((unit.key, unit.line()) for unit in units[: 4 * WORKERS]))  # started
        children = [psutil.Process(pid) for pid in _below()]
        before = sum(sum(c.cpu_times()[:2]) for c in children)
        clock = time.perf_counter()
        began = cpu()
        benchmark.pedantic(work.analyse, args=(run, units), rounds=1)
        used = cpu() - began + sum(sum(c.cpu_times()[:2]) for c in children) - before
        spent["campaign"] = used, time.perf_counter() - clock
    say(benchmark, count, **spent)
    assert quick or spent["campaign"][0] / count < 2e-3


def _below() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True)]


@pytest.mark.benchmark(group="empty samples")
def test_an_empty_sample_at_a_scheduler(benchmark, tmp_path, quick):
    distributed = pytest.importorskip("distributed")
    if quick:
        pytest.skip("the tests have it")
    toy.write(tmp_path / "in", {f"s{i:04d}": str(i) for i in range(1000)})
    work = toy.Toy("led", tmp_path / "in", tmp_path / "out")
    units = work.units()
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        engine(Budget(work.module), cluster.scheduler_address) as run,
    ):
        work.analyse(run, units[:8])
        clock = time.perf_counter()
        benchmark.pedantic(work.analyse, args=(run, units), rounds=1)
        print(f"\n{time.perf_counter() - clock:.2f} ms on the clock a sample at a scheduler")


@pytest.mark.benchmark(group="light-emitting diodes")
def test_devices(benchmark, tmp_path, quick):
    count = 2 if quick else 100
    toy.devices(tmp_path / "in", count)
    work = Campaign("led", tmp_path / "in", tmp_path / "out")
    units = work.units()
    # Each way starts its own processes and pays for what they import.
    spent = {"plain loop": cost(lambda: pool(units, 1))}
    if not quick:
        spent["process pool"] = cost(lambda: pool(units))
        spent["papermill"] = tuple(count * s for s in cost(lambda: papermill(tmp_path)))
    spent["campaign"] = benchmark.pedantic(lambda: cost(lambda: whole(work)), rounds=1)
    say(benchmark, count, **spent)
    assert quick or spent["campaign"][0] < 1.3 * spent["plain loop"][0]


def papermill(folder: Path) -> None:
    """One device through the lab notebook."""
    toy.devices(folder / "one", 1)
    subprocess.run(
        [sys.executable, "-m", "papermill",
         files.ROOT / "notebooks/lab/led.ipynb", folder / "one.ipynb",
         "-p", "data_dir", folder / "one", "-p", "results_dir", folder / "results"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip


@pytest.mark.benchmark(group="growth")
def test_neither_cost_nor_memory_grow_with_the_number_of_samples(benchmark, tmp_path, quick):
    each: dict[int, list[float]] = {}
    counts = (1, 2) if quick else (10, 100, 10, 1000, 10)
    for k, count in enumerate(counts):
        toy.devices(tmp_path / f"in{count}", count)
        work = Campaign("led", tmp_path / f"in{count}", tmp_path / f"out{k}")
        with watched() as most, engine(Budget(work.module, 300, 1000), workers=WORKERS) as run:
            units = work.units()
            list(run((unit.key, unit.line()) for unit in units[: 2 * WORKERS]))  # started and warm
            children = [psutil.Process(pid) for pid in _below()]
            began = cpu() + sum(sum(c.cpu_times()[:2]) for c in children)
            work.analyse(run, units)
            used = cpu() + sum(sum(c.cpu_times()[:2]) for c in children) - began
            if count == max(counts):
                benchmark.pedantic(work.write, args=(units,), rounds=1)
        each.setdefault(count, []).append(used / count)
        said = f"{1e3 * used / count:.1f} ms CPU each, {most[0] / 2**20:.0f} MiB together"
        benchmark.extra_info[f"{count} devices, {k}"] = said
        print(f"\n{count} devices: {said}")
        assert most[0] < 2**30
    assert quick or np.median(each[1000]) < 1.1 * np.median(each[10])


@pytest.mark.benchmark(group="transient absorption")
def test_maps(benchmark, tmp_path, quick):
    count = 1 if quick else 100
    source = lab_examples.EXAMPLES / "transient_absorption" / "film_a_before.csv"
    head, names, *rows = source.read_text().splitlines()
    (tmp_path / "in").mkdir()
    for i in range(count):  # each with other delays left out
        kept = [row for k, row in enumerate(rows) if count == 1 or (k + 7 * i) % 29]
        lab_examples.write(tmp_path / "in" / f"m{i:03d}.csv", [head, names, *kept])
    sheet = ["sample,measurement,file", "{sample},ta,{sample}.csv"]
    lab_examples.write(tmp_path / "in" / "samples.csv", sheet)
    work = Campaign("transient_absorption", tmp_path / "in", tmp_path / "out")
    first = work.units()[: max(count // 10, 1)]
    plain = cost(lambda: [analyse_map(unit.sheet, {}) for unit in first])
    spent = benchmark.pedantic(lambda: cost(lambda: whole(work)), rounds=1)
    say(
        benchmark,
        count,
        **{"plain loop": tuple(s * count / len(first) for s in plain), "campaign": spent},
    )


@contextlib.contextmanager
def watched():
    """The most memory that those below this process hold, and what it takes itself meanwhile."""
    most, done = [0], threading.Event()
    before = psutil.Process().memory_info().rss

    def look() -> None:
        while not done.wait(0.3):
            most[0] = max(most[0], _resident(psutil.Process()) - before)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield most
    finally:
        done.set()
        looking.join()


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total
