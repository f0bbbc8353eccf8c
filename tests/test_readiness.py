"""`audioformer check`: what it finds on this machine, what it says where something is missing, and its exit status."""

import json
import shutil
import socket
import sys
from importlib import metadata

import pytest

from audioformer import files
from audioformer.checkpoint import bundled_names
from audioformer.cli import check, main
from audioformer.install import readiness
from audioformer.install.readiness import NOTE, OK, WRONG, Finding


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_it_checks_everything_and_names_what_keeps_it_from_running(capsys, taken_port):
    """The one thing wrong here is the port; all else is what a set-up machine has."""
    assert main(["check", "--json", "--port", str(taken_port)]) == 2
    document = json.loads(capsys.readouterr().out)
    found = {finding["name"]: finding for finding in document["checks"]}
    assert document["ready"] is False
    assert [name for name, finding in found.items() if finding["state"] == WRONG] == ["port"]
    assert found["port"]["advice"].startswith("stop it, or start this one with")
    assert f"numpy {metadata.version('numpy')}" in found["packages"]["found"]
    assert all(f"{name} " in found["models"]["found"] for name in bundled_names())
    assert found["samples"]["found"].startswith("40 clips")
    assert found["offline"]["state"] == OK
    assert set(found) >= {"python", "sound output", "microphone", "speed", "notebooks", "recordings", "disk"}


def test_people_read_a_line_each(capsys, monkeypatch):
    quick = [Finding("port", OK, "7860 is free"), Finding("microphone", NOTE, "no devices", "plug one in")]
    monkeypatch.setattr(check, "examine", lambda _port: iter(quick))
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok    port        7860 is free",
        "note  microphone  no devices",
        "                  -> plug one in",
        "Ready.",
    ]
    broken = [Finding("samples", WRONG, "none", "install audioformer again")]
    monkeypatch.setattr(check, "examine", lambda _port: iter(broken))
    assert main(["check"]) == 2
    assert "FIX   samples  none" in capsys.readouterr().out


def test_an_impossible_port_is_a_mistake(capsys):
    assert main(["check", "--port", "70000"]) == 2
    assert "from 1 to 65535" in capsys.readouterr().err


def test_a_check_that_fails_is_a_finding_and_the_rest_goes_on(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "PACKAGE", tmp_path / "empty" / "audioformer")
    for name in ("check_models", "check_speed"):
        monkeypatch.setattr(readiness, name, lambda: (OK, "x"))
    states = {finding.name: finding.state for finding in readiness.examine()}
    assert (states["samples"], states["notebooks"]) == (WRONG, WRONG)
    assert states["disk"] in (OK, NOTE)


def test_packages_that_are_missing_or_too_old_are_named(monkeypatch):
    extras = ["gradio>=6 ; extra == 'app'", "neither-here ; extra == 'train'"]
    needs = ["torch>=2.6", "numpy>=99", "nowhere-to-be-found", *extras]
    monkeypatch.setattr(readiness.metadata, "requires", lambda _name: needs)
    base, app, train = (readiness.check_packages(extra) for extra in (None, "app", "train"))
    assert base[0] == WRONG
    assert f"numpy {metadata.version('numpy')} does not fit >=99" in base[1]
    assert "nowhere-to-be-found is missing" in base[1]
    assert base[2] == 'pip install "audioformer"'
    assert app == (OK, f"gradio {metadata.version('gradio')}")
    assert train == (NOTE, "missing: neither-here", 'for training: pip install "audioformer[train]"')


def test_a_connection_while_the_model_works_is_told():
    """Both ways: the hook notes what reaches elsewhere, and nothing that stays here."""
    readiness._watch_connections()
    with socket.socket() as probe:
        probe.connect_ex(("127.0.0.1", 9))
    assert readiness.check_offline()[0] == OK
    sys.audit("socket.getaddrinfo", "elsewhere.example", 80, 0, 0, 0)
    assert readiness.check_offline()[:2] == (WRONG, "something asked for elsewhere.example")
    readiness._watch_connections()


def test_recordings_that_are_named_must_exist(monkeypatch, tmp_path):
    monkeypatch.delenv("AUDIOFORMER_DATA", raising=False)
    assert readiness.check_recordings()[0] == OK
    (tmp_path / "esc10").mkdir()
    monkeypatch.setenv("AUDIOFORMER_DATA", str(tmp_path))
    assert readiness.check_recordings() == (OK, "AUDIOFORMER_DATA: esc10")
    monkeypatch.setenv("AUDIOFORMER_DATA", str(tmp_path / "no"))
    assert readiness.check_recordings()[0] == WRONG


@pytest.mark.parametrize(("free", "state"), [(5e9, OK), (5e8, NOTE), (5e7, WRONG)])
def test_a_full_disk_is_told(monkeypatch, free, state):
    usage = shutil.disk_usage("/")._replace(free=int(free))
    monkeypatch.setattr(readiness.shutil, "disk_usage", lambda _folder: usage)
    assert readiness.check_disk()[0] == state


@pytest.mark.parametrize(("counts", "state"), [((0, 0), NOTE), ((2, 1), OK), ((None, None), NOTE)])
def test_sound_devices_are_counted_where_that_can_be_done(monkeypatch, counts, state):
    monkeypatch.setattr(readiness, "sound_devices", lambda: counts)
    assert [readiness.check_output()[0], readiness.check_microphone()[0]] == [state, state]
    assert "https" in readiness.check_microphone()[2]


def test_linux_and_macos_lists_of_devices_are_read():
    listing = "00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1\n00-03: HDMI 0 : HDMI 0 : playback 1\n"
    assert readiness.count_alsa(listing) == (2, 1)
    assert readiness.count_alsa("") == (0, 0)
    cards = [{"_name": "Speakers", "coreaudio_device_output": 2}, {"_name": "Mic", "coreaudio_device_input": 1}]
    assert readiness.count_profile(json.dumps({"SPAudioDataType": [{"_items": cards}]})) == (1, 1)
    assert readiness.count_profile("no JSON") == (None, None)
