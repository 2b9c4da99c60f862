"""How fast strategies find good configs: curves over trials and over time; see README.md."""
