"""Files that hold nothing an analysis could use: each gets a sentence of its own, in every topic.

No number comes of them, no warning of arithmetic, and no sentence of a library about its arguments.
"""

import importlib
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from peled.quantities import deviate, times
from peled.report import reason
from peled.samples import read_sheet

EXAMPLES = Path(__file__).parents[1] / "lib" / "peled" / "examples"
LIBRARY = re.compile(
    r"infs or NaNs|singular|SVD|zero-size|out of bounds|operands|broadcast|division by zero|"
    r"math domain|reshape|Warning|NoneType|ufunc|\bnan\b(?! s'|')|\binf\b",
    re.IGNORECASE,
)
KINDS = {
    "photoluminescence": (
        "control_f1_pl.csv", "control_f1_series.csv",
        "control_f1_trpl.csv", "control_f1_sphere_direct.csv",
    ),
    "led": ("control_1a_jvl.csv", "control_1a_el.txt", "treated_2a_life.txt"),
    "structure": ("pds_f1.csv", "ups_f1_valence.csv", "xps_f1_C 1s.csv", "xrd_LaB6.xy"),
    "transient_absorption": ("film_a_after.csv",),
}  # fmt: skip
FILES = [(topic, name) for topic, names in KINDS.items() for name in names]
NUMBERS = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
ROW = re.compile(rf"({NUMBERS})((?:[,;\s]+{NUMBERS})+)\s*")


def spoilt(text, kind):
    """A table of numbers with another content: one value throughout, or few rows."""
    made, count = [], 0
    for line in text.splitlines():
        if found := ROW.fullmatch(line):
            count += 1
            if kind in FEW and count > FEW[kind]:
                continue
            line = found[1] + re.sub(NUMBERS, VALUES.get(kind, r"\g<0>"), found[2])
        made.append(line)
    assert count > 20
    return "\n".join(made) + "\n"


VALUES = {"constant": "5", "zero": "0", "negative": "-5", "huge": "1e300", "tiny": "1e-200"}
FEW = {"one": 1, "two": 2, "three": 3}


@pytest.mark.parametrize("kind", [*VALUES, *FEW, "missing"])
@pytest.mark.parametrize("topic, name", FILES)
def test_what_holds_nothing_gives_a_sentence_of_its_own(tmp_path, topic, name, kind):
    text = (EXAMPLES / topic / name).read_text("utf-8")
    new = spoilt(text, kind) if kind != "missing" else spoilt(text, "zero").replace(",0", ",nan")
    (tmp_path / name).write_text(new, "utf-8")
    (tmp_path / "samples.csv").write_text((EXAMPLES / topic / "samples.csv").read_text("utf-8"))
    room = importlib.import_module(f"peled.{topic}.analyse")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        report = room.analyse(read_sheet(tmp_path, topic, sniff=room.sniff), {})
    said = [str(p) for p in report.problems if "expected a file that fits" not in str(p)]
    said += [str(q) for q in report.quantities if q.value is None]
    wrong = [one for one in said if LIBRARY.search(one)]
    assert not wrong, wrong
    limits = [q for q in report.quantities if q.value is not None and q.relation != "="]
    values = [q for q in report.quantities if q.value is not None and q.relation == "="]
    assert said or limits, "neither a number nor a reason"
    assert not values, [f"{q.name} {q}" for q in values]


def test_an_error_of_a_library_is_no_reason_by_itself():
    def step(values):
        return np.linalg.inv(values)

    with pytest.raises(np.linalg.LinAlgError) as caught:
        step(np.zeros((2, 2)))
    said = reason(caught.value)
    assert "Singular" not in said and "LinAlgError" in said and "see whether" in said
    with pytest.raises(ValueError) as caught:
        importlib.import_module("peled.photoluminescence.analyse").analyse(None, {"wrong": 1})
    assert reason(caught.value) == str(caught.value)


def test_numbers_in_sentences_have_digits_that_mean_something():
    for size in np.concatenate([-np.logspace(-80, 80, 60), np.logspace(-80, 80, 60)]):
        for said in (times(size), deviate(size)):
            assert len(said) < 30 and not re.search(r"e[+-]\d", said), said
            assert len(re.sub(r"\D", "", said)) <= 4, said
