"""Pictures hold what they were given, and matplotlib is asked for only when one is drawn."""

import subprocess
import sys

import jaxtyping
import numpy as np
import pytest

import brainfn as bf

pytest.importorskip("matplotlib")


@pytest.fixture
def trains():
    rng = np.random.default_rng(0)
    return {
        "exc": bf.measure.from_dense(rng.random((500, 40)) < 0.01, dt=0.1),
        "inh": bf.measure.from_dense(rng.random((500, 10)) < 0.02, dt=0.1),
    }


def points(ax):
    return np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])


def test_raster_shows_every_spike(trains):
    ax = bf.plot.raster(trains)
    drawn = points(ax)
    assert len(drawn) == len(trains["exc"]) + len(trains["inh"])
    assert drawn[:, 1].min() > 0 and drawn[:, 1].max() < 50
    assert ax.get_xlim() == (0.0, 50.0)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["inhibitory", "excitatory"]


def test_raster_of_many_neurons_shows_a_part(trains):
    drawn = points(bf.plot.raster(trains, neurons=25))
    expected = sum(int(np.sum(np.asarray(p.neurons) % 2 == 0)) for p in trains.values())
    assert len(drawn) == expected


def test_raster_of_one_population_without_a_name(trains):
    ax = bf.plot.raster(trains["exc"])
    assert ax.get_ylabel() == "neuron"


def test_population_rate_draws_the_measure(trains):
    ax = bf.plot.population_rate(trains, bin_size=5.0)
    times, rate = bf.measure.population_rate(trains["inh"], 5.0)
    line = ax.lines[1]
    np.testing.assert_allclose(line.get_xdata(), times)
    np.testing.assert_allclose(line.get_ydata(), rate / bf.units.Hz)
    assert "Hz" in ax.get_ylabel() and "ms" in ax.get_xlabel()


def test_traces_draw_spikes_up_to_their_height():
    v = np.full((20, 2), -60.0)
    spikes = np.zeros((20, 2), bool)
    spikes[7, 1] = True
    ax = bf.plot.traces(np.arange(20) * 0.1, v, spikes=spikes, v_spike=0.0)
    heights = [np.ptp(line.get_ydata()) for line in ax.lines[:2]]
    assert heights == [0.0, 60.0]


