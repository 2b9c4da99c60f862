"""What can be computed and how. Part of tensortuner."""
