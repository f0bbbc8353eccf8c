"""The room Switches without a browser: it says what the library says, and takes only parts that there are."""

import json

import numpy as np
import pytest
import torch

from audioformer.errors import AudioformerError
from audioformer.explain.switches import Off, in_turn, switched
from audioformer_app import analysis
from audioformer_app.rooms import switches


def heard(glide, offered):
    clf = offered.classifier("animals")
    return clf, torch.from_numpy(glide.codes[:2].astype(np.int64))


def test_label_bars_and_lane_are_those_of_the_switched_model(glide, offered):
    clf, codes = heard(glide, offered)
    reply = switches.look(glide, {"heads": [[0, 1]], "rows": [0], "forward": [0]}, offered)
    off = Off().also(heads=[(0, 1)], rows=[0], units=[(0, unit) for unit in range(32)])
    p = switched(clf, off).classify_codes(codes).probabilities
    assert reply["now"] == pytest.approx(float(p[reply["label"]]), abs=1e-6)
    assert reply["before"] == pytest.approx(glide.verdict.probabilities[0], abs=1e-6)
    assert reply["before"] != reply["now"]
    lane = reply["lanes"][1]
    assert [line["name"] for line in lane["lines"]] == ["all on", "now"]
    assert lane["lines"][0]["values"] != lane["lines"][1]["values"]
    assert reply["sizes"] == {"rows": 1, "blocks": 1, "heads": 2, "units": 32}
    same = switches.look(glide, {}, offered)
    assert same["now"] == same["before"]
    assert json.loads(json.dumps(reply, allow_nan=False)) == reply


def test_each_in_turn_is_the_librarys(glide, offered):
    clf, codes = heard(glide, offered)
    reply = switches.turn(glide, {"label": 1, "heads": [[0, 0]]}, offered)
    found = in_turn(clf, codes, 1, Off().also(heads=[(0, 0)]))
    np.testing.assert_allclose(reply["falls"]["heads"], found.heads, atol=1e-6)
    np.testing.assert_allclose(reply["falls"]["rows"], found.rows, atol=1e-6)
    assert reply["falls"]["heads"][0][0] == pytest.approx(0, abs=1e-6)  # it is off already


def test_units_and_what_drives_them(glide, offered):
    listed = switches.units(glide, {"block": 0}, offered)["units"]
    assert len(listed) == switches.N_UNITS
    assert listed[0]["size"] == pytest.approx(1)
    assert all(a["size"] >= b["size"] for a, b in zip(listed, listed[1:], strict=False))
    driven = switches.drive(glide, {"block": 0, "unit": listed[0]["unit"]}, offered)
    values = [moment["value"] for moment in driven["moments"]]
    assert values == sorted(values, reverse=True)
    assert len({(moment["label"], moment["time_s"]) for moment in driven["moments"]}) == switches.N_MOMENTS
    assert all(moment["wav"] for moment in driven["moments"])
    assert len(driven["lane"]["lines"][0]["values"]) == glide.codes.shape[1]


@pytest.mark.parametrize(
    "data",
    [
        {"rows": 3},
        {"rows": ["a"]},
        {"heads": [[0]]},
        {"heads": [0]},
        {"rows": [0] * 999},
        {"label": 99},
        {"blocks": [-1]},
    ],
)
def test_nonsense_is_refused(glide, offered, data):
    with pytest.raises(AudioformerError):
        switches.look(glide, data, offered)


def test_parts_of_another_model_are_not_off(glide, offered):
    reply = switches.look(glide, {"rows": [7], "blocks": [3], "heads": [[2, 9]], "units": [[0, 700]]}, offered)
    assert reply["now"] == reply["before"]
    for data in ({"block": 0, "unit": 32}, {"block": 1, "unit": 0}, {}):
        with pytest.raises(AudioformerError):
            switches.drive(glide, data, offered)


def test_without_a_classifier_there_is_nothing_to_switch(glide, offered):
    bare = analysis.analyse(glide.clip, -1, "small", None, offered)
    assert switches.look(bare, {}, offered) == {"token": bare.token, "empty": True}
