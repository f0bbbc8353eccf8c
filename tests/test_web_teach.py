"""Teach on the page without a server: its last layer is the library's, and its checkpoint is an ordinary one."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile

import numpy as np
import pytest
import soundfile
import torch
from app_page import chromium

import audioformer
from audioformer.audio import Waveform
from audioformer.cli import main
from audioformer.data.corpus import Item
from audioformer.evaluation.embedding_map import Space, project, purity
from audioformer.evaluation.frozen_head import FrozenHead, quick
from audioformer.optim import BETAS, LOWEST_RATE
from audioformer.start import load_start
from audioformer.train import train

N_CLASSES, N = 3, 14
PATIENCE_MS = 240_000  # a machine that does much else at the same time


def test_the_last_layer_learns_as_in_the_library(node):
    """The same vectors, the same fresh weights: the same layer after all steps."""
    codes = torch.zeros(8, 8, dtype=torch.int64)
    items = [Item(str(n), codes, (n % N_CLASSES,), (1.0,), None, None, "", 0, (), 0.1, 0) for n in range(N)]
    names = [f"class {c}" for c in range(N_CLASSES)]
    task = FrozenHead(quick("probe", N), load_start("esc10"), items, names, audioformer.load("esc10").about["codec"])
    rng = np.random.default_rng(0)
    task.vectors = torch.from_numpy(rng.normal(2, 3, (N, 192)) + np.arange(N)[:, None] % N_CLASSES).float()
    task.mean = task.vectors.mean(0)
    task.scale = task.vectors.std(0, correction=0).square().mean().sqrt().expand_as(task.mean)
    script = """
    import { LastLayer, plane, purity } from "./last_layer.js";
    const start = data.weight.map((row) => Float64Array.from(row));
    const made = (weight) => new LastLayer(data.vectors, data.targets, data.n, data.recipe, data, weight);
    const layer = made(start);
    while (!layer.done) layer.next();
    const { weight, bias } = layer.folded();
    const rows = (matrix) => matrix.map((row) => [...row]);
    const seen = { points: plane(data.vectors), purity: purity(data.vectors, data.targets.map(String)) };
    const learnt = { weight: rows(weight), bias: [...bias], curve: layer.curve, bounds: layer.bounds };
    const result = { ...seen, ...learnt, fresh: rows(made(null).layer.weight).flat() };"""
    sent = {
        "vectors": task.vectors.tolist(),
        "targets": [n % N_CLASSES for n in range(N)],
        "n": N_CLASSES,
        "recipe": task.config.to_dict(),
        "betas": BETAS,
        "lowest": LOWEST_RATE,
        "weight": task.classifier.head.weight.tolist(),
    }
    found = node(script, sent)
    losses = [record.losses["mlc"] for record in train(task, task.config.train)]
    folded = task.folded()
    np.testing.assert_allclose(found["curve"], losses, atol=2e-4)
    np.testing.assert_allclose(found["weight"], folded["classifier.head.weight"].numpy(), atol=1e-4)
    np.testing.assert_allclose(found["bias"], folded["classifier.head.bias"].numpy(), atol=1e-3)
    assert found["bounds"]["chance"] == pytest.approx(np.log(N_CLASSES))
    assert np.std(found["fresh"]) == pytest.approx(0.02, rel=0.1)
    expected = project(task.vectors, "pca")[0]
    turned = np.sign((expected * found["points"]).sum(0))
    np.testing.assert_allclose(np.array(found["points"]) * turned, expected, atol=0.01)
    share, blind, counted = purity(Space.of(task.vectors).neighbours(1), [str(n % N_CLASSES) for n in range(N)])
    assert found["purity"] == {"purity": pytest.approx(share), "blind": pytest.approx(blind), "counted": counted}


def test_numbers_of_16_bits_are_those_of_numpy(node):
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=500) * 10.0 ** rng.integers(-9, 6, 500), [0.0, -0.0, 65504, 7e4, 1 / 3]])
    values = np.concatenate([values, np.arange(2049, 2060)]).astype(np.float32)  # halves between two of them
    script = """
    import { fromHalf, toHalf } from "./checkpoint.js";
    const result = { halves: data.map(toHalf), back: data.map((value) => String(fromHalf(toHalf(value)))) };"""
    found = node(script, values.tolist())
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    assert found["halves"] == halves.view(np.uint16).tolist()
    np.testing.assert_array_equal(np.array(found["back"], float), halves.astype(float))


TEACHING = """
import { Teaching } from "./teaching.js";
const bytes = (name) => new Uint8Array(fs.readFileSync(name));
const kit = { site, codec, classifier };
const fresh = () => new Teaching(kit, {}, { graph: bytes("classifier.onnx"), rest: bytes("weights.bin") });
const samples = (name) => new Float32Array(bytes(name).buffer);
"""


def tone(hz: float, seconds: float = 1.2) -> np.ndarray:
    times_s = np.arange(round(24_000 * seconds)) / 24_000
    return (0.3 * np.sin(2 * np.pi * hz * times_s) * (1 + 0.3 * np.sin(40 * times_s))).astype(np.float32)


@pytest.mark.slow
def test_a_lesson_of_the_page_is_a_checkpoint_that_the_library_classifies_with(models, tmp_path, capsys):
    """Six tones are learnt, the newest of each class held back; the zip file unpacked classifies as the page does."""
    sounds = {
        f"{name}{i}.f32": tone(hz * (1 + 0.03 * i)) for name, hz in (("low", 220), ("high", 1800)) for i in range(3)
    }
    sounds["new.f32"] = tone(235, 7)  # two windows
    script = (
        TEACHING
        + """
    const room = fresh();
    const hello = room.hello();
    const cut = (await room.add({ samples: samples("new.f32"), name: "long", piece_s: 2 })).added;
    room.forget({ ids: cut.map(({ id }) => id) });
    const silent = await room.add({ samples: new Float32Array(2400), name: "nothing" }).catch(({ message }) => message);
    const classes = [];
    for (const name of ["low", "high"]) {
      const ids = [];
      for (let i = 0; i < 3; i++) ids.push((await room.add({ samples: samples(`${name}${i}.f32`), name })).id);
      classes.push({ name: `${name} tone, é`, ids });
    }
    const stages = [];
    let answer = await room.train({ classes });
    for (; answer.more; answer = await room.more()) stages.push(answer.stage);
    const zip = Buffer.from(await answer.model.arrayBuffer()).toString("base64");
    const codes = await codec.encode(samples("new.f32"));
    const own = await kit.classifier.classify(codes);
    room.listens({ name: "esc10" });
    const before = kit.classifier.labels;
    const again = fresh();
    const opened = await again.open({ file: answer.model });
    const reopened = await kit.classifier.classify(codes);
    const other = await again.open({ file: new Blob([new Uint8Array(30)]) }).catch(({ message }) => message);
    for (const example of room.examples.values()) example.vectors = undefined;
    await room.train({ classes });
    room.stop();
    const stopped = await room.more().catch(({ message }) => message);
    const shares = { own: own.probabilities, reopened: reopened.probabilities };
    const said = { hello, cut, silent, stages, answer: { ...answer, model: null } };
    const result = { ...said, zip, opened, before, other, stopped, ...shares };"""
    )
    page = models(script, None, {name: one.tobytes() for name, one in sounds.items()})
    assert page["hello"]["starts"] == ["esc10"]
    assert page["hello"]["limits"]["methods"] == ["probe"]
    assert [one["duration_s"] for one in page["cut"]] == [2, 2, 2, 1]
    assert page["cut"][0]["note"] == "cut into 4 pieces"
    assert page["silent"] == "nothing: is silent; is the right microphone chosen?"
    assert sorted(set(page["stages"])) == ["check", "learn", "listen"]
    answer = page["answer"]
    assert answer["curve"][-1] < 0.5 * answer["chance"]
    assert [answer["labels"][i] == answer["predictions"][i] for i, _ in answer["held"]] == [True, True]
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(page["zip"]))) as archive:
        archive.extractall(tmp_path)
    soundfile.write(tmp_path / "new.wav", sounds["new.f32"], 24_000, "FLOAT")
    assert main(["classify", str(tmp_path / "new.wav"), "--checkpoint", str(tmp_path / "taught"), "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert said["labels"][0]["label"] == "low tone, é"
    clf = audioformer.load(tmp_path / "taught")
    found = clf.classify(Waveform(torch.from_numpy(sounds["new.f32"])[None], 24_000))
    by_name = dict(zip(found.labels, found.probabilities, strict=True))
    np.testing.assert_allclose([by_name[name] for name in clf.label_names], page["own"], atol=2e-3)
    assert page["reopened"] == pytest.approx(page["own"], abs=1e-6)
    assert page["before"] == audioformer.load("esc10").label_names
    assert "holds no classifier" in page["other"]
    assert page["stopped"] == "Stopped before anything was learnt."
    card = (tmp_path / "taught" / "README.md").read_text(encoding="utf-8")
    assert "Classes (2): low tone, é, high tone, é." in card
    assert "Trained on 4 coded clips for 120 steps." in card
    assert "{{" not in card + (tmp_path / "taught" / "config.json").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.browser
def test_somebody_teaches_the_page_two_tones(one_file, chromium_path, tmp_path, capsys):
    """From a disk: taught, asked, downloaded, kept over a reload; what is downloaded classifies on the command line."""
    for name, hz in (("low", 220), ("high", 1800)):
        for i in range(3):
            soundfile.write(tmp_path / f"{name}{i}.wav", tone(hz * (1 + 0.03 * i)), 24_000)
    soundfile.write(tmp_path / "new.wav", tone(235), 24_000)
    with chromium(chromium_path) as browser:
        page = browser.new_page(accept_downloads=True)
        page.set_default_timeout(PATIENCE_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(one_file.as_uri())
        page.wait_for_selector("body[data-clip=clip-1]")
        page.click("#af-tab-teach")
        page.locator("#af-teach .af-start option").first.wait_for(state="attached")
        assert page.locator("#af-teach .af-method option").all_inner_texts() == ["the last layer (seconds)"]
        assert "Nothing leaves this computer" in page.inner_html("#af-room-teach .af-help")
        for i, name in enumerate(("low", "high")):
            page.locator("#af-teach .af-class-name").nth(i).fill(name)
            files = [tmp_path / f"{name}{n}.wav" for n in range(3)]
            page.locator("#af-teach .af-pupil .af-files").nth(i).set_input_files(files)
        page.wait_for_selector("#af-teach .af-room[data-examples='6']")
        page.click("#af-teach .af-teach:not([disabled])")
        page.wait_for_selector("#af-teach .af-room[data-taught^=blob]")
        assert page.locator("#af-teach .af-held-list .af-right").count() == 2
        page.wait_for_selector("body[data-clip=clip-2]")  # the sound of the page is named anew
        assert "checkpoint yours" in page.text_content("#af-verdict")
        with page.expect_download() as coming:
            page.click("#af-teach .af-download")
        coming.value.save_as(tmp_path / "taught.zip")
        page.locator("#af-input input[type=file]").set_input_files(tmp_path / "new.wav")
        page.wait_for_selector("body[data-clip=clip-3]")
        assert page.locator("#af-verdict .af-top").get_attribute("data-top") == "low"
        page.click("#af-tab-attention")  # the other rooms ask the same classifier
        page.locator("#af-attention .af-room[data-moment]").wait_for()
        page.select_option("#af-who select", "esc10")
        page.wait_for_selector("body[data-clip=clip-4]")
        assert "checkpoint esc10" in page.text_content("#af-verdict")
        until = time.monotonic() + PATIENCE_MS / 1000
        while not page.evaluate(KEPT) and time.monotonic() < until:
            page.wait_for_timeout(100)
        page.on("dialog", lambda dialog: dialog.accept())
        page.reload()
        page.locator("#af-verdict .af-meta", has_text="checkpoint yours").wait_for(
            state="attached"
        )  # it is back, and listens
        assert page.get_attribute("#af-teach .af-room", "data-examples") == "6"
    assert errors == []
    with zipfile.ZipFile(tmp_path / "taught.zip") as archive:
        archive.extractall(tmp_path)
    assert main(["classify", str(tmp_path / "new.wav"), "--checkpoint", str(tmp_path / "taught"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["labels"][0]["label"] == "low"


KEPT = """async () => {
  const open = indexedDB.open("audioformer", 1);
  const database = await new Promise((resolve) => (open.onsuccess = () => resolve(open.result)));
  const asked = database.transaction("teach").objectStore("teach").get("project");
  const project = await new Promise((resolve) => (asked.onsuccess = () => resolve(asked.result)));
  database.close();
  return Boolean(project?.model);
}"""
