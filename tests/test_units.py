"""Every unit against SI: the system is coherent, so three base units fix all others."""

import pytest

from brainfn import units

# SI size, and the powers of (volt, ampere, second, metre) that make up the quantity.
UNITS = {
    "us": (1e-6, (0, 0, 1, 0)),
    "ms": (1e-3, (0, 0, 1, 0)),
    "second": (1.0, (0, 0, 1, 0)),
    "minute": (60.0, (0, 0, 1, 0)),
    "uV": (1e-6, (1, 0, 0, 0)),
    "mV": (1e-3, (1, 0, 0, 0)),
    "volt": (1.0, (1, 0, 0, 0)),
    "pA": (1e-12, (0, 1, 0, 0)),
    "nA": (1e-9, (0, 1, 0, 0)),
    "uA": (1e-6, (0, 1, 0, 0)),
    "pS": (1e-12, (-1, 1, 0, 0)),
    "nS": (1e-9, (-1, 1, 0, 0)),
    "uS": (1e-6, (-1, 1, 0, 0)),
    "mS": (1e-3, (-1, 1, 0, 0)),
    "kOhm": (1e3, (1, -1, 0, 0)),
    "MOhm": (1e6, (1, -1, 0, 0)),
    "GOhm": (1e9, (1, -1, 0, 0)),
    "pF": (1e-12, (-1, 1, 1, 0)),
    "nF": (1e-9, (-1, 1, 1, 0)),
    "uF": (1e-6, (-1, 1, 1, 0)),
    "Hz": (1.0, (0, 0, -1, 0)),
    "kHz": (1e3, (0, 0, -1, 0)),
    "um": (1e-6, (0, 0, 0, 1)),
    "mm": (1e-3, (0, 0, 0, 1)),
}
BASE = (1e-3, 1e-12, 1e-3, 1e-6)  # mV, pA, ms, um
DENSITIES = {
    "uA_cm2": (1e-6 / 1e-4, (0, 1, 0, -2)),
    "mS_cm2": (1e-3 / 1e-4, (-1, 1, 0, -2)),
    "uF_cm2": (1e-6 / 1e-4, (-1, 1, 1, -2)),
}


def in_base_units(si: float, powers: tuple[int, ...]) -> float:
    for base, power in zip(BASE, powers, strict=True):
        si /= base**power
    return si


@pytest.mark.parametrize("name", UNITS)
def test_size(name):
    # Only the rounding of a handful of powers of ten.
    assert getattr(units, name) == pytest.approx(in_base_units(*UNITS[name]), rel=1e-14)


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_are_a_coherent_set_of_their_own(name):
    # pA/um2 is the density of the base units, and 1 uA/cm2 is 0.01 of it: the factor of the
    # module's docstring, the same for all three, which is what keeps them coherent.
    assert getattr(units, name) == 1.0
    assert in_base_units(*DENSITIES[name]) == pytest.approx(1e-2, rel=1e-14)


def test_all_are_python_floats_and_all_are_tested():
    names = UNITS.keys() | DENSITIES.keys()
    assert units.__annotations__.keys() == names
    assert all(type(getattr(units, name)) is float for name in names)


def test_laws_of_circuits():
    u = units
    assert u.nS * u.mV == u.pA
    assert u.GOhm * u.pA == u.mV
    assert u.pA / u.pF == u.mV / u.ms
    assert u.pF / u.nS == u.GOhm * u.pF == u.ms
    assert u.uA_cm2 / u.uF_cm2 == u.mV / u.ms
    assert u.mS_cm2 * u.mV == u.uA_cm2
    assert 200 * u.pF / (10 * u.nS) == 20 * u.ms
    assert 1000 * u.Hz == u.kHz == 1 / u.ms
