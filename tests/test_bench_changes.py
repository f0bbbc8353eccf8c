"""`bench changes`: what is done to a clip, and how the labels that stay are counted."""

import numpy as np
import pytest
from tiny import tone

from audioformer.audio import Waveform
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches.changes import PLAIN, changed, measure

RATE_HZ = 24_000


class ByLevel:
    """A classifier that calls loud sounds "loud" and quiet ones "quiet": which changes matter to it is known."""

    name, multi_label, label_names = "by level", False, ["loud", "quiet"]

    def classify(self, samples, top_k, sample_rate):
        assert (top_k, sample_rate) == (1, RATE_HZ)
        loud = np.sqrt(np.mean(samples**2)) > 0.03
        return type("Prediction", (), {"labels": ["loud" if loud else "quiet"]})


class Clip:
    """A tone of 0.3 or, quiet, of 0.01."""

    id = "clip"

    def __init__(self, label):
        self.labels, self.level = (label,), {"loud": 0.3, "quiet": 0.01}[label]

    def load(self, mono):
        assert mono
        return Waveform(tone(440, 0.5) / tone(440, 0.5).max() * self.level, RATE_HZ, ("cut short",))


class Clips(list):
    root = "clips"


def test_changes_are_what_their_names_say():
    rng = np.random.default_rng(1)
    samples = (0.1 * rng.standard_normal(RATE_HZ)).astype(np.float32)
    made = changed(samples, RATE_HZ)
    assert made[PLAIN] is samples
    assert all(one.shape == samples.shape for one in made.values())

    def level_db(x):
        return 10 * np.log10(np.mean(x**2))

    assert level_db(made["30 dB quieter"]) == pytest.approx(level_db(samples) - 30, abs=0.01)
    noise = made["white noise 20 dB below it"] - samples
    assert level_db(noise) == pytest.approx(level_db(samples) - 20, abs=0.1)
    hz = np.fft.rfftfreq(RATE_HZ, 1 / RATE_HZ)
    spectrum = np.abs(np.fft.rfft(made["telephone, 300 to 3400 Hz"]))
    inside = spectrum[(hz > 500) & (hz < 2500)].mean()
    assert spectrum[hz > 5000].mean() < 0.02 * inside  # the clip's two ends ring
    later = made["0.37 s later"]
    assert (later[:8880] == 0).all()
    np.testing.assert_array_equal(later[8880:], samples[:-8880])


def test_the_labels_that_stay_and_the_right_ones_are_counted(caplog):
    rows = {line["change"]: line for line in measure(ByLevel(), Clips(map(Clip, ["loud", "loud", "quiet"])), print)}
    assert (rows[PLAIN]["ours"], rows[PLAIN]["stays"], rows[PLAIN]["n"]) == (1.0, 1.0, 3)
    quieter = rows["30 dB quieter"]  # both loud ones become quiet
    assert (quieter["ours"], quieter["stays"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert quieter["peer"] == 1.0
    assert rows["0.37 s later"]["stays"] == 1.0
    assert caplog.messages == ["clip: cut short"] * 3


def test_labels_that_nobody_knows_are_refused():
    stranger = Clip("loud")
    stranger.labels = ("rain",)
    with pytest.raises(AudioformerError, match="no clip has a label that by level knows"):
        measure(ByLevel(), Clips([stranger]), print)
