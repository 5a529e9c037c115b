"""The threads of this process that members are trained in. What is computed does not depend on how many there are."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache


@lru_cache(maxsize=1)
def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="members")


def share(members: int, most: int, work: Callable[[int, int, int], None]) -> None:
    """work(thread, first, last) for members 0 .. `members`, cut among at most `most` threads; raises what it raises."""
    count = min(members, most)
    if count <= 1:
        work(0, 0, members)
        return
    cuts = [members * number // count for number in range(count + 1)]
    waiting = [_pool().submit(work, number, cuts[number], cuts[number + 1]) for number in range(1, count)]
    work(0, cuts[0], cuts[1])
    for each in waiting:
        each.result()
