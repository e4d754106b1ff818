"""A campaign: what it divides folders into, what it keeps, and that no sample stops another."""

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

import campaign_toy as toy
import peled.led.analyse
from peled.campaign import engines, overview, statistics, worker
from peled.campaign.engines import EngineError, engine
from peled.campaign.run import Campaign
from peled.campaign.units import sheet_of
from peled.campaign.worker import Budget
from peled.cli import main
from peled.samples import read_sheet

#: Moments at which something is killed; `PELED_KILLS=30` for the whole test.
KILLS = int(os.environ.get("PELED_KILLS", 2))
EXAMPLES = Path(peled.led.analyse.__file__).parents[1] / "examples"


def values(rows):
    return {row["sample"]: row.get("value") for row in rows}


def reasons(rows):
    return {row["sample"]: row["reasons"] for row in rows if row["status"] == "withheld"}


def table(out):
    return (out / "led.jsonl").read_bytes(), (out / "led.csv").read_bytes()


def units(folder, out="out", **options):
    return {unit.label: unit for unit in toy.Toy("led", folder, Path(out), **options).units()}


@pytest.fixture(scope="module")
def run():
    """Whole campaigns of the toy by one worker that goes on from test to test: folder, out ->
    rows."""
    with engine(Budget(toy.Toy.module, toy.CPU_S, toy.MEMORY_MB), workers=1) as go:
        yield partial(toy.through, go)


# ---- no sample stops another ---------------------------------------------------------------------


def test_every_poison_is_a_row_with_its_reason(run, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "TRIES", 2)
    poison = {"l": "loop", "e": "eat", "s": "segfault", "x": "leave", "r": "raise"}
    toy.write(tmp_path / "in", {"a": "1", **poison, "b": "2", "z": "3"})
    rows = run(tmp_path / "in", tmp_path / "out")
    assert {k: v for k, v in values(rows).items() if v} == {"a": 1, "b": 2, "z": 3}
    said = reasons(rows)
    assert "1 s of CPU time" in said["l"] and "300 MB" in said["e"]
    if os.name == "posix":
        assert "SIGSEGV" in said["s"]
    assert "status 3" in said["x"] and said["r"] == "failed: ValueError: no sweep"


def test_one_sheet_that_cannot_be_read_stops_no_other(run, tmp_path):
    toy.write(tmp_path / "in" / "good", {"a": "1"})
    (tmp_path / "in" / "bad").mkdir()
    (tmp_path / "in" / "bad" / "samples.csv").write_text("sample,nonsense\n1,2\n")
    assert values(run(tmp_path / "in", tmp_path / "out")) == {"a": 1.0}
    said = list(csv.reader((tmp_path / "out" / "led_problems.csv").open(encoding="utf-8-sig")))
    assert said[1][:2] == ["bad", "samples.csv"] and "nonsense" in said[1][2]


def test_a_worker_that_cannot_start_says_why(tmp_path):
    toy.write(tmp_path / "in", {"a": "1"})
    unit = units(tmp_path / "in")["a"]
    with engine(Budget("no_such_module"), workers=1) as run:
        ((key, answer),) = run([(unit.key, unit.line())])
    assert key == unit.key and answer["status"] == "lost" and "no_such_module" in answer["reason"]


# ---- what is kept --------------------------------------------------------------------------------


def count_runs(monkeypatch):
    seen = []
    original = Campaign.analyse
    monkeypatch.setattr(
        Campaign, "analyse",
        lambda self, run, todo, told=None: seen.extend(u.label for u in todo)
        or original(self, run, todo),
    )  # fmt: skip
    return seen


