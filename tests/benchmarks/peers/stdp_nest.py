"""COBA in NEST, with or without `stdp_synapse` between excitatory neurons."""

import nest
import numpy as np
from _report import DT, FAN_OUT, STDP, Stopwatch, arguments, peak_rss_mb, report, sizes


def main() -> None:
    args = arguments(__doc__, mode=["static", "stdp"], threads=[1, 2, 4, 8, 16])
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
        "tau_minus": STDP["tau"],
    }
    cells = nest.Create("iaf_cond_exp", args.n, params=parameters)
    cells.V_m = nest.random.normal(-55.0, 2.0)
    exc, inh = cells[:n_exc], cells[n_exc:]
    rule = {"rule": "pairwise_bernoulli", "p": FAN_OUT / args.n}
    own = {"synapse_model": "static_synapse"}
    if args.mode == "stdp":
        own = {
            "synapse_model": "stdp_synapse",
            "tau_plus": STDP["tau"],
            "lambda": STDP["A_plus"] / STDP["w_max"],
            "alpha": STDP["A_minus"] / STDP["A_plus"],
            "mu_plus": 0.0,
            "mu_minus": 0.0,
            "Wmax": STDP["w_max"],
        }
    nest.Connect(exc, exc, rule, own | {"weight": 6.0, "delay": DT})
    nest.Connect(exc, inh, rule, {"weight": 6.0, "delay": DT})
    nest.Connect(inh, cells, rule, {"weight": -67.0, "delay": DT})
    nest.Prepare()
    build_s = watch()
    nest.Run(args.duration)
    run_s, cpu = watch(), watch.cpu
    nest.Cleanup()
    mean = 6.0
    if args.mode == "stdp":
        mean = float(np.mean(nest.GetConnections(exc[:500], exc).weight))
    report(
        simulator="nest",
        version=nest.__version__,
        mode=args.mode,
        n=args.n,
        threads=args.threads,
        dtype="float64",
        build_s=build_s,
        compile_s=0.0,
        run_s=run_s,
        run_cpu_s=cpu,
        rate_hz=nest.local_spike_counter / args.n / (args.duration * 1e-3),
        peak_rss_mb=peak_rss_mb(),
        weight_mean=mean,
    )


if __name__ == "__main__":
    main()
