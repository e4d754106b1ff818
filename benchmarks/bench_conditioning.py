"""1,000 spectra of 1,024 points through cosmic rays and baseline: CPU seconds, goal 0.4.

Run: pytest benchmarks/bench_conditioning.py. The seconds are printed.
"""

import time

import numpy as np

from peled.conditioning import Signal, condition


def test_despike_and_baseline_of_a_series(quick):
    rng = np.random.default_rng(0)
    x = np.linspace(450, 850, 1024)
    light = 6000 * np.exp(-0.5 * ((x - 640) / 15) ** 2)
    values = light + rng.standard_normal((1000, 1024)) * np.sqrt(64 + 0.5 * light)
    values[rng.integers(0, 1000, 500), rng.integers(5, 1019, 500)] += 3000
    signal, seconds = Signal(x, values), []
    for _ in range(5):
        begin = time.process_time()
        condition(signal, [("cosmic", {}), ("baseline", {"order": 1})])
        seconds.append(time.process_time() - begin)
    print(f"1,000 spectra x 1,024 points: {min(seconds):.2f} s CPU")
    assert quick or min(seconds) < 0.4
