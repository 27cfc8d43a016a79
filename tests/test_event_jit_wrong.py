"""Wrong arguments of just-in-time matrices are refused, with the argument named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn as bf
import brainfn.event as ev

GOOD = {"shape": (10, 20), "seed": 1, "probability": 0.1}


def make(**changes):
    arguments = {**GOOD, **changes}
    return ev.JIT(arguments.pop("law", 1.0), **arguments)


@pytest.mark.parametrize(
    ("error", "words", "changes"),
    [
        (ValueError, "probability must lie in .*per cent", {"probability": 2}),
        (ValueError, "probability must lie in", {"probability": -0.1}),
        (ValueError, "probability must lie in", {"probability": float("nan")}),
        (TypeError, "probability must be a number", {"probability": "0.1"}),
        (TypeError, "probability must be one Python number", {"probability": np.ones(3)}),
        (ValueError, "exactly one of .* got none", {"probability": None}),
        (ValueError, "exactly one of .* got probability and fan_out", {"fan_out": 3}),
        (ValueError, "fan_out must lie in .0, 20.", {"probability": None, "fan_out": 21}),
        (
            ValueError,
            "fan_in must lie in .0, 9. .*less the autapse",
            {"probability": None, "fan_in": 10, "autapses": False},
        ),
        (ValueError, "fan_out must lie in", {"probability": None, "fan_out": -1}),
        (TypeError, "fan_out must be a whole number", {"probability": None, "fan_out": 2.5}),
        (ValueError, "orientation='columns' can't be combined", {
            "probability": None, "fan_out": 2, "orientation": "columns",
        }),
        (ValueError, "orientation must be", {"orientation": "cols"}),
        (ValueError, "extent goes with", {"extent": 100}),
        (ValueError, "extent must be at least 20", {
            "probability": None, "fan_out": 2, "extent": 9,
        }),
        (ValueError, "shape must be two non-negative", {"shape": (-1, 3)}),
        (ValueError, "shape must be two non-negative", {"shape": (1, 2, 3)}),
        (ValueError, "shape must be below", {"shape": (2**31, 3)}),
        (TypeError, "shape must be two integers", {"shape": 7}),
        (ValueError, "seed must lie in", {"seed": -1}),
        (ValueError, "seed must lie in", {"seed": 2**64}),
        (TypeError, "seed must be an int .*jax.random.bits", {"seed": 1.5}),
        (TypeError, "seed must be an int", {"seed": np.zeros(2, np.int32)}),
        (TypeError, "seed must be an int", {"seed": jax.random.key(0)}),
        (TypeError, "origin must be two integers", {"origin": 3}),
        (TypeError, "origin must be two integers", {"origin": (0.5, 1)}),
        (ValueError, "origin must not be negative", {"origin": (0, -1)}),
        (ValueError, "origin .shape must be below|origin must not be", {"origin": (2**31 - 5, 0)}),
        (TypeError, "autapses must be", {"autapses": 1}),
        (TypeError, "diagonal must be", {"diagonal": 0.5}),
        (TypeError, "law must be a number", {"law": "1"}),
        (TypeError, "law must be a number", {"law": True}),
        (TypeError, "floating point", {"law": np.int32(1)}),
        (ValueError, "law must be one number", {"law": np.ones(3)}),
        (ValueError, "law must be finite", {"law": float("nan")}),
        (TypeError, "law must be .*init.Normal", {"law": bf.init.TruncatedNormal()}),
        (ValueError, "low must be one number", {"law": bf.init.Uniform(np.zeros(3), 1.0)}),
    ],
)  # fmt: skip
def test_refused(error, words, changes):
    with pytest.raises(error, match=f"JIT: {words}|JIT: .*{words}"):
        make(**changes)


def test_refused_parameters_of_the_laws():
    with pytest.raises(ValueError, match="`low` .*must not exceed `high`"):
        ev.JIT(bf.init.Uniform(2.0, 1.0), **GOOD)
    with pytest.raises(ValueError, match="`std` .*must not be negative"):
        ev.JIT(bf.init.Normal(0.0, -1.0), **GOOD)
    with pytest.raises(TypeError, match="one dtype"):
        ev.JIT(bf.init.Normal(jnp.float32(0.0), jnp.float64(1.0)), **GOOD)


def test_refused_later():
    matrix = make()
    with pytest.raises(ValueError, match="last dimension 10"):
        np.ones(11) @ matrix
    with pytest.raises(ValueError, match="rows must be a slice with step 1"):
        matrix.block(slice(0, 4, 2), slice(None))
    with pytest.raises(ValueError, match="cols must be a slice"):
        matrix.block(slice(None), 3)
    with pytest.raises(ValueError, match="outside jax.jit"):
        jax.jit(lambda m: m.tocsr().data)(matrix)
    with pytest.raises(ValueError, match="extent must say how many columns"):
        jax.jit(lambda i: ev.JIT(1.0, shape=(4, 4), seed=0, fan_out=2, origin=(0, i)).data)(
            jnp.int32(3)
        )


def test_tocsr_refuses_what_row_pointers_cannot_count(monkeypatch):
    from brainfn.event import _jit_pattern

    monkeypatch.setattr(_jit_pattern, "_INT32_MAX", 10)
    with jax.enable_x64(False), pytest.raises(ValueError, match="overflow int32 row pointers"):
        make(law=np.float32(1.0), probability=1.0).tocsr()


def test_tocsr_without_the_native_library(monkeypatch):
    from brainfn.event import _jit_pattern

    for law in ({"probability": 0.3}, {"fan_in": 4}):
        matrix = ev.JIT(bf.init.Normal(0.0, 1.0), shape=(10, 20), seed=1, **law)
        native = matrix.tocsr()
        with monkeypatch.context() as patch:
            patch.setattr(_jit_pattern, "library", lambda: None)
            other = matrix.tocsr()
        np.testing.assert_array_equal(native.indices, other.indices)
        np.testing.assert_array_equal(native.indptr, other.indptr)
        # z went through float32.
        np.testing.assert_allclose(native.data, other.data, rtol=1e-7)
