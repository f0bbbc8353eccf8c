"""The room Files: a recording with known sounds at known times becomes a table, is reviewed, and is taken away."""

import csv
import io
import zipfile

import numpy as np
import pytest
import soundfile
from app_page import Tab, small_app

from audioformer.cli import main
from audioformer.data.datasets import open_dataset

FILES, TEACH = ".af-room[data-room=files]", ".af-room[data-room=teach]"
LOW, HIGH = 0.05, 0.8  # radians a sample


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with small_app(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """40 s: low tones in every second, high tones at 7 s and 33 s, silence at 12 s; longer than one stretch."""
    times, sound = np.arange(24_000), []
    for second in range(40):
        speed = HIGH if second in (7, 33) else LOW
        sound.append((0.0 if second == 12 else 0.4) * np.sin(times * speed))
    path = tmp_path_factory.mktemp("recording") / "morning.wav"
    soundfile.write(path, np.concatenate(sound), 24_000)
    return path


def rows(page):
    script = f"""Array.from(document.querySelectorAll('{FILES} tbody tr'),
        (row) => Array.from(row.children, (cell) => cell.innerText))"""
    return page.evaluate(script)


def test_a_recording_becomes_a_table_that_is_reviewed_and_taken_away(browser, address, recording, tmp_path):
    tab = Tab(browser, address, accept_downloads=True)
    page = tab.page
    page.click("[data-tab-id=files]")
    page.select_option(f"{FILES} .af-moment", "1")
    (tmp_path / "notes.txt").write_text("no sound")
    page.set_input_files(f"{FILES} .af-of-files", [recording, tmp_path / "notes.txt"])
    page.wait_for_selector(f"{FILES}[data-moments='40'][data-waiting='0']")
    assert "1 files are no sounds" in tab.text(f"{FILES} .af-reading")
    told = rows(page)
    shares = [int(row[4].removesuffix(" %")) for row in told[:-1]]
    assert len(told) == 40
    assert shares == sorted(shares, reverse=True)
    assert told[-1][2:5] == ["0:12.0", "silence", "–"]  # what is silent has no label

    page.select_option(f"{FILES} .af-sort", "time")
    assert [row[2] for row in rows(page)][31:34] == ["0:31.0", "0:32.0", "0:33.0"]
    page.click(f"{FILES} [data-place='7'] >> text=like this")
    assert [row[2] for row in rows(page)[:2]] == ["0:07.0", "0:33.0"]  # the other high tone, of 39 moments
    page.select_option(f"{FILES} .af-sort", "unsure")
    assert [int(row[4].removesuffix(" %")) for row in rows(page)[:-1]] == sorted(shares)

    page.click(f"{FILES} [data-place='7'] >> text=▶")
    page.wait_for_selector(f"{FILES}[data-heard='7']")
    for place, name in (("7", "high tone"), ("33", "high tone"), ("0", "low tone"), ("1", "low tone")):
        page.click(f"{FILES} [data-place='{place}'] >> text=no")
        page.fill(f"{FILES} [data-place='{place}'] .af-truth", name)
        page.keyboard.press("Tab")
    page.focus(f"{FILES} [data-place='20']")
    page.keyboard.press("y")
    page.wait_for_selector(f"{FILES}[data-reviewed='5']")
    page.click(f"{FILES} .af-undo")
    page.wait_for_selector(f"{FILES}[data-reviewed='4']")
    page.wait_for_selector(f"{FILES}[data-kept='4']")
    page.reload()  # and nothing is lost
    page.click("[data-tab-id=files]")
    page.wait_for_selector(f"{FILES}[data-moments='40'][data-reviewed='4']")
    assert "40 moments of an earlier visit" in tab.text(f"{FILES} .af-reading")
    page.select_option(f"{FILES} .af-only-review", "done")
    assert {row[3] for row in rows(page)} <= {"dog", "cat", "rain"}
    assert len(rows(page)) == 4
    with page.expect_download() as saved:
        page.click(f"{FILES} .af-take-table")
    table = list(csv.DictReader(io.StringIO(saved.value.path().read_text())))
    assert {(row["start_s"], row["review"], row["truth"]) for row in table} >= {("7", "no", "high tone")}
    with page.expect_download() as saved:
        page.click(f"{FILES} .af-take-set")
    with zipfile.ZipFile(saved.value.path()) as archive:
        archive.extractall(tmp_path / "reviewed")
    dataset = open_dataset("folder", tmp_path / "reviewed")
    assert sorted(clip.labels[0] for clip in dataset.clips) == ["high tone"] * 2 + ["low tone"] * 2
    assert {clip.group for clip in dataset.clips} == {"morning.wav"}
    parts = ["prepare", str(tmp_path / "reviewed"), "-o", str(tmp_path / "corpus"), "--dataset", "folder"]
    assert main(parts) == 0

    page.click(f"{FILES} .af-train-again")
    page.wait_for_selector(f"{TEACH}[data-examples='4']")
    script = f"Array.from(document.querySelectorAll('{TEACH} .af-class-name'), (one) => one.value).sort()"
    assert page.evaluate(script) == ["high tone", "low tone"]
    page.go_back()  # each room is an entry of the browser's history
    page.wait_for_selector(FILES)
    page.once("dialog", lambda dialog: dialog.accept())
    page.click(f"{FILES} .af-anew")
    page.wait_for_selector(f"{FILES}[data-moments='0']")
    tab.complaints = [text for text in tab.complaints if "ERR_ABORTED" not in text]
    tab.close()


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(browser, address, recording, tmp_path):
    tab = Tab(browser, address)
    page = tab.page
    page.click("[data-tab-id=files]")
    (tmp_path / "broken.wav").write_bytes(b"RIFF this is not a sound")
    page.set_input_files(f"{FILES} .af-of-files", [tmp_path / "broken.wav", recording])
    page.wait_for_selector(f"{FILES}[data-moments='8'][data-waiting='0']")  # of 5 s each
    assert "broken.wav: not a readable sound" in tab.text(f"{FILES} .af-reading").replace(
        "broken.wav: broken", "broken"
    )
    tab.close()
