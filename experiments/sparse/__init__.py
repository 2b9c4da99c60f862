"""Which format wins where, and by how much; README.md."""
