"""The page without a server: its graphs, its JavaScript, the one file in a browser, against what Python computes."""

from __future__ import annotations

import base64
import json
import os
import queue
import shutil
import subprocess
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from app_page import chromium

import audioformer
from audioformer import AudioformerError
from audioformer.audio import Waveform, load_audio, quietness
from audioformer.codecs.spectra import log_mel
from audioformer.files import samples_folder
from audioformer.tokens import wrap
from audioformer_app.answers import answer
from audioformer_app.samples import list_samples
from audioformer_app.web import runtime, site

DOG, SEA = (samples_folder() / "audio" / name for name in ("1-900000-A-0.ogg", "2-900006-A-11.ogg"))
PATIENCE_MS = 240_000  # a machine that does much else at the same time


@pytest.fixture(scope="session")
def clf():
    return audioformer.load("esc10")


def sound(path: Path, seconds: float = 5.0) -> torch.Tensor:
    """(N,) samples at the codec's rate."""
    return load_audio(path, 24_000, mono=True).samples[0][: round(seconds * 24_000)]


@cache
def about_of(clf) -> dict:
    """What the page knows besides the models."""
    return site._about(clf)[0]


def frames_of(clf) -> dict:
    return about_of(clf)["codec"]["frames"]


def test_transforms_are_those_of_the_library(node, clf):
    samples = sound(DOG, 2.0)[: 320 * 141]
    script = """
    import { Frames, MelPicture } from "./spectra.js";
    const frames = new Frames(data.frames);
    const { features, logMel } = frames.analyse(Float32Array.from(data.samples));
    const sound = frames.synthesise(Float32Array.from(data.real), Float32Array.from(data.imaginary));
    const picture = new MelPicture(data.picture).of(Float32Array.from(data.samples));
    const result = { features: [...features], logMel: [...logMel], sound: [...sound], picture: [...picture.values] };"""
    codec = clf.codec
    features, mel = (found[0, 1:-1] for found in codec.analyse(samples[None]))
    from audioformer.codecs.spectra import overlap_add, stft_frames

    spectrum = stft_frames(samples[None], 320)[:, :77]  # an odd number: the last one has no partner
    about = about_of(clf)
    found = node(
        script,
        {
            "frames": about["codec"]["frames"],
            "picture": about["picture"],
            "samples": samples.tolist(),
            "real": spectrum.real.flatten().tolist(),
            "imaginary": spectrum.imag.flatten().tolist(),
        },
    )
    features = features.flatten().numpy()  # of quiet bins, which are the noise of rounding
    np.testing.assert_allclose(found["features"], features, atol=1e-3)
    np.testing.assert_allclose(found["logMel"], mel.flatten().numpy(), atol=2e-5)
    np.testing.assert_allclose(found["sound"], overlap_add(spectrum, 320)[0].numpy(), atol=1e-6)
    expected = log_mel(samples, 24_000, 1024, 320, 80).numpy() * (20 / np.log(10))
    np.testing.assert_allclose(found["picture"], expected.flatten(), atol=2e-3)


def test_another_rate_sounds_as_the_library_makes_it(node):
    rng = np.random.default_rng(0)
    whole = soxr.resample(rng.standard_normal(8_000).astype(np.float32) * 0.1, 8_000, 48_000)  # nothing above 4 kHz
    for rate in (48_000, 44_100):
        samples = soxr.resample(whole, 48_000, rate) if rate != 48_000 else whole
        script = """
        import { Resampler, resample } from "./resample.js";
        const samples = Float32Array.from(data.samples);
        const portions = new Resampler(data.rate, 24000);
        const found = [];
        for (let at = 0; at < samples.length; at += 777) found.push(...portions.push(samples.subarray(at, at + 777)));
        found.push(...portions.push(new Float32Array(0), true));
        const result = { whole: [...resample(samples, data.rate, 24000)], portions: found };"""
        found = node(script, {"samples": samples.tolist(), "rate": rate})
        assert found["portions"] == found["whole"]
        expected = soxr.resample(samples, rate, 24_000)
        n = min(len(expected), len(found["whole"]))
        assert abs(len(expected) - len(found["whole"])) <= 1
        middle = slice(200, n - 200)
        difference = np.array(found["whole"])[middle] - expected[middle]
        assert np.sqrt(np.mean(difference**2)) < 1e-3 * np.sqrt(np.mean(expected[middle] ** 2))


