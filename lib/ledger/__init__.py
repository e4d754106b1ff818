"""ledger: what makes a repository executable, for any paper.

paper        claims and panels as data, and the verdict on a claim
notebook     the desk of one notebook: files, panels with provenance, results, verdicts
datapackage  catalogues of data files
run          notebooks run headlessly, each only when something it read has changed
claims       the scoreboard over all notebooks
site         a static site of claims, panels, notebooks and data
"""
