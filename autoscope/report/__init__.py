"""The report of a session: one self-contained page, the result and a table of the fields."""

from autoscope.report.writing import write_report

__all__ = ["write_report"]
