"""`audioformer get`, against a server of our own: whole, stopped, damaged, throttled, without a network."""

import csv
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile

from audioformer.cli import main
from audioformer.data import recordings
from audioformer.data.datasets import open_dataset
from audioformer.data.recordings import fetched, folder_of, get, git_checksum
from audioformer.errors import AudioformerError

pytestmark = pytest.mark.usefixtures("folder")
ESC, FSDD = "karolpiczak/ESC-50", "Jakobovski/free-spoken-digit-dataset"


def wav(number):
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(800) * (0.1 + number / 100)) / 2, 8000, format="WAV")
    return file.getvalue()


def esc_files():
    """Six clips, four of them ESC-10's, and what else lies in the repository."""
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    files = {"README.md": b"who recorded what", "LICENSE": b"CC BY", "setup.py": b"no sound", "../up.wav": b"bad"}
    for n in range(6):
        name = f"{n % 5 + 1}-{n}-A-{n % 3}.wav"
        lines.append(f"{name},{n % 5 + 1},{n % 3},{('dog', 'rain', 'pig')[n % 3]},{n % 3 < 2},{n},A")
        files[f"audio/{name}"] = wav(n)
    return files | {"meta/esc50.csv": "\n".join(lines).encode()}


class Server:
    """Lists and files of a repository as GitHub gives them; `answers` are sent first, one for each file asked for."""

    def __init__(self, repository, files):
        self.repository, self.files, self.answers, self.asked = repository, files, [], []
        self.damaged = set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                owner.reply(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def reply(self, handler):
        listing = f"/{self.repository}/git/trees/master?recursive=1"
        name = handler.path.removeprefix(f"/{self.repository}/master/")
        if handler.path == listing:
            tree = [{"path": path, "type": "blob", "sha": git_checksum(data)} for path, data in self.files.items()]
            return self.send(handler, 200, json.dumps({"sha": "tree-1", "tree": tree}).encode())
        self.asked.append(name)
        if self.answers and name.endswith(".wav"):
            return self.send(handler, *self.answers.pop(0))
        data = self.files.get(name)
        if data is None:
            return self.send(handler, 404, b"")
        return self.send(handler, 200, data[:-9] if name in self.damaged else data)

    @staticmethod
    def send(handler, code, data, **headers):
        handler.send_response(code)
        for name, value in {"Content-Length": len(data), **headers}.items():
            handler.send_header(name.replace("_", "-"), str(value))
        handler.end_headers()
        handler.wfile.write(data)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOFORMER_RECORDINGS", str(tmp_path / "recordings"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "recordings"


@pytest.fixture
def waits(monkeypatch):
    """Pauses before another try, seconds, without waiting."""
    told = []
    monkeypatch.setattr(recordings.time, "sleep", told.append)
    return told


@pytest.fixture
def server():
    made = Server(ESC, esc_files())
    yield made
    made.http.shutdown()
    made.http.server_close()


def test_esc10_comes_with_its_own_clips_its_licence_and_is_found_by_name(server, folder, capsys):
    assert main(["get", "esc10", "--mirror", server.url, "--json"]) == 0
    out, told = capsys.readouterr()
    assert json.loads(out)["n_files"] == 6  # 4 clips and 2 papers
    for words in ("licence: CC BY 3.0", "please name: K. J. Piczak", "6 of 6 files"):
        assert words in told
    assert sorted(path.name for path in (folder / "esc10").iterdir() if path.name[0] != ".") == [
        "LICENSE",
        "README.md",
        "audio",
        "fetched.json",
        "meta",
    ]
    clips = open_dataset("esc50", "esc10")  # the name stands for the folder
    assert {clip.labels[0] for clip in clips} == {"dog", "rain"}
    assert len(clips) == 4
    with open(folder / "esc10" / "meta" / "esc50.csv", newline="") as table:
        assert {row["esc10"] for row in csv.DictReader(table)} == {"True"}
    about = json.loads((folder / "esc10" / "fetched.json").read_text())
    assert (about["tree"], about["licence"][:9]) == ("tree-1", "CC BY 3.0")


def test_the_digits_come_from_their_own_repository(folder):
    files = {f"recordings/{d}_jackson_{t}.wav": wav(d) for d in (0, 1) for t in (0, 7)} | {
        "README.md": b"",
        "x.py": b"",
    }
    server = Server(FSDD, files)
    assert [*get("fsdd", server.url)][-1] == (5, 5)
    server.http.shutdown()
    server.http.server_close()
    assert len(open_dataset("fsdd", "fsdd")) == 4
    assert fetched("fsdd") == folder / "fsdd"


def test_a_stopped_run_continues_and_fetches_nothing_twice(server, folder):
    run = get("esc50", server.url)
    while next(run)[0] < 3:
        pass
    run.close()
    assert fetched("esc50") is None
    there = {path.name for path in (folder / "esc50").rglob("*.wav")}
    server.asked.clear()
    assert [*get("esc50", server.url)][-1] == (9, 9)
    assert not there & {name.rpartition("/")[2] for name in server.asked}
    assert fetched("esc50") is not None


def test_a_file_that_is_not_what_the_list_names_is_refused_and_a_spoilt_one_is_fetched_again(server, folder):
    name = "audio/2-1-A-1.wav"
    server.damaged.add(name)
    with pytest.raises(AudioformerError, match=r"2-1-A-1\.wav: what came is not the file .*same command again"):
        list(get("esc10", server.url))
    assert not (folder / "esc10" / name).exists()
    assert fetched("esc10") is None
    server.damaged.clear()
    list(get("esc10", server.url))
    (folder / "esc10" / name).write_bytes(b"cut")
    server.asked.clear()
    list(get("esc10", server.url))
    assert [one for one in server.asked if one.endswith(".wav")] == [name]


def test_a_server_that_asks_for_patience_gets_it(server, waits):
    server.answers = [(429, b""), (500, b""), (503, b"")]
    assert [*get("esc10", server.url)][-1] == (6, 6)
    assert sorted(waits)[:1] == [1.0]


def test_a_file_that_is_gone_is_named(server, waits):
    reply = server.reply

    def without(handler):
        if handler.path.endswith("1-0-A-0.wav"):
            return server.send(handler, 404, b"")
        return reply(handler)

    server.reply = without
    with pytest.raises(AudioformerError, match=r"1-0-A-0\.wav: cannot be fetched \(the server says 404 "):
        list(get("esc10", server.url))
    assert waits == []


def test_without_a_network_it_says_what_to_do(folder, waits, capsys):
    assert main(["get", "esc10", "--mirror", "http://127.0.0.1:9"]) == 2
    told = capsys.readouterr().err
    assert "licence: CC BY 3.0" in told
    assert "Run the same command again when there is a connection" in told
    assert f"copy the folder {folder}" in told
    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("page", [b"<html>", b"[]", b'{"sha": "1", "tree": []}'])
def test_a_page_that_is_no_list_is_refused(server, page):
    server.reply = lambda handler: server.send(handler, 200, page)
    with pytest.raises(AudioformerError, match="list"):
        list(get("esc10", server.url))


def test_a_name_that_was_not_fetched_says_how_and_a_folder_of_that_name_is_the_folder(tmp_path):
    with pytest.raises(AudioformerError, match="`audioformer get esc10` fetches 400 clips"):
        open_dataset("esc50", "esc10")
    (tmp_path / "esc10").mkdir()
    assert folder_of("esc10") == "esc10"
    with pytest.raises(AudioformerError, match="there are esc10, esc50, fsdd"):
        list(get("esc11"))


def test_the_bundle_takes_fetched_recordings_along(server, folder, tmp_path, monkeypatch):
    from audioformer.install import bundle

    list(get("esc10", server.url))
    monkeypatch.setattr(bundle, "samples_folder", lambda: folder / "esc10" / "meta")
    monkeypatch.setattr(bundle, "notebooks_folder", lambda: folder / "esc10" / "meta")
    bundle._write_papers(tmp_path / "stick", ("notebooks",), [])
    assert len(list((tmp_path / "stick" / "recordings" / "esc10" / "audio").glob("*.wav"))) == 4
    assert "recordings" in (tmp_path / "stick" / "install.sh").read_text()
