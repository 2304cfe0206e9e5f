"""The same function over many items: in this process, in several, or on a cluster."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from autoscope.app.processes import one_thread_each
from autoscope.core import AutoscopeError

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_over(
    function: Callable[[Item], Result], items: Sequence[Item], *, jobs: int = 1, ray: str | None = None
) -> Iterator[tuple[Item, Result]]:
    """Calls a function with each item and yields item and result as they finish.

    Few calls are queued at a time, so that one that is interrupted has little to wait for. What the function
    raises is raised here; it must be able to travel between processes.

    Args:
        function: of a module, so that other processes can import it.
        items: small, for each travels to where it is worked on.
        jobs: processes; 1 runs everything in this one.
        ray: address of a Ray cluster that is to do it instead, ``"auto"`` for the one of this machine.

    Raises:
        AutoscopeError: a process was killed, or a machine of the cluster lost.
        ConfigurationError: there is no Ray, or no cluster at this address.
    """
    if ray is not None:
        from autoscope.app.cluster import map_over_cluster

        yield from map_over_cluster(function, items, address=ray)
        return
    if jobs == 1 or len(items) < 2:
        for item in items:
            yield item, function(item)
        return
    context = multiprocessing.get_context("spawn")
    with one_thread_each(), ProcessPoolExecutor(min(jobs, len(items)), context) as pool:
        try:
            yield from _drain(pool, function, iter(items), waiting=2 * jobs)
        except BrokenProcessPool as error:
            raise AutoscopeError(
                "a process was killed (out of memory?); what was finished is kept: run the same command again"
                " to go on, with fewer --jobs"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _drain(
    pool: ProcessPoolExecutor, function: Callable[[Item], Result], items: Iterator[Item], waiting: int
) -> Iterator[tuple[Item, Result]]:
    """Keeps a few calls queued: what is interrupted has little to wait for."""
    running: dict[Future[Result], Item] = {}
    while True:
        for item in islice(items, waiting - len(running)):
            running[pool.submit(function, item)] = item
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()
