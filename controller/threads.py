"""One thread for every sum: the same numbers every time, and no fight for the cores."""

import os
import sys

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def one_thread() -> None:
    """Hold numpy and torch to one thread: those yet to be loaded, and torch if it is there.

    A variable that the user has set is left as it is; torch isn't loaded for this.
    """
    for variable in VARIABLES:
        os.environ.setdefault(variable, "1")
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
