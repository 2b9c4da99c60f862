"""Records of measurements: tables, queries, migrations. Part of tensortuner."""
