"""What is lowered for CUDA, whether or not there is a GPU; and that nvcc takes the kernels."""

import pathlib
import re
import shutil
import subprocess
import warnings

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
import pytest

import brainfn as bf
import brainfn.event as ev
from brainfn.event import _cuda, _native

SHAPE = (20, 30)
WHERE = np.random.default_rng(0).random(SHAPE) < 0.3
STORED = ev.CSR.fromdense(WHERE * 0.5)
MATRICES = {
    "csr": STORED,
    "csc": STORED.tocsc(),
    "dense": ev.Dense(jnp.asarray(WHERE * 0.5)),
    "fan_out": ev.FixedFanout(0.5, np.tile(np.arange(5), (20, 1)), shape=SHAPE),
    "one_to_one": ev.OneToOne(jnp.ones(20)),
    "just in time": ev.JIT(bf.init.Normal(0.0, 1.0), shape=SHAPE, probability=0.1, seed=1),
}
KERNELS = {"brainfn_scatter", "brainfn_gather", "brainfn_sddmm", "brainfn_update"}


@pytest.fixture
def library(monkeypatch):
    """As if the library of CUDA kernels were there."""
    monkeypatch.setattr(_native, "cuda_library", lambda: object())
    jax.clear_caches()
    yield
    jax.clear_caches()


def lowered(f, *args):
    """The program for CUDA, which this machine need not be able to run."""
    return jax.jit(f).trace(*args).lower(lowering_platforms=("cuda",)).as_text()


def calls(text):
    return set(re.findall(r"@(brainfn_\w+)", text))


@pytest.mark.parametrize("name", MATRICES)
def test_products_and_gradients_call_the_kernels(library, name):
    matrix = MATRICES[name]

    def loss(x):
        return jnp.sum((x @ matrix) ** 2)

    x = jnp.ones(matrix.shape[0])
    assert calls(lowered(jax.grad(loss), x)) == {"brainfn_scatter", "brainfn_gather"}
    right = calls(lowered(lambda x: matrix @ x, jnp.ones(matrix.shape[1])))
    assert right == {"brainfn_scatter" if name == "csc" else "brainfn_gather"}
    batched = jax.vmap(lambda x: x @ matrix)
    assert calls(lowered(batched, jnp.ones((3, matrix.shape[0]), bool))) == {"brainfn_scatter"}


def test_updates_call_the_kernel_and_materialize_stays_with_xla(library):
    text = lowered(lambda s: ev.on_pre(STORED, s, 0.1, lower=0.0).data, jnp.ones(20))
    assert calls(text) == {"brainfn_update"}
    assert calls(lowered(lambda x: ev.materialize(x + 1.0), jnp.ones(3))) == set()


def test_accumulators_are_aliased_and_the_order_is_an_attribute(library, monkeypatch):
    def text():
        return lowered(lambda x: x @ STORED, jnp.ones(20))

    monkeypatch.delenv("BRAINFN_DETERMINISTIC", raising=False)
    monkeypatch.setenv("XLA_FLAGS", "--xla_foo=1")
    assert "deterministic = false" in text() and "output_operand_alias" in text()
    monkeypatch.setenv("BRAINFN_DETERMINISTIC", "1")
    assert "deterministic = true" in text()
    monkeypatch.setenv("BRAINFN_DETERMINISTIC", "perhaps")
    with pytest.raises(ValueError, match="BRAINFN_DETERMINISTIC must be 0 or 1, got 'perhaps'"):
        text()


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ("", False),
        ("--xla_gpu_deterministic_ops", True),
        ("--xla_gpu_autotune_level=0 --xla_gpu_deterministic_ops=true", True),
        ("--xla_gpu_deterministic_ops=false", False),
        ("--xla_gpu_exclude_nondeterministic_ops=1", True),
    ],
)
def test_flags_of_xla_are_honoured(monkeypatch, flags, wanted):
    monkeypatch.delenv("BRAINFN_DETERMINISTIC", raising=False)
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert _cuda.deterministic() is wanted


def test_without_the_library_the_reference_and_one_warning(monkeypatch):
    monkeypatch.delenv("BRAINFN_NATIVE", raising=False)
    monkeypatch.setattr(_cuda, "_NAMES", ("no_such_file",))
    _cuda.cuda_library.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            assert calls(lowered(lambda x: x @ STORED, jnp.ones(20))) == set()
            assert set(ev.kernels("cuda").values()) == {"reference"}
        assert [w.category for w in seen] == [RuntimeWarning]
        assert "on the GPU" in str(seen[0].message) and "nvcc" in str(seen[0].message)
    finally:
        _cuda.cuda_library.cache_clear()


def test_kernels_says_what_a_gpu_uses(library):
    kernels = ev.kernels("cuda")
    native = {name for name, how in kernels.items() if how == "native (CUDA)"}
    assert {f"brainfn_{name}" for name in native} == KERNELS
    assert kernels["transpose"] == "reference"
    with pytest.raises(ValueError, match='platform must be "cpu" or "cuda"'):
        ev.kernels("tpu")


@pytest.mark.slow
def test_nvcc_compiles_the_kernels(tmp_path):
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    if nvcc is None or shutil.which("cmake") is None:
        pytest.skip("no nvcc, or no CMake")
    source = pathlib.Path(ev.__file__).parent / "native" / "cuda"
    include = pathlib.Path(jaxlib.__file__).parent / "include"
    library = tmp_path / "libkernels.so"
    defines = {
        "NVCC": nvcc,
        "SOURCE": source,
        "INCLUDE": include,
        "HOST": shutil.which("g++"),
        "ARCHITECTURES": 80,
        "OUTPUT": library,
    }
    options = [f"-D{name}={value}" for name, value in defines.items()]
    done = subprocess.run(
        ["cmake", *options, "-P", source / "build.cmake"], check=True, capture_output=True
    )
    assert library.exists(), done.stderr.decode()
