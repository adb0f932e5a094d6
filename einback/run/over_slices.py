"""How a generated file runs over slices: one after the other, or beside each other on threads."""

__all__ = ["IMPORTS", "LIMITS", "OVER", "OVER_IN_SHARES", "OVER_IN_THREADS"]

OVER = '''
def over(work, length, step):
    """Each slice of an axis, as where it starts and what `work` gives for it."""
    for start in range(0, length, step):
        yield start, work(start, min(start + step, length))
'''

IMPORTS = """
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Lock
"""

LIMITS = """
try:
    from threadpoolctl import ThreadpoolController

    blas = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
except ImportError:
    blas = []


@contextmanager
def one_thread_each():
    \"\"\"BLAS on one thread: slices run beside each other.\"\"\"
    before = [library.get_num_threads() for library in blas]
    for library in blas:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, count in zip(blas, before):
            library.set_num_threads(count)

"""

OVER_IN_THREADS = '''
def over(work, length, step):
    """Each slice of an axis, as where it starts and what `work` gives for it: computed by threads, given in order."""
    with one_thread_each():
        waiting = deque()
        try:
            for start in range(0, length, step):
                waiting.append((start, pool.submit(work, start, min(start + step, length))))
                if len(waiting) == THREADS:
                    yield first_of(waiting)
            while waiting:
                yield first_of(waiting)
        finally:  # where a slice fails, the others end before the call does
            wait([result for _, result in waiting])


def first_of(waiting):
    """The earliest slice, taken out of the queue when it is done."""
    start, result = waiting.popleft()
    return start, result.result()
'''

OVER_IN_SHARES = '''
def over(work, length, step):
    """Each slice of an axis, as where it starts and what `work` gives for it: a share of them for each thread."""
    starts = range(0, length, step)
    share = -(-len(starts) // THREADS)

    def some(k):
        return [(start, work(start, min(start + step, length), k)) for start in starts[k * share : (k + 1) * share]]

    with one_thread_each():
        others = [pool.submit(some, k) for k in range(1, THREADS)]
        try:
            yield from some(0)
            for other in others:
                yield from other.result()
        finally:  # where a slice fails, the others end before the call does
            wait(others)
'''