def test_page_and_app_say_the_same_of_an_answer(node):
    cases = [
        ([("dog", 0.7), ("rain", 0.2)], ["dog", "rain", "crying_baby"], False, level, truth)
        for level in (-20.0, -50.4, -100.0)
        for truth in ("", "dog", "crying baby", "piano", "rain + dog", "rain + piano")
    ]
    cases += [([("crying_baby", 0.45)], ["crying_baby", "dog"], several, -20.0, "") for several in (True, False)]
    cases += [([("none_of_these", 0.8)], ["none_of_these", "dog"], False, -20.0, "")]
    cases += [([("dog", 0.9), ("rain", 0.6)], ["dog", "rain"], True, -20.0, "")]
    script = """
    import { answer } from "./answer.js";
    const result = data.map(([best, ...rest]) => answer(best.map(([label, p]) => ({ label, p })), ...rest));"""
    for case, found in zip(cases, node(script, cases), strict=True):
        best, names, several, level, truth = case
        assert quietness(level) == "" or found["kind"] in ("quiet", "silent")
        labels, shares = zip(*best, strict=True)
        assert found == vars(answer(labels, shares, names, several, level, truth))


@pytest.mark.parametrize("n", [1, 2, 7000, 25_000, 120_001])
def test_page_and_library_hear_the_same_level(node, n):
    samples = 0.2 + 0.1 * np.random.default_rng(n).standard_normal(n).astype(np.float32) * (np.arange(n) > n * 0.9)
    script = """import { levelDb } from "./answer.js";
        const result = levelDb(new Float32Array(data), 24000);"""
    expected = Waveform(torch.from_numpy(samples[None].astype(np.float32)), 24_000).level_db
    assert node(script, samples.tolist()) == pytest.approx(expected, abs=0.01)


def test_lanes_are_those_of_the_library(node, clf):
    from audioformer.explain.moments import silent_frames
    from audioformer.plots.codes import colour_ranks
    from audioformer.predict import window_starts
    from audioformer.widgets import lanes

    samples, about = sound(DOG).numpy(), about_of(clf)
    codes = clf.codec.encode(torch.from_numpy(samples), 24_000)[0].numpy()
    script = """
    import * as lanes from "./lanes_data.js";
    import { MelPicture } from "./spectra.js";
    import { silentFrames, windowStarts } from "./reading.js";
    const samples = Float32Array.from(data.samples);
    const shades = lanes.unpacked(data.shades);
    const known = [{ label: "dog", start_s: 0.5, end_s: 1 }];
    const result = {
      wave: lanes.wave(samples), mel: lanes.mel(samples, new MelPicture(data.picture)),
      codes: lanes.codes(data.codes, 75, shades, 1024), events: lanes.events(known),
      silent: silentFrames(samples, 24000, 75, data.codes[0].length),
      starts: data.sizes.map(([all, window]) => windowStarts(all, window)),
    };"""
    sizes = [(100, 40), (750, 375), (30, 40), (1000, 38), (2250, 375)]
    sent = {"samples": samples.tolist(), "codes": codes.tolist(), "sizes": sizes}
    found = node(script, {**sent, "shades": about["shades"], "picture": about["picture"]})
    expected = {
        "wave": lanes.wave(samples),
        "codes": lanes.codes(codes, 75.0, colour_ranks(clf.codec.codebooks())),
        "events": lanes.events([("dog", 0.5, 1.0)]),
    }
    for name, lane in json.loads(json.dumps(expected)).items():
        assert found[name] == lane, name
    mel = lanes.mel(samples, 24_000)
    levels = [np.frombuffer(base64.b64decode(lane.pop("data")), np.uint8).astype(int) for lane in (mel, found["mel"])]
    assert np.abs(levels[0] - levels[1]).max() <= 1
    for lane in (mel, found["mel"]):
        lane["ticks"] = [[round(place, 6), text] for place, text in lane["ticks"]]
        lane["low"], lane["high"] = round(lane["low"], 3), round(lane["high"], 3)
    assert found["mel"] == mel
    assert found["silent"] == silent_frames(samples, 24_000, 75.0, codes.shape[1]).tolist()
    assert found["starts"] == [window_starts(*one) for one in sizes]


