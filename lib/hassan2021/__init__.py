"""The paper: Hassan et al., Nature 591, 72 (2021), doi:10.1038/s41586-021-03217-8.

published  its claims and panels, read from the accepted manuscript
verdicts   what is said of its claims, by topic
simulate   forward models that write the bundled files
recompute  the kept calculations of energies, repeated
energetics, nmr, led, structure, synthesis   what the notebooks of a topic work on
"""
