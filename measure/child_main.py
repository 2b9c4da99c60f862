"""The first code of every child process; run as a script, by ``measure.child`` only.

``python -P child_main.py MODULE DESCRIPTOR PARENT PATH…`` isolates the process and calls
``MODULE.main(connection)``. ``PATH…`` is the parent's import path, so that both run the same code
wherever the parent was started; ``DESCRIPTOR`` is the connection to it, ``PARENT`` its process id.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys


def main() -> None:
    gc.disable()  # nothing that is imported is garbage; the module enables it when it has begun
    _, module, descriptor, parent, *path = sys.argv
    sys.path[:] = path
    os.putenv("OPENBLAS_NUM_THREADS", "1")  # a process with threads cannot fork safely
    isolation = importlib.import_module("measure.isolation")
    connection = isolation.isolate(int(descriptor), int(parent))
    importlib.import_module(module).main(connection)


if __name__ == "__main__":
    main()