def test_only_what_changed_is_analysed_again(run, tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    toy.write(folder, {"a": "1", "b": "2", "c": "beside d/other.dat"})
    (folder / "d").mkdir()
    (folder / "d" / "other.dat").write_text("5")
    seen = count_runs(monkeypatch)
    first = run(folder, out)
    assert values(first)["c"] == 5 and sorted(seen) == ["a", "b", "c"]
    before = table(out)
    seen.clear()
    run(folder, out)
    assert seen == [] and table(out) == before
    (folder / "a.txt").write_text("10")
    (folder / "d" / "other.dat").write_text("50")  # what an analysis opens by itself counts, too
    assert values(run(folder, out))["c"] == 50 and seen == ["a", "c"]
    seen.clear()
    sheet = (folder / "samples.csv").read_text().replace("{sample}.txt", "{sample}.txt").rstrip()
    (folder / "samples.csv").write_text(sheet + "\nb,jvl,b.txt\n")  # the same meaning
    run(folder, out)
    assert seen == []
    run(folder, out, settings={"gain": 2.0})
    assert seen == ["a", "b", "c"]
    kept = list((out / "kept").iterdir())
    assert len(kept) == 3, "records of other settings are gone"


def test_a_damaged_record_is_made_again(run, tmp_path, monkeypatch):
    toy.write(tmp_path / "in", {"a": "1", "b": "2"})
    run(tmp_path / "in", tmp_path / "out")
    before = table(tmp_path / "out")
    one = next((tmp_path / "out" / "kept").glob("*.json"))
    one.write_bytes(one.read_bytes()[:50])
    seen = count_runs(monkeypatch)
    run(tmp_path / "in", tmp_path / "out")
    assert len(seen) == 1 and table(tmp_path / "out") == before


def test_what_was_stopped_is_tried_again_by_the_next_run(run, tmp_path, monkeypatch):
    toy.write(tmp_path / "in", {"a": "1", "e": "eat"})
    seen = count_runs(monkeypatch)
    run(tmp_path / "in", tmp_path / "out")
    assert sorted(seen) == ["a", "e"], "once in one run"
    run(tmp_path / "in", tmp_path / "out")
    assert sorted(seen) == ["a", "e", "e"]


def test_what_is_lost_with_its_worker_is_tried_once_more_in_the_same_run(tmp_path):
    toy.write(tmp_path / "in", {"a": "1", "b": "2"})
    asked = []

    def killed(tasks):
        for key, _ in tasks:
            asked.append(key)
            again = asked.count(key) > 1 and key == asked[0]
            yield key, {"status": "done" if again else "lost", "reason": "its worker was ended"}

    campaign = toy.Toy("led", tmp_path / "in", tmp_path / "out")
    units = campaign.once(killed)
    assert [asked.count(unit.key) for unit in units] == [2, 2]
    assert [campaign.kept.record(unit)["status"] for unit in units] == ["done", "lost"]


def test_a_file_that_changes_while_it_is_read_gives_no_number_of_its_old_digest(tmp_path):
    toy.write(tmp_path / "in", {"a": "1"})
    unit = units(tmp_path / "in")["a"]
    (tmp_path / "in" / "a.txt").write_text("2")
    with engine(Budget(toy.Toy.module), workers=1) as run:
        ((_, answer),) = run([(unit.key, unit.line())])
    assert answer["status"] == "lost" and "a.txt: changed" in answer["reason"]


# ---- what belongs together -----------------------------------------------------------------------


def test_a_unit_is_a_sample_with_what_serves_it(tmp_path):
    more = (
        "p,jvl,{sample}.dat\nq,jvl,{sample}.dat\n"
        ",responsivity,table.csv\ndark,jvl,dark.asc,\nlent,el,lent.asc\n"
    )
    toy.write(tmp_path, {"a": "1", "b": "2"}, more.replace("dark.asc,", "dark.asc"))
    for name in ("table.csv", "dark.asc", "lent.asc", "p.dat", "q.dat"):
        (tmp_path / name).write_text("1")
    found = units(tmp_path, settings={"spectra_of": {"a": "lent"}})
    assert [row.file for row in found["a"].sheet.rows] == ["a.txt", "lent.asc", "table.csv"]
    assert [row.file for row in found["p"].sheet.rows] == ["lent.asc", "p.dat", "table.csv"]
    assert "" in found, "rows of no sample are analysed by themselves, too"
    other = units(tmp_path, settings={"spectra_of": {"b": "lent"}})
    assert other["a"].key != found["a"].key


def test_samples_of_one_file_go_together():
    sheet = EXAMPLES / "energetics"
    (unit,) = (u for u in Campaign("energetics", sheet, Path("out")).units() if u.samples)
    assert set(unit.samples) == {"water", "ammonia", "water+ammonia", "methane"}


def test_a_sheet_below_another_keeps_its_files(tmp_path):
    toy.write(tmp_path / "in", {"a": "1"}, more="{sample},jvl,*/{sample}.txt\n")
    toy.write(tmp_path / "in" / "day2", {"b": "2"})
    found = units(tmp_path / "in")
    assert set(found) == {"a", "day2/b"}


def test_a_line_to_a_worker_brings_the_same_sheet():
    room = EXAMPLES / "photoluminescence"
    for unit in Campaign("photoluminescence", room, Path("out")).units():
        again = sheet_of(json.loads(unit.line()))
        assert again.digest == unit.sheet.digest
        assert [r.settings for r in again.rows] == [dict(r.settings) for r in unit.sheet.rows]


def test_numbers_are_those_of_the_topic_on_the_whole_folder(tmp_path):
    command = ["campaign", "led", str(EXAMPLES / "led"), "--out", str(tmp_path), "--workers", "1"]
    said = CliRunner().invoke(main, command)
    assert said.exit_code == 0, said.output
    room = peled.led.analyse
    report = room.analyse(read_sheet(EXAMPLES / "led", "led", sniff=room.sniff), {})
    with (tmp_path / "led.csv").open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    found = {
        (r["sample"], r["name"], r["state"], r["unit"]): (r["value"], r["status"]) for r in rows
    }
    wanted = {
        (q.sample, q.name, q.state, q.unit): ("" if q.value is None else str(q.value), q.status)
        for q in report.quantities
    }
    assert found == wanted


# ---- interrupted at any moment -------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder of slow samples and the table of a campaign that nobody disturbed."""
    folder = tmp_path_factory.mktemp("many")
    toy.write(folder / "in", {f"s{i:03d}": f"slow {i} 0.02" for i in range(60)} | {"r": "raise"})
    toy.run(folder / "in", folder / "undisturbed")
    return folder


def start(folder, out, *more):
    return subprocess.Popen([sys.executable, toy.__file__, folder / "in", out, *more])


def children(process):
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def gone(processes, within_s):
    return not psutil.wait_procs(processes, timeout=within_s)[1]


def wait_for(condition, within_s=60.0):
    end = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_killed_at_random_moments_the_table_is_the_undisturbed_one(many):
    rng, out = random.Random(25), many / "disturbed"
    process, killed = start(many, out), 0
    while killed < KILLS:
        wait_for(lambda p=process: len(children(p)) >= 2 or p.poll() is not None)
        time.sleep(rng.uniform(0, 0.25))
        below = children(process)
        if process.poll() is None and (not below or killed % 3 == 0):
            process.kill()
            process.wait()
            assert gone(below, 10 + toy.CPU_S), "no orphan is left"
        elif below:
            rng.choice(below).kill()
        for path in (out / "kept").glob("*.json"):
            json.loads(path.read_bytes())
        killed += 1
        if process.poll() is not None:
            if kept(out) >= 60:  # all done: begin again
                shutil.rmtree(out / "kept")
            process = start(many, out)
    assert process.wait(timeout=120) == 0
    assert table(out) == table(many / "undisturbed")
    assert not list((out / "kept").glob(".*")), "nothing half-written is left"


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("word", ["loop", "sleep"])
def test_an_orphan_ends_by_itself(tmp_path, word):
    toy.write(tmp_path / "in", {"a": word})
    process = start(tmp_path, tmp_path / "out")
    below = wait_for(lambda: children(process))
    # One that sleeps takes no more time of the processor than its start does.
    began = below[0].create_time()
    wait_for(lambda: below[0].cpu_times().user > 0.4 or time.time() > began + 2)
    process.kill()
    process.wait()
    assert gone(below, 20)


# ---- at a scheduler ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes and a scheduler, reached over TCP."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, protocol="tcp", dashboard_address=None,
        silence_logs=50,
    ) as made:  # fmt: skip
        yield made


