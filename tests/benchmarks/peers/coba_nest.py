"""COBA in NEST: `iaf_cond_exp` (adaptive Runge-Kutta, double precision; it has no cheaper one)."""

import nest
from _report import DT, FAN_OUT, Stopwatch, arguments, peak_rss_mb, report, sizes


def main() -> None:
    args = arguments(__doc__, threads=[1, 2, 4, 8, 16])
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.local_num_threads = args.threads
    nest.resolution = DT
    nest.rng_seed = args.seed
    n_exc, _ = sizes(args.n)
    watch = Stopwatch()
    parameters = {
        "C_m": 200.0,
        "g_L": 10.0,
        "E_L": -60.0,
        "V_th": -50.0,
        "V_reset": -60.0,
        "t_ref": 5.0,
        "E_ex": 0.0,
        "E_in": -80.0,
        "tau_syn_ex": 5.0,
        "tau_syn_in": 10.0,
        "I_e": 200.0,
    }
    cells = nest.Create("iaf_cond_exp", args.n, params=parameters)
    cells.V_m = nest.random.normal(-55.0, 2.0)
    rule = {"rule": "pairwise_bernoulli", "p": FAN_OUT / args.n}
    nest.Connect(cells[:n_exc], cells, rule, {"weight": 6.0, "delay": DT})
    nest.Connect(cells[n_exc:], cells, rule, {"weight": -67.0, "delay": DT})
    nest.Prepare()
    build_s = watch()
    nest.Run(args.duration)
    run_s = watch()
    report(
        simulator="nest",
        version=nest.__version__,
        mode="iaf_cond_exp",
        n=args.n,
        threads=args.threads,
        dtype="float64",
        build_s=build_s,
        compile_s=0.0,
        run_s=run_s,
        run_cpu_s=watch.cpu,
        rate_hz=nest.local_spike_counter / args.n / (args.duration * 1e-3),
        peak_rss_mb=peak_rss_mb(),
    )


if __name__ == "__main__":
    main()
