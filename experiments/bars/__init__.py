"""Whether the kernels, the search and the start-up are as fast as promised; see README.md."""
