"""Linear algebra in one thread."""


def one_thread() -> None:
    """Let the process's linear algebra run in one thread from now on.

    Sums in several threads depend on their number in the last bit, and for the small matrices
    here the threads only wait for each other.
    """
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which has to be there by now
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
