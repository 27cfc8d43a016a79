"""Generated classification of points."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._custom_types import Key
from .._errors import count
from ._examples import Examples, needs_key

# Radii of the symbol and of its dots.
_BIG, _SMALL = 0.5, 0.1
_PLACES = 200


def yin_yang(n: int, *, key: Key) -> Examples:
    r"""The Yin-Yang task: points in the symbol, in three classes of equal size.

    Classes 0 and 1 are the two halves and 2 the two dots. Points are drawn evenly within a class;
    $x$ and $y$ lie in $(0, 1)$, and inputs are $(x, y, 1 - x, 1 - y)$. A linear classifier reaches
    about 64 %, one with a hidden layer 98 %.

    **Arguments:**

    - `n`: number of points.
    - `key`: a JAX random key.

    **Returns:** `x` of shape `(n, 4)`, `y` int32.

    ??? cite

        Kriener, Göltz and Petrovici (2022), "The Yin-Yang dataset", NICE 2022,
        doi:10.1145/3517343.3517380, with its radii 0.5 and 0.1.
    """
    n = count("n", n)
    needs_key("key", key)
    dtype = jnp.result_type(float)

    def draw(carry: Any) -> Any:
        key, goal, _, _ = carry
        key, now = jr.split(key)
        point = jr.uniform(now, (2,), dtype, maxval=2 * _BIG)
        found = _yin_yang_class(point)
        return key, goal, point, found == goal

    def one(key: Key) -> tuple[Any, Any]:
        key, first = jr.split(key)
        goal = jr.randint(first, (), 0, 3, jnp.int32)
        begin = (key, goal, jnp.zeros(2, dtype), jnp.array(False))
        _, goal, point, _ = jax.lax.while_loop(lambda c: ~c[3], draw, begin)
        return jnp.concatenate([point, 1 - point]), goal

    return Examples(*jax.vmap(one)(jr.split(key, n)))


def _yin_yang_class(point: Any) -> Any:
    """0, 1 or 2, and -1 outside of the symbol."""
    x, y = point
    right, left = (jnp.hypot(x - place * _BIG, y - _BIG) for place in (1.5, 0.5))
    # The half with the left bulge: without the right one, and with all of the upper rest.
    half = ((left > _SMALL) & (left <= 0.5 * _BIG)) | ((y > _BIG) & (right > 0.5 * _BIG))
    kind = jnp.where((right <= _SMALL) | (left <= _SMALL), 2, half.astype(jnp.int32))
    return jnp.where(jnp.hypot(x - _BIG, y - _BIG) <= _BIG, kind, -1)


def randman(
    n: int,
    *,
    classes: int = 10,
    units: int = 20,
    dim: int = 1,
    alpha: float = 1.0,
    steps: int = 100,
    harmonics: int = 1000,
    manifold: Key,
    key: Key,
) -> Examples:
    r"""Randman: spike times on smooth random manifolds, one for each class.

    $$t_i(z) \propto \prod_{d=1}^{D} \sum_{k=1}^{K} \frac{\theta_{idk}}{k^\alpha}
    \sin\left(2 \pi (k z_d \chi_{idk} + \phi_{idk})\right)$$

    Each unit $i$ spikes once, at a time that is a smooth function of the position $z$ on the
    manifold of the class, drawn evenly; times are scaled to cover all steps. Larger $\alpha$ makes
    the manifolds smoother and the task easier. Neither numbers of spikes nor the times of single
    units tell the classes apart.

    **Arguments:**

    - `n`: number of examples; labels are random.
    - `classes`, `units`: number of manifolds, and of units, the inputs.
    - `dim`: $D$, the dimension of the manifolds.
    - `alpha`: $\alpha$.
    - `steps`: number of steps that the times cover.
    - `harmonics`: $K$.
    - `manifold`: a JAX random key for the manifolds; give the same to training and testing.
    - `key`: a JAX random key for the examples.

    **Returns:** `x` int32 of shape `(n, units)`, the step of the spike of each unit, as
    [`brainfn.nn.pack_steps`][] takes it; `y` int32.

    ??? cite

        Zenke and Vogels (2021), "The remarkable robustness of surrogate gradient learning for
        instilling complex function in spiking neural networks", Neural Comput. 33:899-925,
        doi:10.1162/neco_a_01367.
    """
    needs_key("manifold", manifold)
    needs_key("key", key)
    n = count("n", n)
    sizes = {"classes": classes, "units": units, "dim": dim, "harmonics": harmonics}
    for name, size in {**sizes, "steps": steps}.items():
        count(name, size, minimum=1)
    dtype = jnp.result_type(float)
    shape = (classes, units, dim, harmonics)
    begin, ranges = jr.split(manifold)
    drawn = tuple(jr.uniform(k, shape, dtype) for k in jr.split(begin, 3))
    order = jnp.asarray(np.arange(1, harmonics + 1), dtype)[None, None]

    def value(c: Any, z: Any) -> Any:
        theta, chi, phi = (p[c] for p in drawn)
        angle = 2 * jnp.pi * (order * z[None, :, None] * chi + phi)
        return jnp.prod((theta / order**alpha * jnp.sin(angle)).sum(-1), axis=-1)

    # The range of each unit, from places that do not depend on the examples.
    places = jr.uniform(ranges, (_PLACES, dim), dtype)
    numbers = jnp.arange(classes, dtype=jnp.int32)
    seen = jax.lax.map(lambda c: jax.lax.map(lambda z: value(c, z), places), numbers)
    low, high = seen.min(axis=1), seen.max(axis=1)

    def one(given: Any) -> Any:
        c, z = given
        x = (value(c, z) - low[c]) / (high[c] - low[c])
        return jnp.clip(jnp.floor(x * steps), 0, steps - 1).astype(jnp.int32)

    label, place = jr.split(key)
    y = jr.randint(label, (n,), 0, classes, jnp.int32)
    return Examples(jax.lax.map(one, (y, jr.uniform(place, (n, dim), dtype))), y)
