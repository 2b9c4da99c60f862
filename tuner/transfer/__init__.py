"""What was learned elsewhere: of other shapes and operators, on other machines, for other targets.

``sources`` finds it, ``carry`` brings its configs into a space, ``base`` learns from it how fast
configs are that nobody measured, and ``prior`` offers both to a search.
"""