def test_a_scheduler_gives_the_same_table_while_workers_are_killed(many, cluster):
    process = start(many, many / "dask", cluster.scheduler_address)
    rng, hits = random.Random(2), 0
    while process.poll() is None:
        time.sleep(0.7)
        workers = [w.process.pid for w in cluster.workers.values() if w.process]
        if hits < 2 and (many / "dask" / "kept").exists() and workers:
            psutil.Process(rng.choice(workers)).kill()
            hits += 1
    assert process.wait() == 0
    assert table(many / "dask") == table(many / "undisturbed")


def kept(out):
    return len(list((out / "kept").glob("*.json")))


def dask(address, what):
    """A scheduler or a worker as a process."""
    port = address.rpartition(":")[2]
    words = {
        "scheduler": ["--host", "127.0.0.1", "--port", port, "--dashboard-address", ":0"],
        "worker": [address, "--nthreads", "1", "--death-timeout", "30", "--dashboard-address", ":0",
                   "--no-nanny"],
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{what}", *words[what]],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix" or KILLS < 30, reason="minutes; PELED_KILLS=30")
def test_scheduler_workers_and_client_are_killed_and_the_same_command_goes_on(many):
    pytest.importorskip("distributed")
    address, out, rng = "tcp://127.0.0.1:28786", many / "lost", random.Random(3)
    part = out / "led.jsonl"
    whats = ["scheduler", "worker", "worker"]
    running, process = [dask(address, what) for what in whats], start(many, out, address)
    try:
        for _ in range(KILLS):
            most = kept(out) + 3
            wait_for(lambda p=process, m=most: p.poll() is not None or kept(out) >= m, 150)
            time.sleep(rng.uniform(0, 0.5))
            hit = rng.randrange(4)
            if process.poll() == 0:  # all done: begin again
                assert table(out) == table(many / "undisturbed")
                shutil.rmtree(out)
                process = start(many, out, address)
            lost = [process] if hit == 3 else [running[hit]]
            below = [child for one in lost for child in children(one)]
            lost[0].kill()
            lost[0].wait()
            if hit == 0:
                assert process.wait(timeout=90) != 0 or part.exists(), "it says so and ends"
                assert not part.exists() or table(out) == table(many / "undisturbed")
                below += [child for one in running[1:] for child in children(one)]
                for one in running[1:]:
                    one.wait(timeout=90)  # workers end with their scheduler
                running = [dask(address, what) for what in whats]
            elif hit < 3:
                running[hit] = dask(address, "worker")
            assert gone(below, 20), "no orphan is left"
            if process.poll() is not None:
                process = start(many, out, address)
        while process.wait(timeout=300) != 0:  # the scheduler was the last
            process = start(many, out, address)
    finally:
        for one in [process, *running]:
            one.kill()
            one.wait()
    assert table(out) == table(many / "undisturbed")


