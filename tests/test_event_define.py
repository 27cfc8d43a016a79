"""Operators made by `bf.event.define`: every kind of kernel through every transformation."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

import brainfn as bf
import brainfn.event as ev
from brainfn.event import _compile, _numba

N, K = 12, 4
PAGE = pathlib.Path(__file__).parents[1] / "docs" / "custom_operators.md"
HAS_COMPILER = any(map(shutil.which, ("g++", "clang++")))
HAS_NUMBA = importlib.util.find_spec("numba") is not None
NATIVE = ev.kernels()["scatter"] != "reference"
needs_compiler = pytest.mark.skipif(not (HAS_COMPILER and NATIVE), reason="no C++ compiler")
needs_numba = pytest.mark.skipif(not (HAS_NUMBA and NATIVE), reason="no Numba")

SOURCE = r"""
#include <algorithm>
#include <cstdint>
#include "xla/ffi/api/ffi.h"
namespace ffi = xla::ffi;

// The handler `ring` gives what a ring of weights makes of x; `ring_add` adds it to y.
template <typename T>
void add(ffi::AnyBuffer x, ffi::AnyBuffer w, int64_t shift, T* y) {
  const int64_t n = x.element_count(), k = w.element_count();
  for (int64_t i = 0; i < n; ++i) {
    const bool is_bool = x.element_type() == ffi::PRED;
    const T from = is_bool ? T(x.typed_data<bool>()[i]) : x.typed_data<T>()[i];
    if (from == T(0)) continue;
    for (int64_t d = 0; d < k; ++d) y[(i + d + shift) % n] += from * w.typed_data<T>()[d];
  }
}

using Any = ffi::AnyBuffer;
char* bytes(Any x) { return static_cast<char*>(x.untyped_data()); }

ffi::Error Ring(Any x, Any w, int64_t shift, ffi::Result<Any> out) {
  auto y = *out;
  std::fill_n(bytes(y), y.size_bytes(), 0);
  if (w.element_type() == ffi::F32) add(x, w, shift, y.typed_data<float>());
  else add(x, w, shift, y.typed_data<double>());
  return ffi::Error::Success();
}

ffi::Error RingAdd(Any y, Any x, Any w, ffi::Result<Any> out) {
  if (bytes(*out) != bytes(y)) std::copy_n(bytes(y), y.size_bytes(), bytes(*out));
  add(x, w, 0, out->typed_data<double>());
  return ffi::Error::Success();
}

ffi::Error Wrong(Any x, Any w, int64_t shift, ffi::Result<Any> out) {
  (void)w, (void)shift;
  std::copy_n(x.typed_data<double>(), x.element_count(), out->typed_data<double>());
  return ffi::Error::Success();
}

