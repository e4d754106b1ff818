"""What an analysis found: quantities by sample, group statistics, pictures, and their export."""

from .export import code_digest, record, to_csv
from .groups import Comparison, Summary, compare, summarise
from .parts import Drawer, Panel, Problem, reason
from .report import Report, from_holdings

__all__ = [
    "Comparison",
    "Drawer",
    "Panel",
    "Problem",
    "Report",
    "Summary",
    "code_digest",
    "compare",
    "from_holdings",
    "reason",
    "record",
    "summarise",
    "to_csv",
]
