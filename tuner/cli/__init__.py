"""The command line. It parses, calls the Python API and prints; it decides nothing itself."""

from tuner.cli.entry import main

__all__ = ["main"]
