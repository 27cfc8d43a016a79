r"""Surrogate derivatives of spikes: what `grad` uses at a threshold.

A neuron spikes if its distance from threshold $x$ is not negative. The step function's own
derivative is zero almost everywhere, so a surrogate replaces it, but only in derivatives.
Throughout brainfn $x$ is dimensionless:
$x = (v - v_\mathrm{threshold}) / (v_\mathrm{threshold} - v_\mathrm{reset})$, so that a width has
the same meaning in every model.

Libraries use the same name for different formulas; each class below states its own. The magnitude
of gradients is proportional to the surrogate's derivative, which differs between classes by large
factors: compare shapes at equal area or peak.
"""

from ._base import AbstractSurrogate as AbstractSurrogate
from ._compact import (
    Boxcar as Boxcar,
    Cosine as Cosine,
    Epanechnikov as Epanechnikov,
    ReluGrad as ReluGrad,
    Triangle as Triangle,
    TruncatedFastSigmoid as TruncatedFastSigmoid,
)
from ._others import (
    S2NN as S2NN,
    LeakyRelu as LeakyRelu,
    LogHazard as LogHazard,
    LogTailedRelu as LogTailedRelu,
    OneSided as OneSided,
    PiecewiseLeakyRelu as PiecewiseLeakyRelu,
    SquareWave as SquareWave,
)
from ._tailed import (
    Arctan as Arctan,
    Circle as Circle,
    FastSigmoid as FastSigmoid,
    Gaussian as Gaussian,
    LogAbs as LogAbs,
    MultiGaussian as MultiGaussian,
    PiecewiseExponential as PiecewiseExponential,
    QPseudoSpike as QPseudoSpike,
    Sigmoid as Sigmoid,
    SoftSign as SoftSign,
    Tanh as Tanh,
)
