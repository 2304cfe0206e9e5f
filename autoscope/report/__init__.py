"""The report of a session: one self-contained page, the result and a table of the fields."""

from autoscope.report.explained import ExplainedField
from autoscope.report.writing import write_report

__all__ = ["ExplainedField", "write_report"]