def test_poison_at_a_scheduler_takes_no_worker(tmp_path, cluster):
    toy.write(tmp_path / "in", {"a": "1", "l": "loop", "s": "segfault"})
    before = {w.process.pid for w in cluster.workers.values() if w.process}
    rows = toy.run(tmp_path / "in", tmp_path / "out", cluster.scheduler_address)
    assert values(rows) == {"a": 1.0, "l": None, "s": None}
    assert "CPU time" in reasons(rows)["l"] and "SIGSEGV" in reasons(rows)["s"]
    assert before == {w.process.pid for w in cluster.workers.values() if w.process}


def test_no_scheduler_at_an_address_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "CONNECT_S", 1.0)
    toy.write(tmp_path / "in", {"a": "1"})
    with pytest.raises(EngineError, match="scheduler"):
        toy.run(tmp_path / "in", tmp_path / "out", "tcp://127.0.0.1:9")


def test_a_scheduler_without_workers_is_said_and_given_up(tmp_path, monkeypatch, capsys):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(engines, "SAID_AFTER_S", 0.5)
    monkeypatch.setattr(engines, "GIVEN_UP_AFTER_S", 3.0)
    toy.write(tmp_path / "in", {"a": "1"})
    with distributed.LocalCluster(
        n_workers=0, processes=False, protocol="tcp", dashboard_address=None, silence_logs=50,
    ) as none, pytest.raises(EngineError, match="no worker for 3 s; the same command"):  # fmt: skip
        toy.run(tmp_path / "in", tmp_path / "out", none.scheduler_address)
    assert f"dask worker {none.scheduler_address}" in capsys.readouterr().err


