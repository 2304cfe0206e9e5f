"""The same results in this process, in two, and on a Ray cluster of two; what fails there is said here."""

import os

import pytest

from autoscope.app.scaling import map_over
from autoscope.core import AutoscopeError, ConfigurationError


def test_in_this_process():
    assert list(map_over(abs, [-1, 2])) == [(-1, 1), (2, 2)]
    assert list(map_over(abs, [])) == []


def test_in_two_processes():
    assert sorted(map_over(abs, range(-6, 0), jobs=2)) == [(n, -n) for n in range(-6, 0)]


def test_what_fails_there_is_raised_here():
    with pytest.raises(ValueError, match="could not convert"):
        list(map_over(float, ["1", "x"], jobs=2))


def test_a_process_that_is_killed():
    with pytest.raises(AutoscopeError, match="a process was killed"):
        list(map_over(os._exit, [3, 4], jobs=2))


@pytest.fixture(scope="module")
def cluster():
    """A head and one more node, of one core each."""
    pytest.importorskip("ray", reason="ray is not installed: pip install 'autoscope[scale]'")
    os.environ |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_raylet_start_wait_time_s": "240"}
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made.address
    made.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_on_a_cluster_of_two(cluster):
    assert sorted(map_over(abs, range(-6, 0), ray=cluster)) == [(n, -n) for n in range(-6, 0)]
    processes = {pid for _, pid in map_over(eval, ["__import__('os').getpid()"] * 8, ray=cluster)}
    assert len(processes) >= 2 and os.getpid() not in processes


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_fails_on_the_cluster_is_raised_here(cluster):
    with pytest.raises(ValueError, match="could not convert"):
        list(map_over(float, ["1", "x"], ray=cluster))
    assert list(map_over(abs, [-3], ray=cluster)) == [(-3, 3)]


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_is_not_there():
    pytest.importorskip("ray", reason="ray is not installed: pip install 'autoscope[scale]'")
    with pytest.raises(ConfigurationError, match="there is no Ray cluster"):
        list(map_over(abs, [1], ray="127.0.0.1:1"))
