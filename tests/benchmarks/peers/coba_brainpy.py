"""COBA in BrainPy, `brainpy.dyn` (its older API): merged, event-driven CSR, one jitted loop.

Fixed fan-out from NumPy: BrainPy's rule `FixedProb` takes minutes to connect 40 000 neurons.
`compile_s` is the first call less the second; the figures are of the second, which continues the
first.
"""

import brainpy as bp
import brainpy.math as bm
import jax
import jax.numpy as jnp
import numpy as np
from _report import DT, FAN_OUT, Stopwatch, arguments, peak_rss_mb, report, sizes


class Network(bp.DynSysGroup):
    def __init__(self, n: int, random: np.random.Generator):
        super().__init__()
        n_exc, n_inh = sizes(n)
        self.n_exc = n_exc
        self.cells = bp.dyn.LifRefLTC(
            n,
            V_rest=-60.0,
            V_th=-50.0,
            V_reset=-60.0,
            tau=20.0,
            tau_ref=5.0,
            V_initializer=bp.init.Normal(-55.0, 2.0),
        )

        def project(n_pre, weight, tau, reversal):
            indices = random.integers(0, n, n_pre * FAN_OUT, dtype=np.int32)
            indptr = np.arange(n_pre + 1, dtype=np.int32) * FAN_OUT
            connection = bp.conn.CSRConn(indices, indptr)(n_pre, n)
            return bp.dyn.HalfProjAlignPostMg(
                comm=bp.dnn.EventCSRLinear(connection, weight),
                syn=bp.dyn.Expon.desc(n, tau=tau),
                out=bp.dyn.COBA.desc(E=reversal),
                post=self.cells,
            )

        self.exc = project(n_exc, 0.6, 5.0, 0.0)
        self.inh = project(n_inh, 6.7, 10.0, -80.0)

    def update(self, current):
        spikes = self.cells.spike.value
        self.exc(spikes[: self.n_exc])
        self.inh(spikes[self.n_exc :])
        self.cells(current)
        return self.cells.spike.value.sum()


def main() -> None:
    args = arguments(__doc__)
    bm.set_platform("cpu")
    bm.random.seed(args.seed)
    watch = Stopwatch()
    network = Network(args.n, np.random.default_rng(args.seed))
    build_s = watch()
    bm.set_dt(DT)
    steps = round(args.duration / DT)

    # Time must go on in the second call: the refractory period compares it with the last spike's.
    @bm.jit
    def run(start):
        indices = start + jnp.arange(steps)
        return bm.for_loop(lambda i: network.step_run(i, 20.0), indices)

    jax.block_until_ready(run(0))
    first = watch()
    counts = jax.block_until_ready(run(steps))
    run_s = watch()
    report(
        simulator="brainpy",
        version=f"{bp.__version__} (jax {jax.__version__})",
        mode="brainpy.dyn",
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
