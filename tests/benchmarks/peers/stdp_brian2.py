"""COBA in Brian2, C++ standalone, with or without STDP between excitatory neurons.

`build_s` is what the compiled program spends before and after its time loop (synapses, initial
values, results), `compile_s` is code generation and the C++ compiler.
"""

import os
import shutil
import subprocess
import tempfile
import time

import brian2 as b2
import numpy as np
from _report import DT, FAN_OUT, STDP, Stopwatch, arguments, peak_rss_mb, report, sizes
from brian2.devices.device import get_device

FLAGS = ["-O3", "-march=native", "-ffast-math"]


def main() -> None:
    args = arguments(
        __doc__,
        mode=["static", "stdp"],
        threads=[0, 1, 2, 4, 8, 16],
        dtype=["float64", "float32"],
    )
    folder = tempfile.mkdtemp()
    watch = Stopwatch()
    b2.set_device("cpp_standalone", build_on_run=False, directory=folder)
    b2.prefs.devices.cpp_standalone.openmp_threads = args.threads
    b2.prefs.codegen.cpp.extra_compile_args_gcc = FLAGS
    b2.prefs.core.default_float_dtype = getattr(b2, args.dtype)
    b2.defaultclock.dt = DT * b2.ms
    b2.seed(args.seed)
    n_exc, _ = sizes(args.n)
    cells = b2.NeuronGroup(
        args.n,
        """dv/dt = (-60 - v + 20 + ge*(0 - v) + gi*(-80 - v))/(20*ms) : 1 (unless refractory)
        dge/dt = -ge/(5*ms) : 1
        dgi/dt = -gi/(10*ms) : 1""",
        threshold="v > -50",
        reset="v = -60",
        refractory=5 * b2.ms,
        method="exponential_euler",
    )
    cells.v = "-55 + 2*randn()"
    # Conductances in units of the leak, 10 nS. Traces decay when they are used.
    names = ("A_plus", "A_minus", "w_max")
    constants = {name: STDP[name] / 10 for name in names} | {"tau": STDP["tau"] * b2.ms}
    if args.mode == "stdp":
        ee = b2.Synapses(
            cells[:n_exc],
            cells[:n_exc],
            """w : 1
            dx/dt = -x/tau : 1 (event-driven)
            dy/dt = -y/tau : 1 (event-driven)""",
            on_pre="""ge_post += w
            x += 1
            w = clip(w - A_minus*y, 0, w_max)""",
            on_post="""y += 1
            w = clip(w + A_plus*x, 0, w_max)""",
            namespace=constants,
        )
    else:
        ee = b2.Synapses(cells[:n_exc], cells[:n_exc], "w : 1", on_pre="ge_post += w")
    ei = b2.Synapses(cells[:n_exc], cells[n_exc:], on_pre="ge += 0.6")
    inh = b2.Synapses(cells[n_exc:], cells, on_pre="gi += 6.7")
    for synapses in (ee, ei, inh):
        synapses.connect(p=FAN_OUT / args.n)
    ee.w = 0.6
    spikes = b2.SpikeMonitor(cells, record=False)
    b2.run(args.duration * b2.ms)
    b2.device.build(run=False, compile=True, directory=folder)
    compile_s = watch()

    # Started here and not by Brian2, to see the peak memory of the program and not of the compiler.
    program = subprocess.Popen(
        ["./main", "--results_dir", os.path.join(folder, "results", "")],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    peak = 0.0
    while program.poll() is None:
        peak = max(peak, peak_rss_mb(program.pid))
        time.sleep(0.02)
    total = watch()
    if program.returncode != 0:
        raise RuntimeError(f"the compiled program ended with status {program.returncode}")
    with open(os.path.join(folder, "results", "last_run_info.txt")) as file:
        run_s = float(file.read().split()[0])
    get_device().has_been_run = True
    count, mean = spikes.num_spikes, 10 * float(np.mean(ee.w[:]))
    shutil.rmtree(folder)
    report(
        simulator="brian2",
        version=b2.__version__,
        mode=args.mode,
        n=args.n,
        threads=args.threads,
        dtype=args.dtype,
        build_s=total - run_s,
        compile_s=compile_s,
        run_s=run_s,
        rate_hz=count / args.n / (args.duration * 1e-3),
        peak_rss_mb=peak,
        weight_mean=mean,
    )


if __name__ == "__main__":
    main()
