"""Checkpoints of EnCodec: where they are looked for, what is refused, and that nothing in them is executed."""

from __future__ import annotations

import http.server
import os
import pickle
import socket
import threading

import pytest
import torch
from encodec_files import publish

from audioformer.codecs import encodec_files
from audioformer.codecs.encodec import load_encodec
from audioformer.codecs.encodec_files import RELEASES, cache_folder, find_weights, read_weights
from audioformer.errors import AudioformerError

NAME = "encodec_24khz"
STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3)}


@pytest.mark.parametrize(("name", "digits"), [("encodec_24khz", "d7cc33bc"), ("encodec_48khz", "7e698e3e")])
def test_the_releases_are_the_published_ones(name, digits):
    release = RELEASES[name]
    assert release.sha256_prefix == digits
    assert release.url == f"https://dl.fbaipublicfiles.com/encodec/v0/{name}-{digits}.th"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    """An empty hub cache, no switches of the machine the tests run on, and the published releases again afterwards."""
    original = dict(RELEASES)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch home"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for variable in (encodec_files.FOLDER_VARIABLE, *encodec_files.OFFLINE_VARIABLES):
        monkeypatch.delenv(variable, raising=False)
    yield
    RELEASES.update(original)


@pytest.fixture
def no_server(monkeypatch):
    """The release's address leads nowhere: a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        monkeypatch.setattr(encodec_files.Release, "url", f"http://127.0.0.1:{listener.getsockname()[1]}/x.th")
        yield


def in_cache(state: object) -> None:
    cache_folder().mkdir(parents=True)
    publish(state, NAME, cache_folder())


def test_a_file_a_folder_the_variable_and_the_cache_are_looked_at_in_this_order(tmp_path, monkeypatch):
    in_cache(STATE)
    release, cached = RELEASES[NAME], cache_folder() / RELEASES[NAME].filename
    assert find_weights(release) == cached
    for folder in ("named", "variable"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / release.filename).write_bytes(cached.read_bytes())
    monkeypatch.setenv("AUDIOFORMER_WEIGHTS", str(tmp_path / "variable"))
    assert find_weights(release) == tmp_path / "variable" / release.filename
    assert find_weights(release, tmp_path / "named") == tmp_path / "named" / release.filename
    renamed = cached.rename(tmp_path / "mine.th")
    assert find_weights(release, str(renamed)) == renamed
    assert torch.equal(read_weights(release, renamed)["layer.weight"], STATE["layer.weight"])


def test_a_named_place_without_the_file_is_an_error_not_a_download(tmp_path):
    expected = f"{RELEASES[NAME].filename}: no such file; download https://.* and put it into {tmp_path}"
    with pytest.raises(AudioformerError, match=expected):
        load_encodec(NAME, weights=tmp_path)
    with pytest.raises(AudioformerError, match="typo.th: no such file"):
        load_encodec(NAME, weights=tmp_path / "typo.th")


@pytest.mark.parametrize("variable", ["AUDIOFORMER_OFFLINE", "HF_HUB_OFFLINE"])
def test_told_to_stay_offline_it_says_which_file_to_put_where(variable, monkeypatch):
    monkeypatch.setenv(variable, "1")
    expected = f"encodec_24khz-d7cc33bc.th: not on this machine, and {variable} forbids downloads; download https://"
    with pytest.raises(AudioformerError, match=f"{expected}.* and put it into {cache_folder()}"):
        load_encodec(NAME)


@pytest.mark.usefixtures("no_server")
def test_without_a_network_it_says_which_file_to_put_where():
    with pytest.raises(AudioformerError, match=f"download failed .* put it into {cache_folder()}"):
        load_encodec(NAME)
    assert os.listdir(cache_folder()) == []


def test_the_hash_is_checked_in_the_cache_too():
    in_cache(STATE)
    release, path = RELEASES[NAME], cache_folder() / RELEASES[NAME].filename
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(AudioformerError, match=f"SHA-256 starts with .*, expected {release.sha256_prefix}: damaged"):
        load_encodec(NAME)


def test_half_a_file_is_refused_by_its_hash_and_also_with_a_hash_that_fits(tmp_path):
    path = publish(STATE, NAME, tmp_path)
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    with pytest.raises(AudioformerError, match="expected .*: damaged or another model"):
        read_weights(RELEASES[NAME], path)
    publish_bytes(half, tmp_path)
    with pytest.raises(AudioformerError, match="not a checkpoint of tensors only"):
        load_encodec(NAME, weights=tmp_path)


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [True, False], ids=["bare pickle", "zip"])
def test_code_in_a_file_is_never_run(tmp_path, legacy):
    harm = tmp_path / "harm"
    if legacy:
        publish_bytes(pickle.dumps(Trap(harm), protocol=2), tmp_path)
    else:
        publish({"layer.weight": Trap(harm)}, NAME, tmp_path)
    with pytest.raises(AudioformerError, match="not a checkpoint of tensors only"):
        load_encodec(NAME, weights=tmp_path)
    assert not harm.exists()
    os.mkdir(harm)  # the trap itself works
    assert harm.exists()


@pytest.mark.parametrize("state", [[torch.zeros(2)], {"epoch": 3}, torch.zeros(2)], ids=["list", "number", "tensor"])
def test_only_named_tensors_are_accepted(tmp_path, state):
    publish(state, NAME, tmp_path)
    with pytest.raises(AudioformerError, match="holds more than named tensors"):
        load_encodec(NAME, weights=tmp_path)


def test_tensors_of_another_model_are_refused(tmp_path):
    path = publish(STATE, NAME, tmp_path)
    with pytest.raises(AudioformerError, match=f"{path}: its tensors do not fit encodec_24khz; get encodec_24khz-"):
        load_encodec(NAME, weights=tmp_path)


def test_a_checkpoint_saved_on_a_gpu_loads_on_the_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
    path = publish(STATE, NAME, tmp_path)
    monkeypatch.undo()
    assert b"cuda:0" in path.read_bytes()
    state = read_weights(RELEASES[NAME], path)
    assert state["layer.weight"].device.type == "cpu"
    assert torch.equal(state["layer.weight"], STATE["layer.weight"])


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on this machine with one published checkpoint; its `cut_off` sends only half of it."""
    (tmp_path / "web").mkdir()
    path = publish(STATE, NAME, tmp_path / "web")

    class Handler(http.server.BaseHTTPRequestHandler):
        cut_off = False

        def do_GET(self):
            content = (path.parent / self.path.lstrip("/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if Handler.cut_off else content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        root = f"http://127.0.0.1:{running.server_port}/"
        monkeypatch.setattr(encodec_files.Release, "url", property(lambda release: root + release.filename))
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Handler
        running.shutdown()


@pytest.mark.usefixtures("server")
def test_a_download_goes_into_the_cache_and_progress_to_stderr(capsys):
    path = find_weights(RELEASES[NAME])
    assert path == cache_folder() / RELEASES[NAME].filename
    assert torch.equal(read_weights(RELEASES[NAME], path)["layer.weight"], STATE["layer.weight"])
    out, err = capsys.readouterr()
    assert out == ""
    assert "downloading http://127.0.0.1" in err
    assert find_weights(RELEASES[NAME]) == path
    assert capsys.readouterr().err == ""  # the second time from the cache


def test_half_a_download_is_not_kept(server):
    server.cut_off = True
    with pytest.raises(AudioformerError, match=r"try again, or download|download failed"):
        find_weights(RELEASES[NAME])
    assert os.listdir(cache_folder()) == []
    server.cut_off = False
    assert find_weights(RELEASES[NAME]).is_file()


def publish_bytes(content: bytes, folder) -> None:
    """Put raw bytes under a name whose hash fits them, as the only release file in the folder."""
    for old in folder.glob("*.th"):
        old.unlink()
    path = publish(STATE, NAME, folder)
    path.write_bytes(content)
    digits = encodec_files.hashlib.sha256(content).hexdigest()[:8]
    renamed = path.rename(folder / f"{NAME}-{digits}.th")
    RELEASES[NAME] = encodec_files.Release(renamed.name, RELEASES[NAME].root_url, RELEASES[NAME].factory)
