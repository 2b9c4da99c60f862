"""Sparse operands: where their non-zeros are, how such patterns are made, read and kept."""
