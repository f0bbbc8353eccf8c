"""EnCodec's package and checkpoints: where they are looked for, what is refused, nothing in a file is executed."""

from __future__ import annotations

import hashlib
import http.server
import os
import pickle
import socket
import subprocess
import sys
import textwrap
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


def in_cache(state: object):
    """A checkpoint in the hub's cache."""
    cache_folder().mkdir(parents=True)
    return publish(state, NAME, cache_folder())


def publish_bytes(content: bytes, folder) -> None:
    """Put raw bytes under a name whose hash fits them, as the only release file in the folder."""
    for old in folder.glob("*.th"):
        old.unlink()
    path = folder / f"{NAME}-{hashlib.sha256(content).hexdigest()[:8]}.th"
    path.write_bytes(content)
    RELEASES[NAME] = encodec_files.Release(path.name, RELEASES[NAME].factory)


@pytest.mark.parametrize(("name", "digits"), [("encodec_24khz", "d7cc33bc"), ("encodec_48khz", "7e698e3e")])
def test_the_releases_are_the_published_ones(name, digits):
    assert RELEASES[name].sha256_prefix == digits
    assert RELEASES[name].url == f"https://dl.fbaipublicfiles.com/encodec/v0/{name}-{digits}.th"


def test_a_file_a_folder_the_variable_and_the_cache_are_looked_at_in_this_order(tmp_path, monkeypatch):
    cached = in_cache(STATE)
    release = RELEASES[NAME]
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


def test_without_the_file_it_says_which_to_put_where(tmp_path, monkeypatch):
    address = "https://dl.fbaipublicfiles.com/encodec/v0/encodec_24khz-d7cc33bc.th"
    advice = f"download {address} where there is internet and put it into"
    with pytest.raises(AudioformerError, match=f"d7cc33bc.th: no such file; {advice} {tmp_path}"):
        load_encodec(NAME, weights=tmp_path)
    for variable in ("AUDIOFORMER_OFFLINE", "HF_HUB_OFFLINE"):
        with monkeypatch.context() as patched:
            patched.setenv(variable, "1")
            with pytest.raises(AudioformerError, match=f"{variable} forbids downloads; {advice} {cache_folder()}"):
                load_encodec(NAME)
    with socket.socket() as listener:  # a port of this machine that nobody listens on
        listener.bind(("127.0.0.1", 0))
        monkeypatch.setattr(encodec_files.Release, "url", f"http://127.0.0.1:{listener.getsockname()[1]}/x.th")
        with pytest.raises(AudioformerError, match=f"download failed .* put it into {cache_folder()}"):
            load_encodec(NAME)
    assert os.listdir(cache_folder()) == []


def test_the_hash_is_checked_in_the_cache_too():
    path = in_cache(STATE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    expected = f"SHA-256 starts with .*, expected {RELEASES[NAME].sha256_prefix}: damaged or another model"
    with pytest.raises(AudioformerError, match=expected):
        load_encodec(NAME)


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_file_is_never_run(tmp_path):
    harm = tmp_path / "harm"
    publish_bytes(pickle.dumps(Trap(harm), protocol=2), tmp_path)
    with pytest.raises(AudioformerError, match="not a checkpoint of tensors only"):
        load_encodec(NAME, weights=tmp_path)
    publish({"layer.weight": Trap(harm)}, NAME, tmp_path)
    with pytest.raises(AudioformerError, match="not a checkpoint of tensors only"):
        load_encodec(NAME, weights=tmp_path)
    assert not harm.exists()
    os.mkdir(harm)  # the trap itself works
    assert harm.exists()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([torch.zeros(2)], "holds more than named tensors"),
        ({"epoch": 3}, "holds more than named tensors"),
        (STATE, "its tensors do not fit encodec_24khz; get encodec_24khz-"),
    ],
)
def test_only_the_tensors_of_the_model_are_accepted(tmp_path, state, message):
    publish(state, NAME, tmp_path)
    with pytest.raises(AudioformerError, match=message):
        load_encodec(NAME, weights=tmp_path)


def test_half_a_file_whose_hash_fits_is_refused(tmp_path):
    path = publish(STATE, NAME, tmp_path)
    publish_bytes(path.read_bytes()[: path.stat().st_size // 2], tmp_path)
    with pytest.raises(AudioformerError, match="not a checkpoint of tensors only"):
        load_encodec(NAME, weights=tmp_path)


def test_a_checkpoint_saved_on_a_gpu_loads_on_the_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
    path = publish(STATE, NAME, tmp_path)
    monkeypatch.undo()
    assert b"cuda:0" in path.read_bytes()
    assert read_weights(RELEASES[NAME], path)["layer.weight"].device.type == "cpu"


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


def test_a_whole_download_goes_into_the_cache_and_half_a_one_does_not(server, capsys):
    server.cut_off = True
    with pytest.raises(AudioformerError, match="download failed .* try again, or download"):
        find_weights(RELEASES[NAME])
    assert os.listdir(cache_folder()) == []
    server.cut_off = False
    path = find_weights(RELEASES[NAME])
    assert torch.equal(read_weights(RELEASES[NAME], path)["layer.weight"], STATE["layer.weight"])
    out, err = capsys.readouterr()
    assert out == ""
    assert "downloading http://127.0.0.1" in err
    assert find_weights(RELEASES[NAME]) == path == cache_folder() / RELEASES[NAME].filename
    assert capsys.readouterr().err == ""  # the second time from the cache


# The package is imported whatever state torchaudio is in, and torchaudio is as it was afterwards. Each case runs
# in a fresh interpreter: what is imported once stays imported.

IMPORT = "import sys; from audioformer.codecs.encodec_files import import_encodec\n"
REMNANTS = "print([name for name in sys.modules if name.split('.')[0] == 'torchaudio'])\n"


def run(code: str, *first_on_path) -> str:
    """Standard output of a fresh interpreter."""
    path = os.pathsep.join(map(str, [*first_on_path, *sys.path]))
    command = [sys.executable, "-W", "ignore", "-c", IMPORT + textwrap.dedent(code)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("def marker(): return 'the real one'\n", "the real one ['torchaudio']"),
        ("from torchaudio import inner\nraise OSError('Could not load this library: libtorchaudio.so')\n", "none []"),
    ],
    ids=["works", "broken"],
)
def test_a_torchaudio_that_loads_is_used_and_a_broken_one_leaves_nothing_behind(tmp_path, source, outcome):
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text(source)
    (tmp_path / "torchaudio" / "inner.py").write_text("")
    code = """
    assert import_encodec() is import_encodec() is sys.modules["encodec"]
    marker = getattr(sys.modules["encodec.utils"].torchaudio, "marker", lambda: "none")
    print(marker(), end=" ")
    """
    assert run(textwrap.dedent(code) + REMNANTS, tmp_path) == outcome


@pytest.mark.parametrize("missing", ["encodec", "einops"])
def test_a_missing_package_is_named_with_what_to_install(missing):
    code = f"""
    from audioformer.codecs import load_codec
    from audioformer.errors import AudioformerError
    sys.modules["{missing}"] = sys.modules["torchaudio"] = None  # Python's way of saying: not to be found
    try:
        load_codec("encodec_24khz")
    except AudioformerError as error:
        print(error)
    del sys.modules["{missing}"]  # installed meanwhile: the next try works
    print(import_encodec().__version__, sys.modules["torchaudio"])
    """
    message, version = run(code).splitlines()
    assert missing in message
    assert message.endswith('run pip install "audioformer[encodec]"')
    assert version == "0.1.1 None"  # an absent torchaudio stays absent