#define BINARY ffi::Ffi::Bind().Arg<Any>().Arg<Any>()
#define SHIFT Attr<int64_t>("shift")
XLA_FFI_DEFINE_HANDLER_SYMBOL(ring, Ring, BINARY.SHIFT.Ret<Any>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ring_add, RingAdd, BINARY.Arg<Any>().Ret<Any>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(wrong, Wrong, BINARY.SHIFT.Ret<Any>());
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """All tests share one directory of compiled operators, which is not the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINFN_CACHE_DIR", str(folder))
        yield folder


def ring(x, w, *, shift=0):
    x = x.astype(w.dtype)
    return sum((w[d] * jnp.roll(x, d + shift) for d in range(w.shape[0])), jnp.zeros_like(x))


def ring_numba(x, w, y, shift):
    y[:] = 0
    for i in range(x.shape[0]):
        if x[i]:
            for d in range(w.shape[0]):
                y[(i + d + shift) % x.shape[0]] += x[i] * w[d]


def oracle(x, w, shift=0):
    """The ring as a dense matrix, in NumPy and float64."""
    x, w = np.asarray(x, np.float64), np.asarray(w, np.float64)
    n = x.shape[-1]
    matrix, rows = np.zeros((n, n)), np.arange(n)
    for d, value in enumerate(w):
        np.add.at(matrix, (rows, (rows + d + shift) % max(n, 1)), value)
    return x @ matrix


def make(kind, **options):
    options = {"linear": ("x", "w"), "name": "ring", **options}
    if kind == "cpp":
        options |= {"cpp": SOURCE, "flags": ("-O0",)}  # which compiles faster
    if kind == "numba":
        options["numba"] = ring_numba
    return ev.define(ring, **options)


KINDS = [
    "reference",
    pytest.param("cpp", marks=needs_compiler),
    pytest.param("numba", marks=needs_numba),
]


@pytest.fixture(scope="module", params=KINDS)
def operator(request):
    return make(request.param)


def arrays(seed, *batch, dtype=np.float64, n=N, k=K):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(*batch, n)) * (rng.random((*batch, n)) < 0.4)
    return jnp.asarray(x, dtype), jnp.asarray(rng.normal(size=k), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_eager_jit_and_static(operator, dtype):
    # float32: K products are summed in another order, a few eps; float64 likewise.
    tolerance = {"rtol": 8 * np.finfo(dtype).eps, "atol": 8 * np.finfo(dtype).eps}
    x, w = arrays(0, dtype=dtype)
    for given in (x, x != 0, jnp.zeros_like(x), jnp.ones_like(x)):
        out = operator(given, w)
        assert out.dtype == dtype and isinstance(out, jax.Array)
        np.testing.assert_allclose(out, oracle(given, w), **tolerance)
    jitted = jax.jit(lambda x, w: operator(w=w, x=x, shift=3))
    np.testing.assert_allclose(jitted(x, w), oracle(x, w, 3), **tolerance)
    np.testing.assert_allclose(operator(np.asarray(x), w, shift=3), oracle(x, w, 3), **tolerance)


@pytest.mark.parametrize(("n", "k"), [(0, 2), (1, 1), (3, 0), (7, 7)])
def test_odd_sizes(operator, n, k):
    x, w = arrays(1, n=n, k=k)
    np.testing.assert_allclose(operator(x, w), oracle(x, w), atol=1e-14)


def test_kernel_is_what_runs(operator):
    x, w = arrays(2)
    text = jax.jit(operator).lower(x, w).as_text()
    kind = operator._recipe
    assert ("custom_call" in text) == (kind.cpp is not None or kind.numba is not None)
    tangent = jax.jit(lambda x, w, t: jax.jvp(operator, (x, w), (t, w))[1]).lower(x, w, x)
    # One call for the value (not used here, so removed) and one for each tangent.
    assert len(re.findall("call @|custom_call @", tangent.as_text())) >= 2 * ("custom_call" in text)


def test_vmap_each_and_nested(operator):
    x, _ = arrays(3, 2, 3)
    w = jnp.asarray(np.random.default_rng(3).normal(size=(2, K)))
    wanted = np.stack([oracle(x[b], w[b]) for b in range(2)])
    out = jax.jit(jax.vmap(jax.vmap(operator, (0, None))))(x, w)
    np.testing.assert_allclose(out, wanted, atol=1e-14)
    out = jax.vmap(operator, (None, 0))(x[0, 0], w)
    np.testing.assert_allclose(out, [oracle(x[0, 0], w[b]) for b in range(2)], atol=1e-14)
    out = jax.vmap(operator, (1, None), out_axes=1)(x[0].T, w[0])
    np.testing.assert_allclose(out.T, wanted[0], atol=1e-14)


def test_jvp_grad_and_second_derivatives(operator):
    (x, w), (dx, dw) = arrays(4), arrays(5)
    value, tangent = jax.jvp(operator, (x, w), (dx, dw))
    np.testing.assert_allclose(value, oracle(x, w), atol=1e-14)
    np.testing.assert_allclose(tangent, oracle(dx, w) + oracle(x, dw), atol=1e-13)
    ct = np.asarray(arrays(6)[0])
    _, pullback = jax.vjp(operator, x, w)
    back_x, back_w = jax.jit(pullback)(jnp.asarray(ct))
    np.testing.assert_allclose(back_x @ np.asarray(dx), ct @ oracle(dx, w), atol=1e-13)
    np.testing.assert_allclose(back_w @ np.asarray(dw), ct @ oracle(x, dw), atol=1e-13)

    def loss(x, w):
        return jnp.sum(operator(x, w) ** 3)

    # Central differences of the gradient, float64: error about 1e-9.
    hessian = jax.jit(jax.jacfwd(jax.grad(loss, 1), 1))(x, w)
    for d in range(K):
        h = jnp.zeros(K).at[d].set(1e-5)
        difference = (jax.grad(loss, 1)(x, w + h) - jax.grad(loss, 1)(x, w - h)) / 2e-5
        np.testing.assert_allclose(hessian[:, d], difference, atol=1e-6)


def test_vmap_of_grad_and_grad_of_vmap(operator):
    x, w = arrays(7, 3)

    def loss(w, x):
        return jnp.sum(operator(x, w) ** 2)

    each = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(w, x)
    together = jax.grad(lambda w: jnp.sum(jax.vmap(loss, (None, 0))(w, x)))(w)
    for b in range(3):
        design = np.stack([oracle(x[b], row) for row in np.eye(K)])
        np.testing.assert_allclose(each[b], 2 * design @ oracle(x[b], w), atol=1e-12)
    np.testing.assert_allclose(together, np.sum(each, axis=0), atol=1e-12)


def test_scan_and_its_gradient(operator):
    x, w = arrays(8, 5)

    def loss(w):
        return jax.lax.scan(lambda s, x: (s + operator(x, w), None), jnp.zeros(N), x)[0].sum()

    got = jax.jit(jax.grad(loss))(w)
    np.testing.assert_allclose(got, np.full(K, np.sum(x)), rtol=1e-12)


def test_shard_map(operator):
    mesh = jax.make_mesh((2,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    x, w = arrays(9, 4)

    def mean(w, x):
        local = jnp.sum(jax.vmap(operator, (0, None))(x, w) ** 2)
        return jax.lax.psum(local, "d")

    sharded = jax.shard_map(mean, mesh=mesh, in_specs=(P(), P("d")), out_specs=P())
    value, got = jax.jit(jax.value_and_grad(sharded))(w, x)
    np.testing.assert_allclose(value, np.sum(oracle(x, w) ** 2), rtol=1e-12)
    wanted = jax.grad(lambda w: sum(jnp.sum(ring(x[b], w) ** 2) for b in range(4)))(w)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_check_passes(operator):
    operator.check(*arrays(10), shift=1)


@pytest.fixture(scope="module", params=["reference", pytest.param("cpp", marks=needs_compiler)])
def adding(request):
    def ring_add(y, x, w):
        return y + ring(x, w)

    source = SOURCE if request.param == "cpp" else None
    return ev.define(ring_add, linear=("x", "w"), accumulate={"y": 0}, cpp=source, flags=("-O0",))


def test_accumulate(adding):
    (x, w), (y, dw), (dy, _) = arrays(11), arrays(12), arrays(13)
    given = jnp.array(y)
    np.testing.assert_allclose(adding(given, x, w), y + oracle(x, w), atol=1e-14)
    np.testing.assert_array_equal(given, y)  # it is used again, so XLA made a copy
    tangent = jax.jvp(adding, (y, x, w), (dy, y, dw))[1]
    np.testing.assert_allclose(tangent, dy + oracle(y, w) + oracle(x, dw), atol=1e-13)
    ct = np.asarray(arrays(14)[0])
    back = jax.jit(lambda ct: jax.vjp(adding, y, x, w)[1](ct))(jnp.asarray(ct))
    np.testing.assert_allclose(back[0], ct)
    np.testing.assert_allclose(back[1] @ np.asarray(y), ct @ oracle(y, w), atol=1e-13)
    np.testing.assert_allclose(back[2] @ np.asarray(dw), ct @ oracle(x, dw), atol=1e-13)
    adding.check(y, x, w)
    # In a loop the accumulator stays where it is.
    many, _ = arrays(15, 4)

    def total(y):
        return jax.lax.scan(lambda y, x: (adding(y, x, w), None), y, many)[0]

    np.testing.assert_allclose(jax.jit(total)(y), y + oracle(many, w).sum(0), atol=1e-13)
    batched = jax.vmap(adding, (None, 0, None))(y, many, w)
    np.testing.assert_allclose(batched, np.asarray(y) + oracle(many, w), atol=1e-13)


def scaled(x, gain, count, *, power: int, mode="up"):
    """Several outputs; linear in x only; integers go through."""
    sign = 1.0 if mode == "up" else -1.0
    return sign * x * gain**power, count + 1, jnp.sum(x)


def scaled_numba(x, gain, count, y, more, total, power, mode):
    total[()] = 0.0
    for i in range(x.shape[0]):
        value = x[i] * gain[()] ** power
        y[i] = value if mode == "up" else -value
        more[i] = count[i] + 1
        total[()] += x[i]


@pytest.mark.parametrize("kind", ["reference", pytest.param("numba", marks=needs_numba)])
def test_several_outputs_static_arguments_and_other_derivatives(kind):
    numba = scaled_numba if kind == "numba" else None
    op = ev.define(scaled, linear=("x",), numba=numba, aliases={"count": 1})
    x, count = jnp.arange(1.0, 4.0), jnp.arange(3, dtype=jnp.int32)
    gain = jnp.asarray(2.0)
    y, more, total = op(x, gain, count, power=3, mode="down")
    np.testing.assert_allclose(y, -8 * np.arange(1.0, 4.0))
    np.testing.assert_array_equal(more, [1, 2, 3])
    assert total == 6.0 and more.dtype == np.int32
    np.testing.assert_array_equal(count, [0, 1, 2])

    def loss(x, gain):
        y, _, total = op(x, gain, count, power=3)
        return jnp.sum(y) * total

    # (sum x)^2 gain^3
    dx, dgain = jax.jit(jax.grad(loss, (0, 1)))(x, gain)
    np.testing.assert_allclose(dx, 2 * 6 * 8.0 * np.ones(3), rtol=1e-14)
    np.testing.assert_allclose(dgain, 36 * 3 * 4.0, rtol=1e-14)
    op.check(x, gain, count, power=2)


def test_named_transpose_is_used():
    calls = []

    def rule(ct, x, w, *, shift):
        calls.append((x, w))
        return jnp.stack([ct @ jnp.roll(x, d + shift) for d in range(w.shape[0])])

    op = make("reference", transpose={"w": rule})
    x, w = arrays(16)
    got = jax.grad(lambda w: jnp.sum(op(x, w, shift=2) ** 2))(w)
    wanted = jax.grad(lambda w: jnp.sum(ring(x, w, shift=2) ** 2))(w)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert len(calls) == 1 and calls[0][1] == jax.ShapeDtypeStruct((K,), np.float64)
    bad = make("reference", transpose={"w": lambda ct, x, w, *, shift: ct})
    with pytest.raises(ValueError, match=r"transpose rule of 'w' must return float64 \(4,\)"):
        jax.grad(lambda w: jnp.sum(bad(x, w)))(w)


def test_batch_by_reference_and_by_rule():
    x, w = arrays(17, 3)
    wanted = oracle(x, w)
    mapped = make("reference", batch="reference")
    assert "scan" not in str(jax.make_jaxpr(jax.vmap(mapped, (0, None)))(x, w))
    np.testing.assert_allclose(jax.vmap(mapped, (0, None))(x, w), wanted, atol=1e-14)
    seen = []

    def rule(size, batched, x, w, *, shift):
        seen.append((size, batched))
        return jax.vmap(lambda x: ring(x, w, shift=shift))(x), True

    wide = make("reference", batch=rule)
    np.testing.assert_allclose(jax.vmap(wide, (1, None))(x.T, w), wanted, atol=1e-14)
    assert seen == [(3, [True, False])]
    bad = make("reference", batch=lambda size, batched, x, w, *, shift: (x[0], True))
    with pytest.raises(ValueError, match="ring: the batch rule must return"):
        jax.vmap(bad, (0, None))(x, w)


@pytest.mark.skipif(not NATIVE, reason="kernels are turned off")
def test_supports_leaves_the_rest_to_the_reference():
    asked = []

    def supports(x, w, *, shift):
        asked.append((x.dtype, shift))
        return False

    op = ev.define(ring, linear=("x", "w"), cpp="not C++", supports=supports)
    x, w = arrays(18)
    np.testing.assert_allclose(op(x, w), oracle(x, w), atol=1e-14)
    assert asked[0] == (np.float64, 0)


SMALL = r"""
#include "xla/ffi/api/ffi.h"
namespace ffi = xla::ffi;
ffi::Error Twice(ffi::Buffer<ffi::F32> x, ffi::Result<ffi::Buffer<ffi::F32>> y) {
  for (size_t i = 0; i < x.element_count(); ++i) y->typed_data()[i] = 2 * x.typed_data()[i];
  return ffi::Error::Success();
}
XLA_FFI_DEFINE_HANDLER_SYMBOL(twice, Twice,
    ffi::Ffi::Bind().Arg<ffi::Buffer<ffi::F32>>().Ret<ffi::Buffer<ffi::F32>>());
"""
SCRIPT = f"""
import numpy as np
import brainfn.event as ev
op = ev.define(lambda x: x + x, name="twice", linear=("x",), cpp={SMALL!r}, flags=("-O0",))
print(op(np.arange(3, dtype=np.float32)))
"""


def small():
    return ev.define(lambda x: x + x, name="twice", linear=("x",), cpp=SMALL, flags=("-O0",))


@needs_compiler
def test_cache_is_shared_by_processes(tmp_path, monkeypatch):
    folder = tmp_path / "new" / "folder"
    monkeypatch.setenv("BRAINFN_CACHE_DIR", str(folder))
    processes = [
        subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.communicate()[0] == "[0. 2. 4.]\n"
    digest, path = sorted(folder.iterdir())  # nothing else is left behind
    assert (digest.suffix, path.suffix) == (".sha256", ".so")

    def compile_again(*args):
        raise AssertionError("compiled although another process had done so")

    monkeypatch.setattr(_compile, "_compile", compile_again)
    x = jnp.arange(4, dtype=jnp.float32)
    np.testing.assert_array_equal(small()(x), 2 * np.arange(4))
    assert "twice_" in jax.jit(small()).lower(x).as_text()
    # What can't be loaded (a directory shared with another machine) is compiled anew.
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"nothing that can be loaded")
    assert _compile._load(broken) is None and _compile._load(path) is not None
    # Nor is what was cut short, or changed, after it was written.
    cut = tmp_path / "cut.so"
    cut.write_bytes(path.read_bytes()[:5000])
    cut.chmod(0o700)
    cut.with_suffix(".sha256").write_text(digest.read_text())
    assert _compile._load(cut) is None


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system has no owners of files")
def test_a_cache_that_others_can_write_is_not_trusted(tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("BRAINFN_CACHE_DIR", str(shared))
    monkeypatch.setattr(_compile, "_LOADED", {})
    with pytest.warns(RuntimeWarning, match="can be written by others"):
        out = small()(jnp.arange(3, dtype=jnp.float32))
    np.testing.assert_array_equal(out, [0, 2, 4])
    assert not list(shared.iterdir())


@pytest.mark.skipif(not NATIVE, reason="kernels are turned off")
def test_without_a_compiler_the_reference_runs_with_one_warning(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    op, x = make("reference", cpp="anything"), jnp.arange(4.0)
    with pytest.warns(RuntimeWarning, match=r"no working compiler.*\(CXX='no-such-compiler'\)"):
        np.testing.assert_array_equal(op(x, jnp.ones(1)), x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(op(x[:3], jnp.ones(1)), x[:3])


CUDA = r"""
#include <cuda_runtime.h>
#include "xla/ffi/api/ffi.h"
namespace ffi = xla::ffi;
using F32 = ffi::Buffer<ffi::F32>;
__global__ void add(const float* x, float* y, int64_t n) {
  const int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x;
  if (i < n) y[i] = x[i] + x[i];
}
ffi::Error Twice(cudaStream_t stream, F32 x, ffi::Result<F32> y) {
  const int64_t n = x.element_count();
  if (n > 0) add<<<(n + 255) / 256, 256, 0, stream>>>(x.typed_data(), y->typed_data(), n);
  if (cudaGetLastError() == cudaSuccess) return ffi::Error::Success();
  return ffi::Error::Internal("twice could not be started");
}
XLA_FFI_DEFINE_HANDLER_SYMBOL(twice, Twice,
    ffi::Ffi::Bind().Ctx<ffi::PlatformStream<cudaStream_t>>().Arg<F32>().Ret<F32>());
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None or not NATIVE, reason="no nvcc")
def test_cuda_is_compiled_and_called(monkeypatch):
    """Without a GPU: the program that JAX makes for one calls the compiled handler."""

    class Hopper:
        compute_capability = "9.0"

    monkeypatch.setattr(jax, "devices", lambda platform=None: [Hopper])
    op = ev.define(lambda x: x + x, name="twice", linear=("x",), cuda=CUDA)
    traced = jax.jit(op).trace(jax.ShapeDtypeStruct((4,), np.float32))
    assert "custom_call @twice_" in traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "custom_call" not in traced.lower(lowering_platforms=("cpu",)).as_text()


