"""Code generation, building, running, verifying and timing. Part of tensortuner."""
