"""peled: analysis of perovskite-LED measurements.

Topics (synthesis, photoluminescence, transient_absorption, led, nmr, energetics, structure) stand
on shared physics and formats, and never import each other. Nothing here knows a paper or a
repository. This file imports nothing, so that each program pays only for what it uses.
"""

__version__ = "0.1.0"

#: Variables that say how many threads linear algebra takes, read when numpy is imported.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