def test_heads_are_described_as_in_the_library(node):
    from audioformer.explain.attention import mean_distance, mean_entropy, rollout, shrink

    maps = torch.rand(3, 2, 53, 53, generator=torch.Generator().manual_seed(0)).softmax(-1)
    script = """
    import { rollout, shrunk, stats } from "./looking.js";
    const maps = data.map((layer) => layer.map((map) => Float32Array.from(map.flat())));
    const small = [...shrunk(maps[0][1], 53, 40)];
    const result = { rollout: rollout(maps, 53), small, stats: stats(maps[2][0], 53, 1) };"""
    found = node(script, maps.tolist())
    np.testing.assert_allclose(found["rollout"], (rollout(maps).mean(0)[1:-1] * 53).numpy(), atol=1e-5)
    np.testing.assert_allclose(found["small"], shrink(maps[0, 1, 1:-1, 1:-1], 40).flatten().numpy(), atol=1e-6)
    expected = [mean_distance(maps[2, 0]), mean_entropy(maps[2, 0]).exp(), maps[2, 0, 1:-1, [0, -1]].sum(-1).mean()]
    np.testing.assert_allclose(list(found["stats"].values()), expected, rtol=1e-4)


@pytest.mark.slow
def test_graphs_give_the_codes_sounds_and_logits_of_the_models(parts, clf):
    onnxruntime = pytest.importorskip("onnxruntime", reason='needs onnxruntime: pip install "audioformer[web]"')
    encoder, decoder, classifier = (
        onnxruntime.InferenceSession(parts[f"{name}.onnx"]) for name in ("encoder", "decoder", "classifier")
    )
    about = about_of(clf)
    codec, memory, n = clf.codec, about["codec"]["memory"], about["classifier"]["sizes"]
    shapes = {"heads": (n["blocks"], n["heads"]), "units": (n["blocks"], n["units"]), "blocks": (n["blocks"],)}
    gates = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    for path in (DOG, SEA):
        samples = sound(path)
        features, mel = (found[:, 1:-1].numpy() for found in codec.analyse(samples[None]))
        inputs = {"features": features, "log_mel": mel, "memory": np.zeros(memory, np.float32)}
        codes = encoder.run(["codes"], inputs)[0]
        # stretch by stretch with its memory, all frames but the outer two, which lack a neighbour
        features, mel = features[:, :200], mel[:, :200]
        remembered, pieces = inputs["memory"], []
        for first in (0, 64):
            piece = slice(first, first + 64 if first == 0 else None)
            found = encoder.run(None, {"features": features[:, piece], "log_mel": mel[:, piece], "memory": remembered})
            pieces.append(found[0])
            remembered = found[1]
        assert (np.concatenate(pieces, -1) == codes[..., :200]).mean() > 0.999
        real, imaginary = decoder.run(None, {"codes": codes, "rows": np.array([1.0] * 5 + [0.0] * 3, np.float32)})
        expected = codec.spectrum(codec.rvq.dequantise(torch.from_numpy(codes[:, :5])))
        np.testing.assert_allclose(real, expected.real.detach().numpy(), atol=1e-3 * np.abs(real).max())
        np.testing.assert_allclose(imaginary, expected.imag.detach().numpy(), atol=1e-3 * np.abs(real).max())
        tokens = wrap(torch.from_numpy(codes)).tokens
        with torch.no_grad():
            expected = clf.classifier(tokens)
        logits, vectors, attention, _ = classifier.run(None, {"tokens": tokens.numpy(), **gates})
        np.testing.assert_allclose(logits, expected.logits.numpy(), atol=1e-3)
        np.testing.assert_allclose(vectors, expected.embedding.numpy(), atol=1e-3)
        np.testing.assert_allclose(attention.sum(-1), 1.0, atol=1e-4)


