"""A Ray cluster that works on many items (extra ``scale``)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from autoscope.core import AutoscopeError, ConfigurationError

Item = TypeVar("Item")
Result = TypeVar("Result")

ANSWER_S = 10.0
"""How long the head of a cluster may take to answer."""
QUEUED = 2
"""Calls that are queued for each core of the cluster."""


def map_over_cluster(
    function: Callable[[Item], Result], items: Sequence[Item], *, address: str
) -> Iterator[tuple[Item, Result]]:
    """Calls a function with each item on the cores of a cluster; see :func:`autoscope.app.scaling.map_over`.

    Each call has one core. What a lost machine was working on is given to another one, three times.

    Args:
        function: of a module; autoscope must be installed on every machine of the cluster, in one version.
        items: what they name (files) must be there under the same path.
        address: ``"auto"``, or that of the cluster's head.

    Raises:
        ConfigurationError: there is no Ray, or no cluster at this address.
        AutoscopeError: a machine was lost too often.
    """
    with connected(address) as ray:
        call = ray.remote(num_cpus=1, max_retries=3)(_called)
        waiting = QUEUED * max(1, int(ray.cluster_resources().get("CPU", 1)))
        left, running = iter(items), dict[Any, Item]()
        try:
            while True:
                for item in islice(left, waiting - len(running)):
                    running[call.remote(function, item)] = item
                if not running:
                    return
                for done in ray.wait(list(running), num_returns=1)[0]:
                    yield running.pop(done), _result(ray, done)
        finally:
            for unfinished in running:
                ray.cancel(unfinished)


def _called(function: Callable[[Item], Result], item: Item) -> Result:
    """Ray takes functions alone, which much that can be called is not."""
    return function(item)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster; a connection that was there before is used and kept.

    Raises:
        ConfigurationError: there is no Ray, or no cluster at this address.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError("--ray needs Ray: pip install 'autoscope[scale]'") from error
    if ray.is_initialized():
        yield ray
        return
    try:
        _check_listening(address)
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"--ray {address}: there is no Ray cluster ({str(error).splitlines()[0]}); 'ray start --head'"
            " starts one, and prints its address"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_listening(address: str) -> None:
    """Ray waits for minutes for a head that is not there.

    Raises:
        OSError: nothing listens at this address.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), ANSWER_S).close()


def _result(ray: Any, done: Any) -> Any:
    """What a call returned.

    Raises:
        AutoscopeError: the machine that worked on it was lost.
        BaseException: what the call raised, as it was raised there.
    """
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise AutoscopeError(
            f"the cluster lost what it worked on ({type(error).__name__}); what was finished is kept: run the"
            " same command again to go on"
        ) from error
