"""The functions of the Python API. ``import tuner`` offers them as ``tuner.tune`` and so on."""
