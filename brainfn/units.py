r"""Units as plain Python floats, so that `20 * ms` costs nothing.

brainfn computes in one coherent system. The base units are the millisecond, the millivolt and the
picoampere; every other unit follows from a physical equation without a conversion factor:

| quantity | unit | because |
|---|---|---|
| time | ms | base |
| voltage | mV | base |
| current | pA | base |
| conductance | nS | pA = nS mV |
| resistance | GOhm | 1 / nS, so mV = GOhm pA |
| capacitance | pF | mV / ms = pA / pF |
| charge | fC | pA ms |
| time constant | ms | GOhm pF = pF / nS |
| rate | 1/ms = kHz | so Hz = 1e-3 |

Each name below is the size of that unit in this system: multiply to enter a number (`v_rest = -60 *
mV`), divide to read one (`rate / Hz`). Values in the units of the table may be written as plain
numbers, since those units are all 1.

Quantities per membrane area use a second coherent set, uA/cm2, mS/cm2 and uF/cm2 with the same ms
and mV (uA/cm2 = mS/cm2 mV and mV/ms = (uA/cm2)/(uF/cm2)); these three are 1 as well. The two sets
are related by an area: a density times an area in um2 gives `density * area * 1e-2` in pA, nS or
pF, because 1 uA/cm2 = 1e6 pA / 1e8 um2. Lengths are in um.

```python
from brainfn.units import GOhm, mV, ms, nS, pA, pF, second

tau = 200 * pF / (10 * nS)     # 20.0, in ms
drive = 0.1 * GOhm * 200 * pA  # 20.0, in mV
steps = 1 * second / (0.1 * ms)
```
"""

# Time: ms.
ms: float = 1.0
us: float = 1e-3
second: float = 1e3
minute: float = 6e4

# Voltage: mV.
mV: float = 1.0
uV: float = 1e-3
volt: float = 1e3

# Current: pA.
pA: float = 1.0
nA: float = 1e3
uA: float = 1e6

# Conductance: nS = pA / mV.
nS: float = 1.0
pS: float = 1e-3
uS: float = 1e3
mS: float = 1e6

# Resistance: GOhm = mV / pA.
GOhm: float = 1.0
MOhm: float = 1e-3
kOhm: float = 1e-6

# Capacitance: pF = pA ms / mV.
pF: float = 1.0
nF: float = 1e3
uF: float = 1e6

# Rate: kHz = 1 / ms.
kHz: float = 1.0
Hz: float = 1e-3

# Length: um.
um: float = 1.0
mm: float = 1e3

# Per membrane area: a separate coherent set, with ms and mV.
uA_cm2: float = 1.0
mS_cm2: float = 1.0
uF_cm2: float = 1.0