@needs_compiler
def test_what_the_compiler_says():
    op = ev.define(ring, linear=("x", "w"), cpp="int main() { return nothing; }\n")
    with pytest.raises(ev.CompileError, match=r"(?s)could not compile ring\.cc.*nothing") as e:
        op(*arrays(19))
    assert "ring.cc:1" in str(e.value) and "/tmp" not in str(e.value).split("\n", 1)[1]
    missing = make("cpp", symbol="rung")
    with pytest.raises(ev.CompileError, match=r"no handler 'rung'; it defines ring, ring_add, wr"):
        missing(*arrays(19))


@needs_compiler
def test_source_in_a_file_and_its_headers(tmp_path):
    source, header = tmp_path / "ring.cc", tmp_path / "more.h"
    source.write_text('#include "more.h"\n' + SOURCE)
    header.write_text("// first\n")
    given = ev.define(ring, linear=("x", "w"), cpp=source)._recipe.cpp
    before = _compile._included(given)
    header.write_text("// second\n")
    assert before == ["more.h\0// first\n"] and _compile._included(given) != before
    assert given.name == str(source)


@needs_compiler
def test_check_names_what_is_wrong():
    wrong = make("cpp", symbol="wrong")
    x, w = arrays(20)
    with pytest.raises(ValueError, match=r"ring: kernel and reference differ in output 0"):
        wrong.check(x, w)

    def affine(x, w):
        return x * w + 1.0

    with pytest.raises(ValueError, match=r"f\(2x \+ z\) and 2 f\(x\) \+ f\(z\) for 'x' differ"):
        ev.define(affine, linear=("x",)).check(x, x)
    rule = {"x": lambda ct, x, w: 2 * ct * w}
    product = ev.define(lambda x, w: x * w, name="product", linear=("x",), transpose=rule)
    with pytest.raises(ValueError, match=r"<transpose\(c\), z> for 'x' differ"):
        product.check(x, x)