def test_workers_that_come_late_are_waited_for(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(engines, "SAID_AFTER_S", 0.5)
    toy.write(tmp_path / "in", {"a": "1"})
    with distributed.LocalCluster(
        n_workers=0, processes=True, threads_per_worker=1, protocol="tcp", dashboard_address=None,
        silence_logs=50,
    ) as late:  # fmt: skip
        timer = threading.Timer(2.0, late.scale, [1])
        timer.start()
        rows = toy.run(tmp_path / "in", tmp_path / "out", late.scheduler_address)
        timer.join()
    assert values(rows) == {"a": 1.0}


SLURM = """\
jobs: 3
jobqueue:
  slurm:
    queue: short
    account: lab
    cores: 8
    processes: 8
    memory: 32GB
    walltime: '01:00:00'
    interface: lo
    job-script-prologue: ['export OMP_NUM_THREADS=1']
    scheduler-options: {dashboard_address: null}
"""


@pytest.mark.parametrize(
    "system, lines",
    [
        (
            "slurm",
            ("#SBATCH -p short", "#SBATCH -A lab", "#SBATCH --mem=30G", "#SBATCH -t 01:00:00"),
        ),
        ("pbs", ("#PBS -q short", "#PBS -A lab", "#PBS -l select=1:ncpus=8:mem=30GB")),
        ("sge", ("#$ -q short", "#$ -l h_rt=01:00:00")),
    ],
)
def test_a_section_of_dask_jobqueue_becomes_its_script(tmp_path, monkeypatch, system, lines):
    dask_jobqueue = pytest.importorskip("dask_jobqueue")
    asked = []
    monkeypatch.setattr(
        dask_jobqueue.core.JobQueueCluster, "scale",
        lambda self, n=None, jobs=0: asked.append(jobs),
    )  # fmt: skip
    path = tmp_path / "cluster.yaml"
    path.write_text(SLURM.replace("slurm", system))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="does not have; start the campaign where"):
        engines.jobs_of(path)
    monkeypatch.setattr(engines.shutil, "which", lambda command: command)
    with engines.jobs_of(path) as cluster:
        script = cluster.job_script()
    assert asked[0] == 3
    assert all(line in script.splitlines() for line in lines), script
    assert "export OMP_NUM_THREADS=1" in script and "--nworkers 8" in script


def test_a_queue_that_nobody_knows_is_named(tmp_path):
    pytest.importorskip("dask_jobqueue")
    path = tmp_path / "cluster.yaml"
    for text in ("jobs: 3\njobqueue: {pigeon: {cores: 1}}\n", "slurm: 3\n", "a: [\n"):
        path.write_text(text)
        with pytest.raises(EngineError, match="slurm"):
            engines.jobs_of(path)


# ---- a folder that grows -------------------------------------------------------------------------


