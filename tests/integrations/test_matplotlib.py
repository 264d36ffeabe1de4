"""The same diagram on a matplotlib Axes."""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from calibrant import errors
from calibrant.charts import theme
from calibrant.evidence import reliability
from calibrant.integrations import matplotlib as drawing
from calibrant.stats import summary

mpl.use("Agg")
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def close():
    """No figure outlives its test."""
    yield
    pyplot.close("all")


def rows(n: int = 800, *, rare: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated scores with their labels."""
    rng = np.random.default_rng(2)
    scores = rng.beta(0.6, 90, n) if rare else rng.beta(2, 4, n)
    return scores, (rng.random(n) < scores).astype(int)


def found(**options) -> reliability.Reliability:
    """A diagram with few resamples."""
    one = summary.summarise(*rows(**options))
    return reliability.reliability(one, rng=np.random.default_rng(0), resamples=40)


def test_plot_draws_the_same_numbers():
    """The line is the curve, the markers are the bins, and the given Axes comes back."""
    data = found()
    _, ax = pyplot.subplots()
    assert drawing.plot(data, ax=ax, name="late flights") is ax
    lines = {line.get_label(): line for line in ax.get_lines()}
    curve = lines["late flights"]
    assert curve.get_xdata() == pytest.approx(data.curve.score)
    assert curve.get_ydata() == pytest.approx(data.curve.rate)
    assert curve.get_color() == theme.BLUE
    points = ax.containers[0].lines[0]
    assert points.get_ydata() == pytest.approx(data.bins.rate)
    bars = ax.child_axes[0].patches
    assert sum(abs(bar.get_height()) for bar in bars) == pytest.approx(data.box.n)
    ax.get_figure().canvas.draw()


def test_plot_makes_its_own_axes_and_leaves_out_what_is_not_wanted():
    """Without an Axes there is a new one; bins, histogram and box are optional."""
    ax = drawing.plot(found(), bins=False, histogram=False, box=True)
    assert ax.containers == []
    assert ax.child_axes == []
    assert "base rate" in ax.texts[0].get_text()


def test_rare_events_use_the_logit_scale():
    """Both axes, and nothing at zero, which has no place there."""
    ax = drawing.plot(found(n=30_000, rare=True))
    assert (ax.get_xscale(), ax.get_yscale()) == ("logit", "logit")
    assert min(ax.get_lines()[1].get_ydata()) > 0
    ax.get_figure().canvas.draw()


def test_display_from_predictions():
    """Labels first and scores second, as scikit-learn has it; the display can be drawn again."""
    scores, labels = rows()
    display = drawing.ReliabilityDisplay.from_predictions(labels, scores, name="model")
    assert display.figure_ is display.ax_.get_figure()
    assert display.reliability.box.n == 800
    first = display.ax_
    assert display.plot().ax_ is not first


def test_display_knows_weights():
    """Weights move the base rate."""
    scores, labels = rows()
    display = drawing.ReliabilityDisplay.from_predictions(labels, scores, sample_weight=1 + 3 * labels)
    assert display.reliability.box.base_rate.value > 1.5 * labels.mean()


def test_display_refuses_too_few_rows():
    """Below the minimum there is an error with a fix, not a picture."""
    with pytest.raises(errors.ValueRangeError, match="CAL-391"):
        drawing.ReliabilityDisplay.from_predictions([0, 1, 1], [0.1, 0.5, 0.9])


def test_without_matplotlib_the_extra_is_named():
    """The module can be imported; drawing says what to install."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from calibrant.integrations import matplotlib as m\n"
        "from calibrant import errors\n"
        "try:\n    m._new_axes()\n"
        "except errors.MissingExtraError as error:\n    print(error.fix)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "pip install 'calibrant[matplotlib]'"