def test_overview_is_a_slide(trains, tmp_path):
    ts = np.arange(500) * 0.1
    v = {"exc": np.full((500, 2), -60.0), "inh": np.full((500, 1), -60.0)}
    figure = bf.plot.overview(trains, title="A network", ts=ts, v=v, v_threshold=-50.0)
    assert len(figure.axes) == 5
    path = tmp_path / "overview.png"
    figure.savefig(path)
    header = path.read_bytes()[16:24]
    assert (int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")) == (1600, 1000)


def test_overview_of_silence(tmp_path):
    silent = bf.measure.from_dense(np.zeros((100, 5)), dt=0.1)
    bf.plot.overview({"exc": silent, "inh": silent}).savefig(tmp_path / "silence.png")


def test_wrong_spikes_are_named():
    with pytest.raises(TypeError, match="`trains` must be a SpikeTrains"):
        bf.plot.raster({})


def test_matplotlib_is_imported_only_to_draw():
    code = "import sys, brainfn; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_the_extra_is_named(trains, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"brainfn\[plot\]"):
        bf.plot.raster(trains)


# --- plots of measures


def adex():
    return bf.neuron.AdEx(1)


T = np.arange(6) * 2.0
FRAMES = np.random.default_rng(1).random((6, 4, 5))
F, POWER = np.arange(5) * 0.01, np.arange(5.0) + 1

# Each plot, and what its labels say.
PLOTS = {
    "power_spectrum": (
        lambda ax: bf.plot.power_spectrum(F, POWER, ax=ax, unit="mV"),
        "frequency (Hz)",
        "power (mV²/Hz)",
    ),
    "spectrogram": (
        lambda ax: bf.plot.spectrogram(T, F, np.outer(T + 1, POWER), ax=ax),
        "time (ms)",
        "frequency (Hz)",
    ),
    "correlogram": (
        lambda ax: bf.plot.correlogram(np.arange(-3.0, 4.0), np.arange(7), ax=ax),
        "lag (ms)",
        "pairs of spikes",
    ),
    "isi_histogram": (
        lambda ax: bf.plot.isi_histogram(trains_of_two(), ax=ax, maximum=20.0),
        "interspike interval (ms)",
        "intervals (%)",
    ),
    "weight_histogram": (
        lambda ax: bf.plot.weight_histogram({"exc": POWER, "inh": -POWER}, ax=ax, unit="nS"),
        "weight (nS)",
        "synapses (%)",
    ),
    "connectivity": (
        lambda ax: bf.plot.connectivity(np.eye(3) - 0.5, ax=ax, unit="nS"),
        "postsynaptic neuron",
        "presynaptic neuron",
    ),
    "fi_curve": (
        lambda ax: bf.plot.fi_curve(T, {"a": T / 100, "b": T / 200}, ax=ax),
        "current (pA)",
        "rate (Hz)",
    ),
    "film_strip": (lambda ax: bf.plot.film_strip(T, FRAMES, ax=ax), "time (ms)", ""),
    "population_rate": (
        lambda ax: bf.plot.population_rate(trains_of_two(), ax=ax),
        "time (ms)",
        "rate (Hz)",
    ),
    "raster": (lambda ax: bf.plot.raster(trains_of_two(), ax=ax), "time (ms)", ""),
    "traces": (
        lambda ax: bf.plot.traces(T, {"exc": FRAMES[:, :, 0] - 60}, ax=ax),
        "time (ms)",
        "membrane potential",
    ),
}


def trains_of_two():
    steps, neurons = np.arange(0, 500, 7), np.arange(72) % 3
    one = bf.measure.from_events(steps, neurons, size=3, dt=0.1, stop=500)
    return {"exc": one, "inh": one}


def contrast(a, b):
    """The contrast of two colours as the WCAG define it, from 1 to 21."""
    from matplotlib.colors import to_rgb

    def luminance(c):
        linear = [x / 12.92 if x <= 0.04 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(c)]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("name", PLOTS)
def test_plots_draw_into_the_given_axes_and_name_units(name, style, tmp_path):
    import matplotlib as mpl
    import matplotlib.style

    draw, xlabel, ylabel = PLOTS[name]
    with mpl.style.context(style):
        before = dict(mpl.rcParams)
        ax = bf.plot.new_figure(4.0, 3.0).add_subplot()
        assert draw(ax) is ax
        assert ax.get_xlabel() == xlabel and ax.get_ylabel() == ylabel
        ax.figure.savefig(tmp_path / "plot.png", dpi=40)
        assert dict(mpl.rcParams) == before
        # Text and lines can be read on what is behind them.
        paper = ax.figure.get_facecolor()
        for text in (ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()):
            assert contrast(text.get_color(), paper) > 3
        for line in ax.lines:
            ratio = contrast(line.get_color(), ax.get_facecolor())
            assert ratio > 2.5 or (name == "raster" and ratio == 1)  # a gap between populations
        for legend in filter(None, [ax.get_legend()]):
            for text in legend.get_texts():
                assert contrast(text.get_color(), ax.get_facecolor()) > 3


def test_without_axes_there_is_a_new_figure_that_pyplot_does_not_know():
    from matplotlib import _pylab_helpers

    figures = {draw(None).figure for draw, _, _ in PLOTS.values()}
    assert len(figures) == len(PLOTS)
    assert _pylab_helpers.Gcf.get_all_fig_managers() == []


def test_dark_axes_on_a_light_figure():
    ax = bf.plot.new_figure(4.0, 3.0).add_subplot(facecolor="black")
    bf.plot.fi_curve(T, T / 100, ax=ax)
    assert contrast(ax.lines[0].get_color(), "black") > 6
    assert contrast(ax.xaxis.label.get_color(), "white") > 6


def test_phase_portrait_draws_the_nullclines():
    neuron = adex()
    ax = bf.plot.phase_portrait(
        neuron, x=(-80.0, -40.0), y=(-100.0, 400.0), current=500.0, points=60,
        trajectory=(np.array([-70.0, -60.0, -45.0, -70.0]), np.array([0.0, 5.0, 9.0, 90.0])),
    )  # fmt: skip
    assert ax.get_xlabel() == "v (mV)" and ax.get_ylabel() == "w (pA)"
    first, second = (
        np.concatenate([path.vertices for path in lines.get_paths()])
        for lines in ax.collections
        if "ContourSet" in type(lines).__name__
    )
    g, e, a = (float(x) for x in (neuron.g_leak, neuron.v_rest, neuron.a))
    v = first[:, 0]
    upswing = g * float(neuron.slope) * np.exp((v - float(neuron.v_rheobase)) / neuron.slope)
    # Linear interpolation between 60 points: the curvature of the exponential over a cell.
    expected = -g * (v - e) + upswing + 500
    inner = v < -52
    np.testing.assert_allclose(first[inner, 1], expected[inner], atol=3.0)
    np.testing.assert_allclose(second[:, 1], a * (second[:, 0] - e), atol=1e-6)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "dv/dt = 0", "dw/dt = 0", "trajectory",
    ]  # fmt: skip
    # Both jumps of the trajectory, up and back, are gaps.
    path = next(line for line in ax.lines if line.get_label() == "trajectory")
    assert np.isnan(path.get_xdata()).sum() == 3


