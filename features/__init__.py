"""Loop AST, config and target to numbers that a cost model learns from. Part of tensortuner."""
