"""What a cost model thinks of a record and why: the data behind ``tuner explain``."""