@pytest.mark.slow
def test_the_page_computes_what_python_computes_whole_and_in_portions(models, clf):
    """The very script and WebAssembly of the page, in Node.js: codes, logits, and a stream in portions of any size."""
    script = """
    const result = [];
    for (const list of data) {
      const samples = Float32Array.from(list);
      const codes = await codec.encode(samples);
      const stream = new Stream(codec);
      let portions = stream.nothing();
      for (let at = 0, n = 1; at < samples.length; at += n, n = (n * 7 + 1900) % 15000) {
        portions = joined(portions, await stream.push(samples.subarray(at, at + n)));
      }
      portions = joined(portions, await stream.finish());
      const { logits, probabilities } = await classifier.classify(codes);
      const moments = await classifier.moments(codes);
      const same = JSON.stringify(codes) === JSON.stringify(portions);
      result.push({ codes, same, logits: [...logits], probabilities, moments });
    }"""
    from audioformer.explain.moments import moment_scores

    sounds = [sound(DOG), sound(SEA, 6.01)]
    found = models(script, [one.tolist() for one in sounds])
    for samples, page in zip(sounds, found, strict=True):
        codes = clf.codec.encode(samples, 24_000)[0]
        same = torch.tensor(page["codes"]) == codes
        assert same[0].all()
        assert same.float().mean() >= 0.999
        assert page["same"]
        codes = torch.tensor(page["codes"])
        expected = clf.classify_codes(codes)
        np.testing.assert_allclose(page["probabilities"], expected.probabilities.numpy(), atol=1e-4)
        np.testing.assert_allclose(page["moments"], moment_scores(clf, codes).numpy(), atol=1e-4)


def same_codes_and_logits(models, clf, paths: list[Path]) -> None:
    """The page writes the codes of the library, and its logits for the first window are those of the library.

    A frame of nothing but zeros is a tie between entries, which rounding decides.
    """
    hop = clf.codec.hop_length
    sounds = [sound(path) for path in paths]
    script = """
    const result = [];
    for (const name of data) {
      const samples = new Float32Array(new Uint8Array(fs.readFileSync(name)).buffer);
      const codes = await codec.encode(samples);
      result.push({ codes, logits: [...(await classifier.classify(codes)).logits] });
    }"""
    names = [f"{number}.f32" for number in range(len(sounds))]
    page = models(script, names, {name: one.numpy().tobytes() for name, one in zip(names, sounds, strict=True)})
    n_same = n_all = 0
    for path, samples, found in zip(paths, sounds, page, strict=True):
        codes, expected = torch.tensor(found["codes"]), clf.codec.encode(samples, 24_000)[0]
        padded = torch.nn.functional.pad(samples, (hop, 3 * hop))
        sounds_there = padded.unfold(0, 3 * hop, hop).abs().amax(1)[: codes.shape[1]] > 0
        assert (codes[0] == expected[0])[sounds_there].all(), path
        n_same, n_all = n_same + int((codes == expected).sum()), n_all + codes.numel()
        with torch.no_grad():
            logits = clf.classifier(wrap(codes[None, :, : clf.window]).tokens).logits[0]
        np.testing.assert_allclose(found["logits"], logits.numpy(), atol=1e-3, err_msg=str(path))
    assert n_same >= 0.999 * n_all


@pytest.mark.slow
def test_codes_and_logits_of_every_sample_are_those_of_the_library(models, clf):
    same_codes_and_logits(models, clf, [one.path for one in list_samples()])


@pytest.mark.slow
def test_codes_and_logits_of_real_recordings_are_those_of_the_library(models, clf, data_root):
    same_codes_and_logits(models, clf, sorted((data_root / "esc10" / "audio").iterdir())[::16][:20])