@needs_numba
def test_numba_that_does_not_compile():
    op = ev.define(ring, linear=("x", "w"), numba=lambda x, w, y, shift: x.no_such_thing())
    with pytest.raises(TypeError, match=r"could not compile the kernel of 'ring' .*float64\[1d\]"):
        op(*arrays(21))


def test_numba_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r"needs the package `numba`.*pip install numba"):
        make("numba")


@needs_numba
def test_numba_without_the_native_library(monkeypatch):
    op = make("numba")
    monkeypatch.setattr(_numba, "library", lambda: None)
    monkeypatch.setattr(_numba, "_WARNED", set())
    x, w = arrays(22)
    with pytest.warns(RuntimeWarning, match="called by brainfn's native library, which is absent"):
        np.testing.assert_allclose(op(x, w), oracle(x, w), atol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        op(x[:5], w)


def test_wrong_definitions():
    def starred(*xs):
        return xs[0]

    def default(x, w=1.0):
        return x * w

    cases = [
        (TypeError, "reference must be a JAX function, got int", (3,), {}),
        (TypeError, r"must name all of its arguments, got \*xs", (starred,), {}),
        (TypeError, "'w' of reference is an array and can't have a default", (default,), {}),
        (TypeError, "at least one array", (lambda: 1,), {"name": "f"}),
        (ValueError, r"name must be a valid function name, got '<lambda>'", (lambda x: x,), {}),
        (
            TypeError,
            r"linear must be a tuple of names, got 'x'; try \('x',\)",
            (ring,),
            {"linear": "x"},
        ),
        (ValueError, "linear names 'weight', .* are x, w", (ring,), {"linear": ("weight",)}),
        (
            ValueError,
            "has a rule for 'x', which linear must name",
            (ring,),
            {"transpose": {"x": ring}},
        ),
        (ValueError, "batch must be 'loop', 'reference'", (ring,), {"batch": "all"}),
        (ValueError, "twice", (ring,), {"aliases": {"x": 0, "w": 0}}),
        (ValueError, "'x' is in accumulate", (ring,), {"accumulate": {"x": 0}, "linear": ("x",)}),
        (ValueError, r"Try pathlib.Path\('ring.cc'\)", (ring,), {"cpp": "ring.cc"}),
        (
            FileNotFoundError,
            "cpp names a file that does not",
            (ring,),
            {"cpp": pathlib.Path("no.cc")},
        ),
        (
            TypeError,
            "flags must be a tuple of strings",
            (ring,),
            {"cpp": SOURCE, "flags": "-O2 -g"},
        ),
        (ValueError, "give cpp or numba, not both", (ring,), {"cpp": SOURCE, "numba": ring_numba}),
    ]
    for error, match, args, options in cases:
        with pytest.raises(error, match=match):
            ev.define(*args, **options)


def test_wrong_calls():
    op = make("reference")
    x, w = arrays(23)
    cases = [
        (TypeError, "ring: got no w, expected the arrays x, w and the keywords shift", (x,), {}),
        (TypeError, "got an argument 'shifts', expected", (x, w), {"shifts": 1}),
        (TypeError, "got 3 positional arguments", (x, w, 1), {}),
        (TypeError, "got the argument 'x' twice", (x, w), {"x": x}),
        (TypeError, "'shift' is static and must be hashable, got list", (x, w), {"shift": [1]}),
    ]
    for error, match, args, keywords in cases:
        with pytest.raises(error, match=match):
            op(*args, **keywords)
    with pytest.raises(TypeError, match="'shift' is static"):
        jax.jit(lambda s: op(x, w, shift=s))(1)
    nested = ev.define(lambda x: ({"a": x},), name="nested")
    with pytest.raises(TypeError, match="must return an array or a tuple of arrays, got dict"):
        nested(x)
    stored = ev.define(lambda x: x.sum(), name="stored", aliases={"x": 0})
    with pytest.raises(ValueError, match=r"'x' of float64 \(12,\) can't be stored in output 0"):
        stored(x)
    absolute = ev.define(lambda x: jnp.where(x > 0, x, 0.0), name="absolute", linear=("x",))
    with pytest.raises(TypeError, match=r"can't transpose the reference in 'x'.*transpose=\{'x'"):
        jax.grad(lambda x: jnp.sum(absolute(x)))(x)


@pytest.mark.skipif(not NATIVE, reason="kernels are turned off")
def test_static_argument_that_no_kernel_can_take():
    op = ev.define(lambda x, *, f: f(x), name="apply", cpp=SOURCE)
    with pytest.raises(TypeError, match="apply: 'f' is passed to a native kernel"):
        op(jnp.ones(3), f=jnp.sin)


@needs_numba
@needs_compiler
def test_the_page_runs():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    scope = {}
    exec(compile("\n".join(blocks), PAGE.name, "exec"), scope)
    spikes, weights = np.asarray(scope["spikes"]), np.asarray(scope["weights"])
    k = weights.size
    wanted = oracle(spikes, weights, -(k // 2))
    # float32: sums of up to k products, some eps of the largest.
    np.testing.assert_allclose(scope["y"], wanted, atol=2e-5)
    np.testing.assert_allclose(scope["batched"], wanted, atol=2e-5)
    designs = np.stack([oracle(spikes, row, -(k // 2)) for row in np.eye(k)], axis=-1)
    gradient = 2 * np.einsum("tnk,tn->k", designs, wanted)
    np.testing.assert_allclose(scope["gradient"], gradient, rtol=1e-4)
    assert bf.event.define is ev.define
    text = jax.jit(jax.grad(lambda w: scope["drive"](scope["spikes"], w)[0]))
    assert "ring_profile" in text.lower(scope["weights"]).as_text()
