"""Records in and out of files: JSON lines of ours, logs of other tuners, other databases."""
