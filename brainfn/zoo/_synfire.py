"""The synfire chain of Diesmann, Gewaltig and Aertsen."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import DTypeLike

from .._custom_types import FloatScalarLike, Key
from .._errors import count, is_concrete
from .._field import astype
from ..connect import FromPairs
from ..driver import simulate
from ..init import Uniform
from ..input import PoissonArrivals, Signal, TimeSeries
from ..network import Network, Projection
from ..neuron import LIF
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Alpha, Current
from ..units import Hz, ms, mV, pF
from ._entry import Entry, Outcome, Variant
from ._pictures import presented, titled

_POOLS, _SIZE, _CAPACITANCE, _TAU, _TAU_SYNAPSE = 10, 100, 250 * pF, 10 * ms, 0.325 * ms
# The amplitude of a synaptic current as a voltage; it makes a potential of 0.14 mV.
_AMPLITUDE = 4.86 * mV
_WEIGHT = _AMPLITUDE / np.e * _CAPACITANCE / _TAU
# 17 600 excitatory afferents of 2 Hz, 2400 inhibitory ones of 12.5 Hz.
_BACKGROUND = 17_600 * 2 * Hz, 2400 * 12.5 * Hz
_DELAY, _LARGEST = 2 * ms, 200
# When the packet arrives: the background has become stationary.
_ARRIVAL, _LATENCY = 50 * ms, 1.5 * ms
_SIZES = (20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 110.0)
_SPREADS = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
_TRIALS = 8


def synfire(
    spikes: FloatScalarLike = 80.0,
    spread: FloatScalarLike = 1.0,
    *,
    start: float = _ARRIVAL,
    pools: int = _POOLS,
    size: int = _SIZE,
    background: bool = True,
    key: Key,
    dt: float = 0.1,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""A chain of pools of neurons, each of which excites all neurons of the next, and a packet of
    spikes for the first.

    $$\tau \dot v = v_\mathrm{rest} - v + x(t),\qquad
    \text{spike}:\ x \leftarrow x + 4.86\,\text{mV}\;\frac{t}{\tau_s} e^{-t / \tau_s}$$

    with $\tau$ = 10 ms, $\tau_s$ = 0.325 ms, rest and reset at -70 mV, threshold -55 mV and 1 ms
    refractory: a spike makes a potential of 0.14 mV. Each neuron gets Poisson spikes of 17 600
    excitatory afferents of 2 Hz and of 2400 inhibitory ones, equally strong, of 12.5 Hz. By these
    alone it fires at about 2 Hz; with those of the pool before it, at 3 Hz.

    The packet are spikes at times drawn from a normal distribution; each reaches all neurons of the
    first pool. If they are many and close, the packet becomes synchronous to less than a
    millisecond and runs through the chain; otherwise it dies out.

    **Arguments:**

    - `spikes`: their number in the packet, at most 200; `spread`: standard deviation of their
        times in ms. For many packets at once see [`brainfn.zoo.pulse_packet`][].
    - `start`: the mean time of the packet in ms.
    - `pools`, `size`: number of pools, and of neurons in each.
    - `background`: whether there is any.
    - `key`: a JAX random key for the times of the packet.
    - `dt`: the step of the simulation in ms, in which spikes of the packet are counted.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one, which take less
        memory.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network, with populations `"packet"` and `"chain"`, its neurons in the order of
    pools, and its `inputs` for [`brainfn.simulate`][].

    **Raises:** `TypeError` or `ValueError` naming the argument.

    !!! example

        ```python
        key = jax.random.key(0)
        network, inputs = bf.zoo.synfire(60, 1.0, key=key)
        out = bf.simulate(network, inputs=inputs, duration=120.0, dt=0.1, key=key)
        ```

    ??? cite

        Diesmann, Gewaltig and Aertsen (1999), "Stable propagation of synchronous spiking in
        cortical neural networks", Nature 402:529-533, doi:10.1038/990101. The numbers are those of
        Brian's example of it, which has white noise with the mean and the variance of this
        background. A delay between pools (2 ms) only moves them apart.
    """
    pools, size = count("pools", pools, minimum=1), count("size", size, minimum=1)
    dtype = jnp.result_type(float) if dtype is None else dtype
    chain = LIF(
        pools * size,
        tau=_TAU,
        capacitance=_CAPACITANCE,
        v_rest=-70 * mV,
        v_threshold=-55 * mV,
        v_reset=-70 * mV,
        refractory=1 * ms,
        v_init=Uniform(-70.0, -55.0),
        surrogate=surrogate,
    )
    each = np.arange(size)
    pre, post = np.arange((pools - 1) * size), size * np.arange(1, pools)
    targets = np.repeat(post, size)[:, None] + each
    parts: dict[str, Any] = {"synapse": Alpha(_TAU_SYNAPSE), "output": Current(), "weight": _WEIGHT}
    projections = {
        "forward": Projection(
            "chain",
            "chain",
            FromPairs(np.repeat(pre, size), targets.reshape(-1)),
            delay=_DELAY,
            **parts,
        ),
        "start": Projection("packet", "chain", FromPairs(0 * each, each), **parts),
    }
    network = astype(Network({"packet": Signal(1), "chain": chain}, projections), dtype)
    packet = pulse_packet(spikes, spread, start=start, key=key, dt=dt)
    inputs: dict[str, Any] = {"packet": astype(packet, dtype)}
    if background:
        exc, inh = (
            PoissonArrivals(rate, sign * _WEIGHT, into="forward")
            for rate, sign in zip(_BACKGROUND, (1, -1), strict=True)
        )
        inputs["chain"] = astype(exc + inh, dtype)
    return network, inputs


