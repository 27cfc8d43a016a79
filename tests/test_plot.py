"""Pictures hold what they were given, and matplotlib is asked for only when one is drawn."""

import subprocess
import sys

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