@pytest.mark.slow
def test_the_page_guesses_and_fills_as_the_library(models, clf):
    """A gap over the border of two windows, filled at once and in steps; rounding may turn single codes over."""
    from audioformer.explain.fill import fill_in_steps, guess
    from audioformer.start import load_pretrained

    model = load_pretrained(site.GUESSER)[0]
    codes = clf.codec.encode(sound(SEA, 6.0), 24_000)[0]
    hidden = torch.zeros_like(codes, dtype=torch.bool)
    hidden[:, 40:50] = hidden[:, 215:225] = True
    script = """
    import { Guesser, randomGap } from "./guesses.js";
    import { guessing } from "./graphs.js";
    const guesser = new Guesser(guessing(await open("guesser")), site.guesser);
    const places = await guesser.guess(data.codes, data.hidden, 5);
    const once = await guesser.fill(data.codes, data.hidden, 1);
    const steps = await guesser.fill(data.codes, data.hidden, 2);
    const gap = [...randomGap(8, 450, { ratio: 0.25, span: 5 }, true, Math.random)];
    const result = { places, once, steps, gap };"""
    page = models(script, {"codes": codes.tolist(), "hidden": hidden.flatten().int().tolist()})
    window = site._guesser(clf)[1]["window"]
    expected = guess(model, codes, hidden, 5, window)
    assert [[one["row"], one["frame"]] for one in page["places"]] == expected.places.tolist()
    np.testing.assert_allclose([one["log_p"] for one in page["places"]], expected.log_p, atol=1e-3)
    np.testing.assert_allclose([one["p"] for one in page["places"]], expected.top_p, atol=1e-3)
    assert np.mean(np.array([one["rank"] for one in page["places"]]) == expected.rank.numpy()) > 0.98
    for name, n_steps in (("once", 1), ("steps", 2)):
        filled, step_of = fill_in_steps(model, codes, hidden, n_steps, window)
        assert (torch.tensor(page[name]["codes"]) == filled).float().mean() > 0.995
        assert (torch.tensor(page[name]["steps"]) == step_of.flatten()).float().mean() > 0.995
    gap = np.array(page["gap"]).reshape(8, 450)
    assert (gap == gap[0]).all()
    assert gap[0].sum() == round(0.25 * 450)
    runs = np.diff(np.flatnonzero(np.diff(np.pad(gap[0], 1))))[::2]
    assert (runs >= 5).sum() >= len(runs) - 3  # whole runs but for the last one taken, and those at the edges


@pytest.mark.slow
def test_switches_in_the_page_do_what_those_of_the_library_do(models, clf):
    from audioformer.explain.switches import Off, in_turn, strongest_moments, switched, unit_activations

    codes = clf.codec.encode(torch.cat([sound(DOG), sound(SEA, 1.0)]), 24_000)[0]  # two windows
    off = {"rows": [1], "blocks": [2], "heads": [[0, 1]], "units": [[1, 5], [1, 6]], "forward": [3]}
    script = """
    import { Switching } from "./switching.js";
    const whole = await classifier.classify(data.codes);
    const clip = { codes: data.codes, verdict: whole, token: "clip-1" };
    const room = new Switching({ site, codec, classifier }, { clip });
    const now = (await room.switched(data.off).classify(data.codes)).probabilities;
    const turn = await room.turn({ label: 0, rows: [1] });
    const activity = (await room.activity(data.codes))[1].map((units) => [...units.slice(0, 20)]);
    const peaks = (await room.peaks()).map((clip) => clip(1, 5));
    const result = { now, turn, activity, peaks, units: (await room.units({ block: 1, label: 0 })).units };"""
    page = models(script, {"codes": codes.tolist(), "off": off})
    n_units = clf.classifier.config.d_ff
    units = [*map(tuple, off["units"]), *((3, unit) for unit in range(n_units))]
    less = switched(clf, Off().also(rows=[1], blocks=[2], heads=[(0, 1)], units=units))
    np.testing.assert_allclose(page["now"], less.classify_codes(codes).probabilities, atol=1e-4)
    expected = in_turn(clf, codes, 0, Off().also(rows=[1]))
    assert page["turn"]["probability"] == pytest.approx(expected.probability, abs=1e-4)
    for name, falls in page["turn"]["falls"].items():
        np.testing.assert_allclose(falls, getattr(expected, name), atol=1e-4, err_msg=name)
    active = unit_activations(clf, codes)[1]
    np.testing.assert_allclose(page["activity"], active[:, :20], atol=1e-3)
    weight = clf.classifier.backbone.encoders[0].blocks[1].contract.weight.detach()
    strongest = (active.abs().mean(0) * weight.norm(dim=0)).argmax()
    assert page["units"][0]["unit"] == int(strongest)
    coded = [torch.tensor(one["codes"]) for one in about_of(clf)["samples"]]
    best = strongest_moments(clf, coded, len(coded))
    expected = best.values[1, 5][best.clips[1, 5].argsort()]
    np.testing.assert_allclose([one["value"] for one in page["peaks"]], expected, atol=1e-3)


