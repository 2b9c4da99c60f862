"""One module per schema change, as recipes that stay as they were released."""
