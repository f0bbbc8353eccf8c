"""Other people's computers.

Nothing installed can be written and there is no home, a proxy is set or stands in front.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from app_page import Tab, free_port, small_app
from tiny import tone_folder

import audioformer
from audioformer.cli.serve import lab_environment
from audioformer.files import samples_folder

# as if on a disk that is mounted for reading only; it binds root, too
READ_ONLY = """
import errno, os, sys
ROOTS = tuple(os.environ["READ_ONLY"].split(os.pathsep))
CHANGES = {"os.mkdir": 0, "os.remove": 0, "os.rename": 1, "os.rmdir": 0}
def refuse(event, arguments):
    if event == "open":
        path, _, flags = arguments
        changes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    elif event in CHANGES and arguments[-1] == -1:  # else the path is relative to an open folder
        path, changes = arguments[CHANGES[event]], True
    else:
        return
    if changes and isinstance(path, str) and os.path.abspath(path).startswith(ROOTS):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
sys.addaudithook(refuse)
"""
# a whole map: numba, below UMAP, wants a place for what it compiles, and compiles half a minute
UMAP = """
import numpy as np
from audioformer.evaluation.embedding_map import project
points, _ = project(np.random.default_rng(0).normal(size=(30, 16)), "umap")
assert points.shape == (30, 2) and np.isfinite(points).all()
"""


@pytest.fixture
def read_only(tmp_path) -> dict[str, str]:
    """Environment in which neither site-packages nor the package can be written, and the home is no folder."""
    (tmp_path / "sitecustomize.py").write_text(READ_ONLY)
    roots = [sys.prefix, str(Path(audioformer.__file__).parents[1])]
    (tmp_path / "tmp").mkdir()
    names = ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "TORCH_HOME", "HF_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    places = {"HOME": "/dev/null/home", "TMPDIR": str(tmp_path / "tmp"), "READ_ONLY": os.pathsep.join(roots)}
    return {**kept, **places, "NUMBA_OPT": "0", "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])}


# the kernel of a notebook, with what JupyterLab itself needs a place for
NOTEBOOK = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in sys.argv[1:]])
NotebookClient(notebook, timeout=1000, kernel_name="python3").execute()
print([output for cell in notebook.cells for output in cell.outputs if output.output_type == "error"])
"""
CELLS = [
    "import audioformer as af; from audioformer.teaching import *; from audioformer.widgets import live, sound_map, "
    "timeline",
    "clf = af.load('esc10'); explore(sample('dog'), classifier=clf); live(clf); sound_map([[0, 0]], ['dog'], "
    "[sample('dog')])",
    f"from audioformer import plots{UMAP}",
    "show(plots.codes.code_grid(clf.codes(sample('dog')), 75.0)); listen(af.load_audio(sample('dog')))",
]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs a path that is no folder, /dev/null")
@pytest.mark.parametrize("what", ["map", "classify", "notebook"])
def test_nothing_installed_is_written_and_no_home_is_needed(read_only, what, tmp_path):
    words = {
        "map": ["-c", UMAP],
        "classify": ["-m", "audioformer", "classify", str(next(samples_folder().rglob("*.ogg")))],
        "notebook": ["-c", NOTEBOOK, *CELLS],
    }[what]
    if what == "notebook":
        read_only |= lab_environment()
    done = subprocess.run([sys.executable, *words], env=read_only, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    left = [path.name for path in (tmp_path / "tmp").iterdir()]
    if what == "notebook":
        assert done.stdout == "[]\n"  # and IPython leaves folders of its own
        left = [name for name in left if name.startswith("audioformer-")]
    assert left == []  # what was put elsewhere is gone again


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs a path that is no folder, /dev/null")
def test_the_app_and_its_map_open_where_nothing_installed_can_be_written(read_only, browser, tmp_path):
    """And behind a proxy that does not lead to this computer, beside a folder with a checkpoint's name.

    The room Map lays a map of a folder of sounds by UMAP.
    """
    (tmp_path / "here" / "esc10").mkdir(parents=True)
    port, proxy = str(free_port()), "http://127.0.0.1:9"
    environment = {**read_only, "HTTP_PROXY": proxy, "http_proxy": proxy, "HTTPS_PROXY": proxy}
    sounds = ["--sounds", str(tone_folder(tmp_path / "set"))]
    command = [sys.executable, "-m", "audioformer", "app", "--port", port, *sounds]
    with open(tmp_path / "log.txt", "wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=tmp_path / "here", stdout=log, stderr=log)
    try:
        for _ in range(3000):
            with (
                suppress(OSError),
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    f"http://127.0.0.1:{port}/config"
                ) as answer,
            ):
                assert "esc10" in answer.read().decode()
                break
            assert server.poll() is None, (tmp_path / "log.txt").read_text()
            time.sleep(0.1)
        else:
            pytest.fail("the app did not answer within five minutes")
        tab = Tab(browser, f"http://127.0.0.1:{port}/")
        tab.page.click("button[role=tab]:has-text('Map')")
        tab.page.wait_for_selector(".af-room[data-room=map][data-method=umap]", timeout=1_000_000)
        assert tab.page.locator(".af-one-map >> nth=0 >> .af-dot").count() >= 4
        tab.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


# as if somebody set the clock, or it were set through the network, between any two looks at it
CLOCK = """
import itertools, time
real, turn = time.time, itertools.cycle([0.0, 86_400.0, -86_400.0, 3.2e8])
time.time = lambda: real() + next(turn)
"""


@pytest.mark.slow
def test_a_clock_that_jumps_changes_nothing(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])}
    done = []
    for number, place in enumerate((None, environment)):
        words = ["prepare", str(tone_folder(tmp_path / "set")), "--dataset", "folder", "-o", f"corpus-{number}"]
        command = [sys.executable, "-m", "audioformer", *words, "--json"]
        ended = subprocess.run(command, env=place, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert ended.returncode == 0, ended.stderr[-2000:]
        told = json.loads(ended.stdout)
        assert 0 <= told.pop("seconds") < 600
        done.append({name: value for name, value in told.items() if name != "corpus"})
    assert done[0] == done[1]


# --- behind a proxy that takes a prefix away, as that of JupyterHub and Binder

PREFIX = "/user/ann/proxy/7860"


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the server's `target`, without the prefix."""

    def pass_on(self):
        """One request and its answer, part by part."""
        path = self.path.removeprefix(PREFIX)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        passed = http.client.HTTPConnection("127.0.0.1", self.server.target)
        passed.request(self.command, "/" + path.lstrip("/"), body or None, dict(self.headers))
        answer = passed.getresponse() if path != self.path else None
        self.send_response(answer.status if answer else 404)
        for name, value in answer.getheaders() if answer else ():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError, http.client.HTTPException):  # a page that was closed
            while answer and (part := answer.read1()):
                self.wfile.write(part)
                self.wfile.flush()

    do_GET = do_POST = do_HEAD = pass_on  # noqa: N815 - names of http.server

    def log_message(self, *_):
        """Nothing to standard error."""


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """Address of the app at the proxy."""
    with pytest.MonkeyPatch.context() as patch, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        address = f"http://127.0.0.1:{server.server_port}{PREFIX}"
        patch.setenv("GRADIO_ROOT_PATH", address)
        with small_app(tmp_path_factory.mktemp("server")) as direct:
            server.target = int(direct.rstrip("/").rpartition(":")[2])
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield address
        server.shutdown()


@pytest.mark.parametrize("slash", ["/", ""])
def test_every_room_answers_behind_a_prefix(browser, proxied, slash):
    tab, refused = Tab(browser, proxied + slash), []
    tab.page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    for name in tab.page.locator("#af-rooms [role=tab]").all_inner_texts():
        tab.page.click(f"#af-rooms [role=tab]:has-text('{name.strip()}')")
        if name.strip() != "Listen":
            tab.page.wait_for_selector(f".af-room[data-room={name.strip().lower()}]")
            tab.page.wait_for_function("!document.querySelector('.af-busy')")
    tab.page.click("#af-rooms [role=tab]:has-text('Listen')")
    tab.until_new(lambda: tab.page.click(".af-tile[data-label=rain]"))
    # its console complains of one script that Gradio asks for without the prefix, and does not need
    tab.context.close()
    assert (tab.outside, refused) == ([], [])