@pytest.mark.slow
def test_live_in_the_page_answers_as_the_listener_of_the_library(models, clf):
    """Portions of a recording, one of them sent twice, one lost: the view reads both answers, so they say the same."""
    from audioformer.live import LiveListener
    from audioformer.plots.codes import colour_ranks
    from audioformer.widgets.live import Line
    from audioformer_app.rooms.live import label_stretches

    bark = sound(DOG).numpy()
    pcm = (np.concatenate([bark, np.zeros(30_000, np.float32)]) * 32767).astype(np.int16)
    cuts = [(0, 40_000), (30_000, 60_000), (70_000, 100_000), (100_000, len(pcm))]
    portions = [
        {
            "take": "one",
            "rate": 24_000,
            "first": first,
            "pcm": base64.b64encode(pcm[first:end].tobytes()).decode(),
            "frames": 0,
            "columns": 0,
            "window_s": window_s,
        }
        for (first, end), window_s in zip(cuts, (None, 1, None, 1), strict=True)
    ]
    script = """
    import { Listening, stretches } from "./listening.js";
    import { unpacked } from "./lanes_data.js";
    import { MelPicture } from "./spectra.js";
    site.shades = unpacked(site.shades);
    const room = new Listening({ site, codec, classifier, picture: new MelPicture(site.picture) });
    const answers = [];
    for (const portion of data) answers.push(await room.push(portion));
    const frozen = (await room.freeze({ take: "one" })).view;
    const result = { answers, frozen, stretches: stretches(room.history) };"""
    page = models(script, portions)
    line, ranks = Line(LiveListener(clf)), colour_ranks(clf.codec.codebooks())
    for portion, found in zip(portions, page["answers"], strict=True):
        expected = line.take(portion, ranks)
        for both in (expected, found):  # times of the work, and pixels, which may be one shade off
            both.pop("work_ms")
            both["mel"].pop("data")
            both["mel"]["ticks"] = [[round(place, 5), text] for place, text in both["mel"]["ticks"]]
            both["codes"].pop("shades")
        expected["codes"].pop("latest")  # for the map of codes, which the page has not
        extra = {"to", "take", "answer"}  # what the app's own room adds
        labels = [(one["label"], one["p"]) for one in expected["heard"].pop("labels")]
        assert [label for label, _ in labels][0] == found["heard"]["labels"][0]["label"]
        for (_, p), one in zip(labels, found["heard"].pop("labels"), strict=True):
            assert one["p"] == pytest.approx(p, abs=1e-3)
        found["heard"].pop("answer")
        assert found["heard"].pop("level_db") == pytest.approx(expected["heard"].pop("level_db"), abs=0.1)
        assert {name: value for name, value in found.items() if name not in extra} == json.loads(json.dumps(expected))
    expected = [(label.replace("_", " "), start, end) for label, start, end in label_stretches(line.listener.history)]
    assert [(one["label"], one["start_s"], one["end_s"]) for one in page["stretches"]] == expected
    assert page["frozen"]["lanes"][-1]["labels"]


def test_another_package_is_refused(tmp_path):
    (tmp_path / "other.tgz").write_bytes(b"something else")
    with pytest.raises(AudioformerError, match="another hash"):
        runtime.runtime_files(tmp_path / "other.tgz")
    with pytest.raises(AudioformerError, match="cannot be read"):
        runtime.runtime_files(tmp_path / "missing.tgz")


