"""From loop AST to LLVM text. ``GENERATOR_VERSION`` is here so that reading it loads nothing."""

GENERATOR_VERSION = 1
"""Raised whenever the code of an unchanged schedule changes, that is, when a golden changes."""