def pulse_packet(
    spikes: FloatScalarLike = 80.0,
    spread: FloatScalarLike = 1.0,
    *,
    start: float = _ARRIVAL,
    key: Key,
    dt: float = 0.1,
) -> TimeSeries:
    """Spikes at times drawn from a normal distribution, as the input of a
    [`brainfn.input.Signal`][]: their number in each step.

    `jax.vmap` over `spikes`, `spread` and `key` makes many, for one network.

    **Arguments:** as of [`brainfn.zoo.synfire`][].

    **Raises:** `ValueError` naming the argument, for known numbers.
    """
    for name, value, most in (("spikes", spikes, _LARGEST), ("spread", spread, np.inf)):
        if is_concrete(value) and not 0 <= value <= most:
            raise ValueError(f"`{name}` must lie in [0, {most}], got {value}.")
    if not start > 0:
        raise ValueError(f"`start` must be positive (in ms), got {start}.")
    dtype = jnp.result_type(float)
    times = start + jnp.asarray(spread, dtype) * jr.normal(key, (_LARGEST,), dtype)
    there = jnp.arange(_LARGEST, dtype=dtype) < jnp.asarray(spikes, dtype)
    steps = round(2 * start / dt)
    at = jnp.clip(jnp.floor(times / dt).astype(jnp.int32), 0, steps - 1)
    return TimeSeries(jnp.zeros(steps, dtype).at[at].add(there.astype(dtype)), interval=dt)


class Packets(NamedTuple):
    """Packets on their way: how many spikes above the background there are in each pool, and the
    spread of their times in ms (NaN below five spikes), shape `(..., pools)`."""

    spikes: np.ndarray
    spread: np.ndarray


def follow(counts: np.ndarray, dt: float, spread: float, start: float = _ARRIVAL) -> Packets:
    """The packet in each pool. `counts` are spikes in each step, shape `(time, pools)`.

    It is looked for where that of the pool before leads to expect it. Its spread is taken from the
    quartiles of its times, which a few spikes of the background do not change.
    """
    ts = (np.arange(counts.shape[0]) + 0.5) * dt
    level = counts[_quiet(ts, start)].mean() / dt
    width, expected, found = spread, start + _LATENCY, []
    for n in counts.T:
        half = min(3 * width + 2.0, 15.0)
        near = np.abs(ts - expected) <= half
        smooth = np.convolve(n, np.ones(round(2.0 / dt)), "same")
        centre = ts[near][np.argmax(smooth[near])]
        near = np.abs(ts - centre) <= half
        number = n[near].sum() - level * near.sum() * dt
        alive = number >= 5
        if alive:
            share = np.cumsum(n[near]) / n[near].sum()
            low, high = np.interp([0.25, 0.75], share, ts[near])
            width, expected = max((high - low) / 1.349, dt / 4), centre
        found.append((max(number, 0.0), width if alive else np.nan))
        expected += _DELAY + _LATENCY
    return Packets(*np.array(found).T)


def _quiet(ts: np.ndarray, start: float) -> np.ndarray:
    """Before the packet."""
    return (ts > start / 2) & (ts < start - 15)