def test_without_a_way_out_it_says_what_to_fetch(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("AUDIOFORMER_OFFLINE", "1")
    with pytest.raises(AudioformerError, match=rf"--runtime {runtime.PACKAGE}"):
        runtime.runtime_files()
    monkeypatch.delenv("AUDIOFORMER_OFFLINE")
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(AudioformerError, match="there is no npm"):
        runtime.runtime_files()


def test_a_checkpoint_of_another_method_is_refused():
    from audioformer_app.web import graphs

    with pytest.raises(AudioformerError, match="method audioformer"):
        graphs.classifier_graph(audioformer.load("encodecmae-esc10").classifier)


@pytest.mark.slow
@pytest.mark.browser
def test_the_one_file_works_from_a_disk_without_network(one_file, chromium_path, tmp_path):
    """By file://, in a folder of its own: it names a dropped dog bark, plays it and a filling, and listens."""
    assert one_file.stat().st_size < 45e6
    bark = load_audio(DOG, 48_000, mono=True).samples[0].numpy()
    soundfile.write(tmp_path / "bark.wav", bark, 48_000)
    outside: list[str] = []
    with chromium(chromium_path, np.tile(bark, 3), tmp_path) as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: outside.append(request.url))
        page.context.set_offline(True)
        page.goto(one_file.as_uri())
        page.wait_for_selector("body[data-clip=clip-1]")  # a sample, so that nothing is empty
        page.evaluate(
            """(base64) => {
              const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([bytes], "mine.wav"));
              document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
            }""",
            base64.b64encode((tmp_path / "bark.wav").read_bytes()).decode(),
        )
        page.wait_for_selector("body[data-clip=clip-2]")
        assert page.locator("#af-verdict .af-top").get_attribute("data-top") == "dog"
        assert "mine.wav" in page.locator("#af-verdict .af-meta").inner_text()
        page.locator("#af-view .af-kept", has_text="differs by").wait_for()  # the sound of the codes is there
        page.click("#af-view .af-play")
        page.locator("#af-view .af-play[aria-pressed=true]").wait_for()
        page.click("#af-tab-mask")
        page.locator("#af-mask .af-sum [data-surprise]").wait_for()
        page.click("#af-mask [data-sound=steps]")
        page.wait_for_selector("#af-mask .af-room[data-sound=steps]")
        assert "of the hidden codes are the true ones" in page.inner_text("#af-mask .af-status")
        page.wait_for_selector("#af-mask .af-room[data-step='8']")  # it was filled before one's eyes
        page.click("#af-mask .af-play")
        page.locator("#af-mask .af-play[aria-pressed=true]").wait_for()
        page.click("#af-tab-switches")
        page.locator("#af-switches .af-switch[data-kind=rows]").first.click()
        page.locator("#af-switches .af-room[data-off='1']").wait_for()
        page.click("#af-tab-attention")
        page.locator("#af-attention .af-room[data-moment]").wait_for()
        page.click("#af-tab-live")
        page.click("#af-live .af-listen-live")
        page.wait_for_selector("#af-live .af-live[data-answers]:not([data-answers='1'])")
        page.click("#af-live .af-listen-live")
        page.wait_for_selector("#af-live .af-room[data-frozen]")
        assert page.locator("#af-live .af-live").get_attribute("data-lost") == "0"
        page.locator("#af-live .af-device option").nth(1).wait_for(state="attached")  # there is a choice of microphones
        device = page.locator("#af-input .af-device")
        page.locator("#af-input .af-device option").nth(1).wait_for(state="attached")
        device.select_option(index=1)
        page.click("#af-input button:has-text('Record')")
        page.locator("#af-input button", has_text="Stop (2").wait_for()  # of 30 s at most
        page.click("#af-input button:has-text('Stop')")
        page.wait_for_selector("body[data-clip=clip-3]")
        assert "recording" in page.text_content("#af-verdict .af-meta")
    assert errors == []
    assert [url for url in outside if not url.startswith((one_file.as_uri(), "blob:", "data:"))] == []


@pytest.mark.slow
@pytest.mark.browser
def test_a_weak_browser_is_told_what_can_open_the_page(one_file, chromium_path):
    weak = {
        "delete globalThis.DecompressionStream": "too old for it. Any Chrome",
        "WebAssembly.validate = () => false": "no WebAssembly with SIMD). Any Chrome",
    }
    with chromium(chromium_path) as browser:
        for script, sentence in weak.items():
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.add_init_script(script)
            page.goto(one_file.as_uri())
            page.locator("#af-loading", has_text=sentence).wait_for()
            page.close()
        hides = "Object.defineProperty(Navigator.prototype, 'mediaDevices', { get: () => undefined })"
        # a computer without a microphone, and a browser that gives none to a page from a disk
        silent = {"": "There is no microphone here", hides: "opened from a disk: open it in Chrome"}
        for script, sentence in silent.items():
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.add_init_script(script)
            page.goto(one_file.as_uri())
            page.wait_for_selector("body[data-clip]")
            page.click("#af-input button:has-text('Record')")
            page.locator("#af-input [role=status]", has_text=sentence).wait_for()
            page.click("#af-tab-live")
            page.click("#af-live .af-listen-live")
            page.locator("#af-live", has_text=sentence).wait_for()
            page.close()


