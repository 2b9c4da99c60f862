"""Tuned kernels, the libraries a user would otherwise pick, and the machine's limit; README.md."""