class Chains(NamedTuple):
    """Packets of several sizes and spreads (in ms), in a number of trials of each.

    - `packets`: shape `(sizes, spreads, trials, pools)`.
    - `counts`: spikes of each pool in each step, shape `(sizes, spreads, trials, time, pools)`.
    - `background`: rate without a packet in 1/ms.
    """

    sizes: np.ndarray
    spreads: np.ndarray
    packets: Packets
    counts: np.ndarray
    background: float

    @property
    def survives(self) -> np.ndarray:
        """Whether at least half of the neurons of the last pool spike with the packet."""
        return self.packets.spikes[..., -1] >= _SIZE / 2

    @property
    def critical(self) -> np.ndarray:
        """The size from which on half of the packets survive, for each spread; NaN if unknown."""
        share = self.survives.mean(2)
        out = np.full(self.spreads.shape, np.nan)
        for j, p in enumerate(share.T):
            if p[0] < 0.5 <= p[-1]:
                i = int(np.nonzero(p < 0.5)[0][-1])
                part = (0.5 - p[i]) / (p[i + 1] - p[i])
                out[j] = self.sizes[i] + part * (self.sizes[i + 1] - self.sizes[i])
        return out


def run_synfire(
    duration: float, dt: float, key: Key, sizes: Any = _SIZES, spreads: Any = _SPREADS, trials=1
) -> Chains:
    """All packets in one `vmap`."""
    shape = (len(sizes), len(spreads), trials)
    each = [
        np.broadcast_to(x, shape).reshape(-1)
        for x in (
            np.asarray(sizes)[:, None, None],
            np.asarray(spreads)[:, None],
        )
    ]
    network, inputs = synfire(key=key, dt=dt, surrogate=None)

    def pools(state: Any, output: Any) -> Any:
        del state
        return jnp.sum(output["chain"].reshape(_POOLS, _SIZE), 1, dtype=jnp.int32)

    def trial(spikes: Any, spread: Any, key: Key) -> Any:
        times, key = jr.split(key)
        given = {**inputs, "packet": pulse_packet(spikes, spread, key=times, dt=dt)}
        return simulate(
            network, inputs=given, duration=duration, dt=dt, key=key, record=pools
        ).outputs

    arguments = [jnp.asarray(x, jnp.result_type(float)) for x in each]
    counts = np.asarray(jax.jit(jax.vmap(trial))(*arguments, jr.split(key, each[0].size)))
    found = [follow(n, dt, float(spread)) for n, spread in zip(counts, each[1], strict=True)]
    packets = Packets(*(np.reshape(x, (*shape, _POOLS)) for x in zip(*found, strict=True)))
    quiet = _quiet((np.arange(counts.shape[1]) + 0.5) * dt, _ARRIVAL)
    background = float(counts[:, quiet].mean() / (_SIZE * dt))
    return Chains(
        np.asarray(sizes), np.asarray(spreads), packets, counts.reshape(*shape, -1, _POOLS),
        background,
    )  # fmt: skip


def _figures(chains: Chains) -> dict[str, float]:
    alive = chains.survives
    last = [x[..., -1][alive] for x in chains.packets]
    critical = dict(zip(chains.spreads, chains.critical, strict=True))
    return {
        "background": chains.background / Hz,
        "survive": float(alive.mean()),
        "spikes": float(last[0].mean()) if alive.any() else np.nan,
        "spread": float(np.nanmean(last[1])) if alive.any() else np.nan,
        **{
            f"critical_{spread:g}": float(critical.get(spread, np.nan))
            for spread in (0.0, 2.0, 4.0)
        },
    }