def test_a_growing_folder_is_analysed_file_by_file_when_each_is_whole(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    toy.write(folder, {"a": "1"})
    work = toy.Toy("led", folder, out)
    with engine(Budget(work.module), workers=1) as run:
        looks = work.watch(run)
        assert [next(looks), next(looks), next(looks)] == [0, 1, 0]
        (folder / "b.txt").write_text("2")
        assert next(looks) == 0, "perhaps it is still being written"
        (folder / "b.txt").write_text("25")
        assert [next(looks), next(looks), next(looks)] == [0, 1, 0]
        rows = [json.loads(line) for line in (out / "led.jsonl").read_text().splitlines()]
    assert values(rows) == {"a": 1.0, "b": 25.0}


# ---- the table and the page ----------------------------------------------------------------------


def test_an_outlier_is_named_and_linked_and_a_trend_within_groups_is_seen(run, tmp_path):
    rng, lines, words = np.random.default_rng(4), [], {}
    for i in range(40):
        group, x = ("control", "treated")[i % 2], i // 2
        words[f"s{i}"] = f"{10 * (i % 2) - 0.2 * x + rng.normal(0, 0.3) + 9 * (i == 17):.3f}"
        lines.append(
            f"s{i},jvl,s{i}.txt,{group},2026-05-{1 + i // 5:02d},{x + 20 * (i % 2)},{i % 3}"
        )
    folder, out = tmp_path / "in", tmp_path / "out"
    toy.write(folder, words)
    head = "sample,measurement,file,group,date,x_dose,x_spot"
    (folder / "samples.csv").write_text("\n".join([head, *lines]))
    run(folder, out, parquet=bool(find_spec("pyarrow")))
    page = (out / "led.html").read_text()
    flagged = page.split("To be looked at")[1].split("</section>")[0]
    assert "s17" in flagged and flagged.count("outlier") == 1
    link = re.search(r"<a href='#([^']+)'>s17</a>", flagged)[1]
    assert f"id='{link}'" in page
    assert (out / "led.pdf").read_bytes().startswith(b"%PDF")
    gathered = overview.Gathered(["x_dose", "x_spot"])
    rows = [json.loads(line) for line in (out / "led.jsonl").read_text().splitlines()]
    assert list(gathered.passing(iter(rows))) == rows
    ((series,),) = (gathered.series.values(),)
    (first, rho, p), *_ = series.trends(gathered.numeric)
    assert first == "x_dose" and rho < -0.8 and p < 1e-6, "though the groups together rise"
    with (out / "led.csv").open(encoding="utf-8-sig") as stream:
        table_rows = list(csv.DictReader(stream))
    (one,) = (row for row in table_rows if row["sample"] == "s17")
    assert one["x_dose"] == "28" and one["group"] == "treated" and one["status"] == "reported"
    if find_spec("pyarrow"):
        from pyarrow import parquet

        read = parquet.read_table(out / "led.parquet").to_pydict()
        assert read["value"] == [row["value"] for row in rows] and read["sample"][0] == "s0"


def test_a_report_a_sample_is_written_once_and_linked(tmp_path, monkeypatch):
    toy.write(tmp_path / "in", {"a": "1"})
    toy.run(tmp_path / "in", tmp_path / "out")
    monkeypatch.setattr(toy, "CPU_S", 60.0)
    seen = count_runs(monkeypatch)
    for _ in range(2):
        toy.run(tmp_path / "in", tmp_path / "out", reports=True)
    assert seen == ["a"], "the numbers were there, the report was not"
    page = (tmp_path / "out" / "led.html").read_text()
    link = re.search(r"<a href='([^']+)'>a</a>", page)[1]
    assert (tmp_path / "out" / link).read_bytes().startswith(b"%PDF")


def test_outliers_have_their_false_alarm_rate_and_do_not_hide_each_other():
    rng = np.random.default_rng(1)
    alarms = sum(bool(statistics.outliers(rng.normal(size=20))) for _ in range(1500))
    assert 3 <= alarms <= 30  # 1 % of 1,500: 15 +- 4
    assert sorted(statistics.outliers([*rng.normal(size=20), 9, 9.5])) == [20, 21]
    assert statistics.outliers([1.0] * 20) == [] and statistics.outliers([0, 0, 0, 9]) == []


def test_limits_of_a_control_chart_are_not_widened_by_a_drift():
    rng = np.random.default_rng(2)
    still = rng.normal(5, 1, 4000)
    centre, low, high = statistics.limits(still)
    np.testing.assert_allclose([centre, low, high], [5, 2, 8], atol=0.15)
    outside = np.mean((still < low) | (still > high))
    assert 0.001 < outside < 0.006  # 0.27 % of normal values
    drifting = still[:200] + np.linspace(-6, 6, 200)
    centre, low, high = statistics.limits(drifting)
    assert high - low < 7 and np.mean((drifting < low) | (drifting > high)) > 0.2
    assert statistics.limits([1, 2, 3]) is None and statistics.limits([1] * 20) is None


def test_the_command_refuses_what_it_cannot_do(tmp_path):
    toy.write(tmp_path / "in", {"a": "1"})

    def said(*arguments):
        found = CliRunner().invoke(main, ["campaign", *map(str, arguments)])
        assert found.exit_code == 2
        return found.output

    assert "expected one of" in said("no_topic", tmp_path)
    assert "outside the data" in said("led", tmp_path / "in", "--out", tmp_path / "in" / "out")
    (tmp_path / "s.json").write_text("{")
    assert "no JSON" in said("led", tmp_path / "in", "--settings", tmp_path / "s.json")
