"""Hundreds of samples instead of one: a topic's `analyse` over every sample of many folders.

This file imports nothing: a worker's process pays only for what it uses.

>>> from pathlib import Path
>>> from peled.campaign.engines import engine
>>> from peled.campaign.run import Campaign
>>> from peled.campaign.worker import Budget
>>> work = Campaign("led", Path("mylab"), Path("results"))              # doctest: +SKIP
>>> with engine(Budget(work.module)) as run:                            # doctest: +SKIP
...     work.write(work.once(run))
"""