def test_animation_shows_each_frame(tmp_path):
    film = bf.plot.animation(T, FRAMES, quantity="rate (Hz)")
    film.save(tmp_path / "film.gif", writer="pillow", dpi=40)
    ax = film._fig.axes[0]
    assert ax.get_title() == "10 ms"
    np.testing.assert_array_equal(ax.images[0].get_array(), FRAMES[-1])
    from matplotlib import _pylab_helpers

    assert _pylab_helpers.Gcf.get_all_fig_managers() == []


def test_what_is_drawn_is_what_was_given():
    ax = bf.plot.power_spectrum(F, POWER)
    np.testing.assert_allclose(ax.lines[0].get_xdata(), F[1:] * 1000)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), POWER[1:] / 1000)
    matrix = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(bf.plot.connectivity(matrix).images[0].get_array(), matrix)
    strip = bf.plot.film_strip(T, FRAMES, number=3)
    assert [t.get_text() for t in strip.get_xticklabels()] == ["0", "4", "10"]


WRONG = {
    "frequencies": lambda: bf.plot.power_spectrum(np.ones((2, 2)), POWER),
    "power": lambda: bf.plot.power_spectrum(F, POWER[:3]),
    "times": lambda: bf.plot.spectrogram(3.0, F, POWER),
    "lags": lambda: bf.plot.correlogram([1.0], [1.0]),
    "values": lambda: bf.plot.correlogram(T, T[:2]),
    "weights": lambda: bf.plot.weight_histogram([]),
    "matrix": lambda: bf.plot.connectivity(np.ones(3)),
    "limit": lambda: bf.plot.connectivity(np.ones((3, 3)), limit=-1.0),
    "currents": lambda: bf.plot.fi_curve(FRAMES, T),
    "rates": lambda: bf.plot.fi_curve(T, T[:2]),
    "neuron": lambda: bf.plot.phase_portrait(3, x=(0, 1), y=(0, 1)),
    "index": lambda: bf.plot.phase_portrait(adex(), x=(0, 1), y=(0, 1), index=1),
    "x": lambda: bf.plot.phase_portrait(adex(), x=(1, 0), y=(0, 1)),
    "frames": lambda: bf.plot.film_strip(T, FRAMES[0]),
    "ts": lambda: bf.plot.animation(T[:2], FRAMES),
    "limits": lambda: bf.plot.film_strip(T, FRAMES, limits=(1.0, 0.0)),
    "interval": lambda: bf.plot.animation(T, FRAMES, interval=0.0),
    "ax": lambda: bf.plot.connectivity(np.ones((3, 3)), ax=3),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_name_the_argument(name, monkeypatch):
    # Without the checks of annotations, as users call.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises((TypeError, ValueError), match=f"`{name}"):
        WRONG[name]()
