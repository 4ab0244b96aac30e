"""A job's share of its machine, with pretended GPUs and a pretended dask worker."""

import threading

import pytest

from tin_lib.runner.jobs import resources
from tin_lib.runner.jobs.executor import open_executor


def test_cores_are_shared_out_over_jobs_unless_a_number_is_asked_for(monkeypatch):
    monkeypatch.setattr(resources, "usable_cores", lambda: frozenset(range(8)))
    assert resources.threads_each(None, 3, None) == 2
    assert resources.threads_each(None, 20, None) == 1
    assert resources.threads_each(None, 1, None) == 0  # the libraries choose
    assert resources.threads_each(None, 3, "tcp://node:8786") == 0  # the worker's share
    assert resources.threads_each(5, 3, "tcp://node:8786") == 5
    with pytest.raises(ValueError, match="threads must be at least 1 and at most 4,096, not 0"):
        resources.threads_each(0, 1, None)


@pytest.fixture
def worker(monkeypatch):
    """Pretends to be a dask worker with a share of 7 cores, in the environment of its nanny."""
    monkeypatch.setattr(resources, "dask_worker", lambda: "worker")
    monkeypatch.setattr(resources, "share_of_cores", lambda worker: 7)
    for name, value in resources.NANNY.items():
        monkeypatch.setenv(name, value)


def test_what_a_nanny_sets_does_not_reach_a_job(worker):
    found = resources.environment(0)
    assert [found[name] for name in resources.THREADS] == ["7"] * 3
    assert "MALLOC_TRIM_THRESHOLD_" not in found
    assert resources.environment(2)["MKL_NUM_THREADS"] == "2"


def test_what_a_workers_user_sets_does(worker, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    found = resources.environment(0)
    assert found["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in found  # the nanny's 1 would win over the user's 3
    assert found["MALLOC_TRIM_THRESHOLD_"] == "1000000"


def test_the_nannys_settings_are_those_of_the_dask_at_hand():
    pytest.importorskip("distributed")
    import dask

    sets = dask.config.get("distributed.nanny.pre-spawn-environ")
    assert resources.NANNY.items() <= {name: str(value) for name, value in sets.items()}.items()


def test_workers_share_the_cores_that_they_have_in_common():
    tasks = {"a": 1, "b": 1, "c": 2}
    bound = {"a": frozenset({0, 1}), "b": frozenset({2, 3}), "c": frozenset({2, 3})}
    assert resources.tasks_on(bound["a"], bound, tasks) == 1
    assert resources.tasks_on(bound["b"], bound, tasks) == 3


def slots(jobs):
    """The CUDA_VISIBLE_DEVICES of jobs that run at once."""
    together = threading.Barrier(jobs, timeout=20)

    def seen():
        together.wait()
        return resources.environment(0).get("CUDA_VISIBLE_DEVICES")

    with open_executor(jobs) as pool:
        return sorted(future.result() for future in [pool.submit(seen) for _ in range(jobs)])


def test_jobs_side_by_side_see_one_gpu_each(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert slots(2) == ["0", "1"]
    assert slots(3) == ["0", "0", "1"]
    assert resources.gpu_slots(1) == [None]  # one job alone may use all
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert resources.gpu_slots(2) == [None, None]


def test_only_gpus_that_the_user_allows_are_given_out(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: pytest.fail("the user has chosen"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-ab")
    assert slots(2) == ["3", "GPU-ab"]
    for one_or_none in ("2", ""):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", one_or_none)
        assert slots(2) == [one_or_none] * 2
