"""A real JupyterLab in a real headless Chromium: notebooks 01 and 06 opened, run, and clicked."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from audioformer.files import notebooks_folder

WAIT_MS = 400_000  # a loaded machine is slow, not wrong
HOME = (
    "HOME",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR",
    "JUPYTERLAB_SETTINGS_DIR",
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of JupyterLab, started as `audioformer lab` does, on a copy of the notebooks."""
    pytest.importorskip("jupyterlab", reason='needs JupyterLab: pip install "audioformer[notebooks]"')
    from audioformer.cli.serve import lab_command, lab_environment

    home = tmp_path_factory.mktemp("lab")
    folder = home / "notebooks"
    shutil.copytree(notebooks_folder(), folder, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        **lab_environment(),
        **{name: str(home / name.lower()) for name in HOME},
        "AUDIOFORMER_FAST": "1",
    }
    environment.pop("AUDIOFORMER_RENDERER", None)
    log = home / "log.txt"
    with open(log, "wb") as out:
        process = subprocess.Popen(lab_command(folder, port, browser=False), env=environment, stdout=out, stderr=out)
    address = None
    while address is None and process.poll() is None:
        address = re.search(rf"http://127\.0\.0\.1:{port}/lab\S*", log.read_text())
    assert address, log.read_text()
    yield address[0]
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)  # the second one needs no answer
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


class Notebook:
    """One notebook in a tab of its own, run from top to bottom."""

    def __init__(self, browser, lab, name):
        self.page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.page.set_default_timeout(WAIT_MS)
        self.outside = []
        self.page.on("request", lambda request: self._note(request.url))
        self.page.goto(re.sub(r"/lab/tree/[^?]*", f"/lab/tree/{name}.ipynb", lab) + "&reset")  # no tabs of before
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.page.wait_for_selector("text=/Python 3 .* Idle/")  # asked to run earlier, JupyterLab asks for a kernel

    def _note(self, url):
        if not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")):
            self.outside.append(url)

    def run_all(self):
        """Run → Run All Cells; over when a cell has its number and the kernel has nothing to do for a while."""
        self.page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        self.page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
        self.page.wait_for_selector(".jp-InputPrompt >> text=/\\[\\d+\\]:/", state="attached")
        quiet = 0
        while quiet < 20:
            idle = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").count()
            quiet = quiet + 1 if idle else 0
            self.page.wait_for_timeout(100)

    def bring(self, text):
        """Scroll until a cell with this text is drawn, and to it."""
        notebook = self.page.locator(".jp-WindowedPanel-outer").first
        notebook.evaluate("panel => panel.scrollTo(0, 0)")
        for _ in range(400):
            if self.page.locator(f".jp-Notebook >> text={text}").count():
                break
            notebook.evaluate("panel => panel.scrollBy(0, 400)")
            self.page.wait_for_timeout(50)
        self.page.locator(f".jp-Notebook >> text={text}").first.scroll_into_view_if_needed()


def test_01_time_line_is_clicked(browser, lab, tmp_path):
    notebook = Notebook(browser, lab, "01_from_sound_to_codes")
    notebook.run_all()
    notebook.bring("explore(waveform)")
    view = notebook.page.locator(".jp-Notebook .af-clip").first
    view.scroll_into_view_if_needed()
    view.locator(".af-lanes canvas").first.wait_for()
    before = view.locator(".af-status").inner_text()
    box = view.locator(".af-plot").bounding_box()
    notebook.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.75)
    notebook.page.wait_for_function(
        "old => document.querySelector('.af-clip .af-status').textContent !== old", arg=before
    )
    notebook.page.screenshot(path=tmp_path / "lab01.png")
    assert (tmp_path / "lab01.png").stat().st_size > 30_000
    assert notebook.page.locator(".jp-Notebook >> text=Traceback").count() == 0
    assert notebook.outside == []
    notebook.page.close()


def test_06_slider_draws_again_where_it_is_put(browser, lab, tmp_path):
    notebook = Notebook(browser, lab, "06_masked_prediction")
    notebook.run_all()
    notebook.bring("How long may a gap be")
    area = notebook.page.locator(".jp-OutputArea:has-text('How long may a gap be')").first
    area.locator(".widget-slider, .widget-inline-hbox").first.scroll_into_view_if_needed()
    handle = area.locator(".noUi-handle").first
    told = area.locator("text=/hidden frames: \\d+ long/").first
    assert "hidden frames: 1 long" in told.inner_text()
    handle.focus()
    handle.press("ArrowRight")
    area.locator("text=hidden frames: 3 long").wait_for()
    assert area.locator(".js-plotly-plot, .plotly-graph-div").count() >= 1
    notebook.page.screenshot(path=tmp_path / "lab06.png")
    assert (tmp_path / "lab06.png").stat().st_size > 30_000
    assert notebook.outside == []
    notebook.page.close()


def test_lab_opens_at_the_index(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT_MS)
    page.goto(lab + "&reset")
    page.get_by_role("heading", name="From a sound to a trained listener").wait_for()
    assert page.get_by_role("link", name="06", exact=True).count() >= 2
    page.wait_for_selector("text=/Python 3 .* Idle/")  # by then JupyterLab would have asked whether to fetch its news
    assert page.locator("text=Jupyter news").count() == 0
    page.close()
