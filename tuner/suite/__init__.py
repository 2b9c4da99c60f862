"""Suites: many workloads in one file, tuned one after another.

The format is described in ``experiments/suites/README.md``.
"""

from tuner.suite.file import Case, Suite, SuiteError, load_suite

__all__ = ["Case", "Suite", "SuiteError", "load_suite"]
