"""Rate against current for neurons of several kinds: each curve is one simulation of one
population, whose neurons differ in their current."""

import numpy as np

import brainfn as bf


def rate(train, dt):
    """From the last five intervals, in Hz; 0 for fewer spikes."""
    times = np.flatnonzero(train)[-6:] * dt
    return 1000 / np.diff(times).mean() if len(times) > 5 else 0.0


def main(short=False):
    n, duration = (5, 100.0) if short else (60, 1000.0)
    squid = [bf.channel.SodiumHH(), bf.channel.PotassiumHH(), bf.channel.Leak()]
    kinds = {
        "LIF": (bf.neuron.LIF(n, refractory=0.0), (0.0, 400.0), "pA"),
        "LIF, refractory for 5 ms": (bf.neuron.LIF(n, refractory=5.0), (0.0, 400.0), "pA"),
        "AdEx": (bf.neuron.AdEx(n), (0.0, 2000.0), "pA"),
        "Izhikevich, regular spiking": (bf.neuron.Izhikevich(n), (0.0, 20.0), "mV/ms"),
        "Hodgkin-Huxley": (bf.neuron.PointNeuron(n, squid), (0.0, 40.0), "µA/cm²"),
    }
    figure = bf.plot.new_figure(10.0, 2.6)
    axes = figure.subplots(1, len(kinds))
    for ax, (name, (cells, span, unit)) in zip(axes, kinds.items(), strict=True):
        current = np.linspace(*span, n)
        dt = 0.02 if name.startswith("Hodgkin") else 0.1
        run = bf.simulate(
            cells,
            inputs=bf.input.Constant(current),
            duration=duration,
            dt=dt,
            record=bf.record.outputs,
        )
        ax.plot(current, [rate(train, dt) for train in np.asarray(run.outputs).T], color="#0072B2")
        ax.set_title(name, loc="left", fontsize="small")
        ax.set(xlabel=f"current ({unit})", ylim=(0, None), xlim=span)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("rate (Hz)")
    return figure
