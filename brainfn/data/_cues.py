"""Generated tasks of working memory."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._custom_types import Key
from .._errors import count, time_step, whole_steps
from ..units import second
from ._examples import Trials, needs_key


def evidence_accumulation(
    n: int,
    *,
    key: Key,
    cues: int = 7,
    cue: float = 100.0,
    interval: float = 150.0,
    delay: float = 1050.0,
    recall: float = 150.0,
    group: int = 10,
    rate: float = 40.0,
    noise: float = 10.0,
    probability: float = 0.7,
    dt: float = 1.0,
) -> Trials:
    """Evidence accumulation: on which side were there more cues?

    Cues come one by one, each on the more likely side of the trial with the given probability; a
    delay follows, then a recall signal during which the answer counts. The label is the side, 0 or
    1, of most of the cues. Inputs are four groups of Poisson spikes: cues on side 0, cues on side
    1, the recall signal, and noise throughout.

    **Arguments:**

    - `n`: number of trials.
    - `key`: a JAX random key.
    - `cues`: their number, odd.
    - `cue`, `interval`: duration of a cue and of it with the pause, which is half before and half
        after it, in ms.
    - `delay`, `recall`: durations in ms.
    - `group`: inputs in each group.
    - `rate`, `noise`: of active inputs and of those of the last group, in Hz.
    - `probability`: that a cue is on the side which is more likely.
    - `dt`: step size in ms.

    **Returns:** [`brainfn.data.Trials`][], by default 2250 steps of 40 inputs.

    **Raises:** `ValueError` for durations that are no whole numbers of steps, or an even `cues`.

    ??? cite

        Bellec et al. (2020), "A solution to the learning dilemma for recurrent networks of spiking
        neurons", Nat. Commun. 11:3625, doi:10.1038/s41467-020-17236-y, with its defaults; the task
        is that of Morcos and Harvey (2016), doi:10.1038/nn.4403.
    """
    needs_key("key", key)
    n, cues, group = count("n", n), count("cues", cues, minimum=1), count("group", group, minimum=1)
    if cues % 2 == 0:
        raise ValueError(f"`cues` must be odd, so that there is a majority, got {cues}.")
    _check_probability(probability)
    dt = time_step(dt)
    on = whole_steps("cue", cue, dt, minimum=1)
    every = whole_steps("interval", interval, dt, minimum=on)
    asked = whole_steps("recall", recall, dt, minimum=1)
    steps = cues * every + whole_steps("delay", delay, dt) + asked
    k_side, k_cues, k_spikes = jr.split(key, 3)
    likely = jr.bernoulli(k_side, 0.5, (n, 1))
    side = jr.bernoulli(k_cues, probability, (n, cues)) == likely
    # Which cue, if any, is shown in each step.
    time = np.arange(steps)
    shown = np.zeros((steps, cues), bool)
    for i in range(cues):
        begin = i * every + (every - on) // 2
        shown[begin : begin + on, i] = True
    now = jnp.asarray(shown)[None]
    mask = jnp.asarray(time >= steps - asked)
    active = jnp.stack(
        [
            jnp.any(now & ~side[:, None], axis=-1),
            jnp.any(now & side[:, None], axis=-1),
            jnp.broadcast_to(mask[None], (n, steps)),
        ],
        axis=-1,
    )
    each_step = jnp.full((n, steps, 1), noise * dt / second)
    chance = jnp.concatenate([jnp.where(active, rate * dt / second, 0.0), each_step], axis=-1)
    chance = jnp.repeat(chance, group, axis=-1)
    x = jr.uniform(k_spikes, chance.shape, chance.dtype) < chance
    return Trials(x, (2 * side.sum(axis=1) > cues).astype(jnp.int32), mask)


def delayed_match_to_sample(
    n: int,
    *,
    key: Key,
    fixation: float = 500.0,
    sample: float = 500.0,
    delay: float = 1000.0,
    test: float = 500.0,
    inputs: int = 100,
    directions: int = 8,
    rate: float = 40.0,
    background: float = 1.0,
    kappa: float = 2.0,
    match: float = 0.5,
    dt: float = 1.0,
) -> Trials:
    r"""Delayed match to sample: is the direction after the delay that of before?

    A direction is shown, and after a delay the same or another one. The label is 1 if they match.
    The inputs are Poisson spikes of neurons with preferred directions $\phi_i$,

    $$r_i = r_0 + r\, e^{\kappa (\cos(\theta - \phi_i) - 1)}$$

    while the direction $\theta$ is shown, and $r_0$ otherwise.

    **Arguments:**

    - `n`: number of trials.
    - `key`: a JAX random key.
    - `fixation`, `sample`, `delay`, `test`: durations in ms, in this order; the answer counts
        during `test`.
    - `inputs`: number of inputs.
    - `directions`: number of directions, evenly spaced.
    - `rate`, `background`: $r$ and $r_0$ in Hz.
    - `kappa`: $\kappa$, the sharpness of the tuning.
    - `match`: the probability of a match.
    - `dt`: step size in ms.

    **Returns:** [`brainfn.data.Trials`][], by default 2500 steps.

    **Raises:** `ValueError` naming the argument.

    ??? cite

        Wang, Zhang, He and Wu (2024), "A differentiable brain simulator bridging brain simulation
        and brain-inspired computing", ICLR 2024, arXiv:2311.05106, with its defaults.
    """
    needs_key("key", key)
    n, inputs = count("n", n), count("inputs", inputs, minimum=1)
    directions = count("directions", directions, minimum=2)
    _check_probability(match, "match")
    dt = time_step(dt)
    names = ("fixation", "sample", "delay", "test")
    lengths = [
        whole_steps(name, value, dt, minimum=int(name in ("sample", "test")))
        for name, value in zip(names, (fixation, sample, delay, test), strict=True)
    ]
    ends = np.cumsum(lengths)
    time = np.arange(ends[-1])
    first, last = (time >= ends[0]) & (time < ends[1]), time >= ends[2]
    k_match, k_sample, k_other, k_spikes = jr.split(key, 4)
    matches = jr.bernoulli(k_match, match, (n,))
    before = jr.randint(k_sample, (n,), 0, directions, jnp.int32)
    other = (before + jr.randint(k_other, (n,), 1, directions, jnp.int32)) % directions
    after = jnp.where(matches, before, other)
    angle = 2 * np.pi * (np.arange(directions)[:, None] / directions - np.arange(inputs) / inputs)
    tuning = jnp.asarray(np.exp(kappa * (np.cos(angle) - 1)) * rate)
    shown = jnp.where(
        jnp.asarray(first)[None, :, None],
        tuning[before][:, None],
        jnp.where(jnp.asarray(last)[None, :, None], tuning[after][:, None], 0),
    )
    chance = (shown + background) * (dt / second)
    x = jr.uniform(k_spikes, chance.shape, chance.dtype) < chance
    return Trials(x, matches.astype(jnp.int32), jnp.asarray(last))


def _check_probability(value: float, name: str = "probability") -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be a probability, from 0 to 1, got {value}.")
