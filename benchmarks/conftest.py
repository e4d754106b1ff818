"""Shared by the benchmarks: the quick form that the tests run once, and the ratio to a peer."""

import time

import pytest


@pytest.fixture(scope="session")
def quick(request) -> bool:
    """Whether each benchmark runs once only, to see that it still runs (`--benchmark-disable`)."""
    return bool(request.config.getoption("benchmark_disable"))


@pytest.fixture
def against(benchmark):
    """Keep and print how many times longer a peer takes than what was measured here: `least` times
    at least."""

    def keep(peer: str, seconds: float, least: float = 0.0) -> None:
        if benchmark.stats is not None:
            ratio = seconds / benchmark.stats.stats.min
            benchmark.extra_info[f"ratio to {peer}"] = ratio
            print(f"\n{benchmark.stats.stats.min:.3g} s, {peer} {seconds:.3g} s: ratio {ratio:.1f}")
            assert ratio > least

    return keep


@pytest.fixture(scope="session")
def cpu(quick):
    """CPU seconds of a call, the least of some: what neighbours on the machine disturb least."""

    def least(function, rounds: int = 3) -> float:
        spent = []
        for _ in range(1 if quick else rounds):
            start = time.process_time()
            function()
            spent.append(time.process_time() - start)
        return min(spent)

    return least
