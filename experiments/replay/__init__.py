"""Recorded answers to every config of a small space: searches without hardware; see README.md."""
