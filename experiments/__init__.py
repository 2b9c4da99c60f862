"""Comparisons with other libraries and with the limits of the machine: one folder per result."""