class Quiet(SimpleHTTPRequestHandler):
    """A web host that serves a folder, and says nothing."""

    def log_message(self, *_):
        """Nothing."""


@pytest.mark.slow
@pytest.mark.browser
def test_a_served_folder_opens_again_when_its_host_is_gone(parts, chromium_path, tmp_path):
    """The service worker keeps all that the page needs; nobody else is ever asked for anything."""
    site.write_folder(tmp_path / "page", parts)
    host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "page"))
    threading.Thread(target=host.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{host.server_port}/"
    asked: list[str] = []
    with chromium(chromium_path) as browser:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-clip=clip-1]")
        page.wait_for_selector("body[data-kept=yes]")
        page.close()
        host.shutdown()
        host.server_close()
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-clip]")
        page.locator("#af-input input[type=file]").set_input_files(DOG)
        page.locator("#af-verdict .af-meta", has_text=DOG.name).wait_for(state="attached")
        assert page.locator("#af-verdict .af-top").get_attribute("data-top") == "dog"
        page.click("#af-tab-mask")  # whose model is fetched when it is asked for
        page.locator("#af-mask .af-sum [data-surprise]").wait_for()
    assert [url for url in asked if not url.startswith((address, f"blob:{address}", "data:"))] == []
    assert len(asked) > 40


PROBE = """<script type="module">
const over = () => globalThis.audioformerPage || document.querySelector("#af-loading[role=alert]");
while (!over()) await new Promise((resolve) => setTimeout(resolve, 100));
let found = { failed: document.querySelector("#af-loading")?.textContent };
if (globalThis.audioformerPage) {
  found = [];
  for (const name of {names}) {
    const samples = new Float32Array(await (await fetch(name)).arrayBuffer());
    const { codes, logits } = await audioformerPage.engine.ask("listen", "open", { samples, name });
    found.push({ codes, logits });
  }
}
await fetch("found", { method: "POST", body: JSON.stringify(found) });
</script>"""


@pytest.mark.slow
@pytest.mark.browser
def test_firefox_gives_the_codes_and_logits_of_the_library(parts, clf, tmp_path):
    """No driver is needed: the served page itself says what it found."""
    firefox = shutil.which("firefox-esr") or shutil.which("firefox")
    if firefox is None:
        pytest.skip("needs Firefox, for instance: apt-get install firefox-esr")
    site.write_folder(tmp_path / "page", parts)
    answers: queue.Queue = queue.Queue()

    class Host(Quiet):
        def do_POST(self):
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    def in_firefox(_script, names, sounds):
        for name, content in sounds.items():
            (tmp_path / "page" / name).write_bytes(content)
        index = tmp_path / "page" / "index.html"
        probe = PROBE.replace("{names}", json.dumps(names))
        index.write_text(index.read_text("utf-8").replace("</body>", f"{probe}</body>"), "utf-8")
        host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=tmp_path / "page"))
        threading.Thread(target=host.serve_forever, daemon=True).start()
        (tmp_path / "profile").mkdir()
        address = f"http://127.0.0.1:{host.server_port}/"
        arguments = [firefox, "--headless", "--no-remote", "--profile", tmp_path / "profile", address]
        with open(tmp_path / "log", "wb") as log:
            browser = subprocess.Popen(arguments, stdout=log, stderr=log, env={**os.environ, "HOME": str(tmp_path)})
        try:
            return answers.get(timeout=PATIENCE_MS / 1000)
        finally:
            browser.terminate()
            browser.wait(30)
            host.shutdown()
            host.server_close()

    same_codes_and_logits(in_firefox, clf, [one.path for one in list_samples()][::8])
