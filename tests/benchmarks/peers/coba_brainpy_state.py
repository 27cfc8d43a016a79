"""COBA in BrainPy, `brainpy.state` (its newer API, on brainstate and brainevent).

Fixed fan-out with one shared weight and bool events: the fastest that brainevent offers for this
network on a CPU (its layer `EventFixedProb` stores one weight per synapse). `compile_s` is the
first call less the second; the figures are of the second, which continues the first.
"""

import brainevent
import brainpy
import brainstate
import braintools
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from _report import DT, FAN_OUT, Stopwatch, arguments, peak_rss_mb, report, sizes


class FixedFanOut(brainstate.nn.Module):
    """`FAN_OUT` random targets for each neuron, one weight for all synapses."""

    def __init__(self, n_pre: int, n_post: int, weight, random: np.random.Generator):
        super().__init__()
        self.in_size, self.out_size = (n_pre,), (n_post,)
        indices = random.integers(0, n_post, (n_pre, FAN_OUT), dtype=np.int32)
        self.matrix = brainevent.FixedNumPerPre(
            (weight, jnp.asarray(indices)), shape=(n_pre, n_post)
        )

    def update(self, spikes):
        return brainevent.BinaryArray(spikes) @ self.matrix


class Network(brainstate.nn.Module):
    def __init__(self, n: int, random: np.random.Generator):
        super().__init__()
        n_exc, n_inh = sizes(n)
        self.n_exc = n_exc
        self.cells = brainpy.state.LIFRef(
            n,
            V_rest=-60.0 * u.mV,
            V_th=-50.0 * u.mV,
            V_reset=-60.0 * u.mV,
            tau=20.0 * u.ms,
            tau_ref=5.0 * u.ms,
            V_initializer=braintools.init.Normal(-55.0 * u.mV, 2.0 * u.mV),
            spk_reset="hard",
        )

        # R is 1 ohm, so conductances relative to the leak are numbers of siemens.
        def project(n_pre, weight, tau, reversal):
            zero = braintools.init.Constant(0.0 * u.siemens)
            return brainpy.state.AlignPostProj(
                comm=FixedFanOut(n_pre, n, weight * u.siemens, random),
                syn=brainpy.state.Expon.desc(n, tau=tau * u.ms, g_initializer=zero),
                out=brainpy.state.COBA.desc(E=reversal * u.mV),
                post=self.cells,
            )

        self.exc = project(n_exc, 0.6, 5.0, 0.0)
        self.inh = project(n_inh, 6.7, 10.0, -80.0)

    def update(self, t, current):
        with brainstate.environ.context(t=t):
            spikes = self.cells.get_spike() != 0
            self.exc(spikes[: self.n_exc])
            self.inh(spikes[self.n_exc :])
            return self.cells(current).sum()


def main() -> None:
    args = arguments(__doc__)
    brainstate.environ.set(dt=DT * u.ms)
    brainstate.random.seed(args.seed)
    watch = Stopwatch()
    network = Network(args.n, np.random.default_rng(args.seed))
    brainstate.nn.init_all_states(network)
    build_s = watch()
    steps = round(args.duration / DT)

    @brainstate.transform.jit
    def run(first):
        times = (first + jnp.arange(steps)) * DT * u.ms
        return brainstate.transform.for_loop(lambda t: network.update(t, 20.0 * u.mA), times)

    jax.block_until_ready(run(0))
    first = watch()
    counts = jax.block_until_ready(run(steps))
    run_s = watch()
    report(
        simulator="brainpy-state",
        version=(
            f"{brainpy.__version__} (brainevent {brainevent.__version__}, jax {jax.__version__})"
        ),
        mode="brainpy.state, FixedNumPerPre",
        n=args.n,
        threads=0,
        dtype="float32",
        build_s=build_s,
        compile_s=max(first - run_s, 0.0),
        run_s=run_s,
        run_cpu_s=watch.cpu,
        rate_hz=float(counts.sum()) / args.n / (args.duration * 1e-3),
        peak_rss_mb=peak_rss_mb(),
    )


if __name__ == "__main__":
    main()