@presented
def _picture(chains: Chains, dt: float) -> Any:
    """A packet that survives and one that dies, and the plane of sizes and spreads."""
    from ..plot import colour, grey, ink, open_frame

    figures = _figures(chains)
    figure, grid = titled(
        "Synfire chain",
        f"{_POOLS} pools of {_SIZE} neurons   ·   background {figures['background']:.1f} Hz   ·   "
        f"packets that survive end with {figures['spikes']:.0f} spikes within "
        f"{figures['spread']:.2f} ms",
        [1.0, 1.35],
        [1.0, 1.0],
    )
    plane = figure.add_subplot(grid[:, 1])
    live, dead = colour("exc", 0, plane), colour("inh", 0, plane)
    alive, (spikes, spread) = chains.survives, chains.packets
    for i, size in enumerate(chains.sizes):
        for j, width in enumerate(chains.spreads):
            shade = live if alive[i, j, 0] else dead
            # The mean over trials with the same end.
            same = alive[i, j] == alive[i, j, 0]
            width_there = np.ma.masked_invalid(spread[i, j, same]).mean(0).filled(np.nan)
            x, y = np.append(width, width_there), np.append(size, spikes[i, j, same].mean(0))
            gone = np.nonzero(~np.isfinite(x) | (y < 8))[0]
            stop = gone[0] if gone.size else x.size
            plane.plot(x[:stop], y[:stop], color=shade, linewidth=1.0, alpha=0.6)
            plane.plot(width, size, "o", color=shade, markersize=4)
    critical = chains.critical
    plane.plot(chains.spreads, critical, color=ink(plane), linewidth=3, linestyle="--")
    known = np.nonzero(np.isfinite(critical))[0]
    if known.size:
        at = known[-1]
        plane.annotate(
            "half survive", (chains.spreads[at], critical[at]), (8, 8), textcoords="offset points",
            fontsize=15, color=ink(plane),
        )  # fmt: skip
    plane.set(xlabel="spread of spike times (ms)", ylabel="spikes in the packet")
    plane.set(xlim=(0, chains.spreads[-1] + 0.9), ylim=(0, 1.08 * chains.sizes[-1]))
    # The same spread, above and below the dashed line.
    j = len(chains.spreads) // 2
    rows = np.nonzero(alive[:, j, 0])[0], np.nonzero(~alive[:, j, 0])[0]
    for place, (row, shade, word) in enumerate(
        zip((rows[0][:1], rows[1][-1:]), (live, dead), ("survives", "dies out"), strict=True)
    ):
        ax = figure.add_subplot(grid[place, 0])
        for i in row:
            _pools(ax, chains.counts[i, j, 0], dt, shade)
            text = f"{chains.sizes[i]:g} spikes within {chains.spreads[j]:g} ms: {word}"
            ax.set_title(text, fontsize=16, color=shade, loc="left")
        ax.set(ylabel="pool", xlabel="time (ms)" if place else "")
        open_frame(ax)
    open_frame(plane)
    plane.grid(color=grey(plane), alpha=0.2)
    return figure


def _pools(ax: Any, counts: np.ndarray, dt: float, shade: str) -> None:
    """The number of spikes in each pool over time, the first pool at the bottom."""
    every = max(1, round(0.5 / dt))
    n = counts[: counts.shape[0] // every * every].reshape(-1, every, _POOLS).sum(1)
    ts = (np.arange(n.shape[0]) + 0.5) * every * dt
    for pool in range(_POOLS):
        height = pool + np.minimum(n[:, pool] / 20, 1.6)
        ax.fill_between(ts, pool, height, color=shade, alpha=0.8, linewidth=0, zorder=_POOLS - pool)
    ax.set(xlim=(_ARRIVAL - 12, ts[-1]), ylim=(0, _POOLS + 0.7))
    ax.set_yticks(np.arange(_POOLS)[::3], np.arange(1, _POOLS + 1)[::3])


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    del variant
    trials = round(_TRIALS * scale)
    if trials < 1:
        raise ValueError(f"`scale` is the number of trials in units of {_TRIALS}, got {scale}.")
    least = _ARRIVAL + (_DELAY + _LATENCY) * _POOLS
    if duration < least:
        raise ValueError(f"`duration` must be at least {least:g} ms, got {duration}.")
    chains = run_synfire(duration, dt, key, trials=trials)
    number = chains.survives.size
    return Outcome(
        _figures(chains),
        {
            "sizes": chains.sizes,
            "spreads": chains.spreads,
            "spikes_of_packets": chains.packets.spikes,
            "spread_of_packets": chains.packets.spread,
        },
        f"{number} chains of {_POOLS * _SIZE:,} neurons",
        number * duration,
        lambda: _picture(chains, dt),
    )


SYNFIRE = Entry(
    name="synfire",
    title="a chain of pools through which packets of spikes run, or die out",
    source="Diesmann et al. (1999), doi:10.1038/990101",
    size="1000 neurons in 10 pools, 90 000 synapses; 480 packets in one vmap (scale: number of "
    "trials)",
    expected="packets of enough spikes that are close enough survive and become synchronous to "
    "less than a millisecond, others die out; a line separates them, higher where packets are "
    "broader",
    variants={
        "nature": Variant(
            "Synfire chain", "parameters as in Brian's example of the paper, Poisson background"
        )
    },
    experiment=_experiment,
    python="bf.zoo.synfire(spikes, spread, key=key)",
    rows={
        "background": ("rate of the chain without a packet (Hz)", "{:.2f}"),
        "survive": ("packets that survive", "{:.2f}"),
        "spikes": ("spikes in the last pool, of these", "{:.1f}"),
        "spread": ("spread in the last pool (ms)", "{:.2f}"),
        "critical_0": ("spikes needed at a spread of 0 ms", "{:.0f}"),
        "critical_2": ("spikes needed at 2 ms", "{:.0f}"),
        "critical_4": ("spikes needed at 4 ms", "{:.0f}"),
    },
    duration=110.0,
    multiples={"the delay": _DELAY, "the refractory period": 1 * ms},
)
