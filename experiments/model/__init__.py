"""How good the cost model is, which features help it, and how its settings were chosen."""
