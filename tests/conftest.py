"""Settings that hold for every test. They are made once, before JAX starts a backend.

- float64 is on and silent promotion is off, so a stray `float32` or a shape that broadcasts by
  accident is an error, not a result. Tests of float32 say so by dtype.
- There are two CPU devices, so sharding is tested on any machine.
- The annotations of `brainfn` are checked at run time and every warning is an error: both stand in
  `pyproject.toml`.
- Hypothesis has no deadline (the first example compiles). Where `CI` is set it draws the same
  examples each time.

Nothing of `brainfn` may be imported here: the import hook that checks annotations comes first.
"""

import os
import pathlib

import hypothesis
import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True, scope="module")
def _few_programs():
    """Programs that XLA compiled are dropped once they fill much memory: a process that keeps
    thousands of them grows to many gigabytes, and at last XLA crashes."""
    yield
    statm = pathlib.Path("/proc/self/statm")
    resident = int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0
    if resident > 2e9:
        jax.clear_caches()
