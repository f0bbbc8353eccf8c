"""Somebody else's web site in the browser of a visitor who has logged in: another port, another name."""

import functools
import http.server
import threading

import pytest
from app_page import start, stop
from app_weights import make_weights
from attack_app import attack, faults

PASSWORD = "four small birds"
ATTEMPTS = """async (app) => {
  const ask = async (path, options) => {
    try {
      const answer = await fetch(app + path, { credentials: "include", ...options });
      return `${answer.type} ${answer.status}`;
    } catch { return "refused"; }
  };
  const loads = (tag, path) => new Promise((done) => {
    const made = document.createElement(tag);
    made.onload = () => done("loaded");
    made.onerror = () => done("refused");
    made.src = app + path;
    document.body.append(made);
    setTimeout(() => done("late"), 5000);
  });
  const json = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  return {
    read: await ask("config"),
    event: await ask("gradio_api/queue/join", json),
    simple: await ask("gradio_api/queue/join", { method: "POST", body: "{}", mode: "no-cors" }),
    upload: await ask("gradio_api/upload", { method: "POST", body: new FormData(), mode: "no-cors" }),
    logout: await ask("logout", { mode: "no-cors" }),
    script: await loads("script", "config"),
    image: await loads("img", "favicon.ico"),
  };
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """Address of the app on this computer, with a password."""
    folder = tmp_path_factory.mktemp("server")
    codecs, checkpoints, pretrained = make_weights(folder)
    process, address = start(
        folder / "log.txt", codecs=codecs, checkpoints=checkpoints, pretrained=pretrained, password=PASSWORD
    )
    yield address
    stop(process, folder / "log.txt")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Port of an empty web site, which answers under every name."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<title>elsewhere</title><body></body>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.mark.browser
def test_no_other_site_acts_for_a_visitor_who_has_logged_in(app, site, chromium_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    rebound = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium_path, args=["--no-sandbox", rebound])
        context = browser.new_context()
        page = context.new_page()
        page.goto(app)
        page.fill("input:not([type=password])", "anybody")
        page.fill("input[type=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector(".af-clip[data-token]", timeout=120_000)

        for host in ("127.0.0.1", "localhost", "evil.example"):
            other = context.new_page()
            other.goto(f"http://{host}:{site}/")
            found = other.evaluate(ATTEMPTS, app)
            blind = {
                name: found.pop(name) for name in ("simple", "upload", "logout")
            }  # sent without a wish for an answer
            assert set(found.values()) == {"refused"}, (host, found)
            assert set(blind.values()) <= {"refused", "opaque 0"}, (host, blind)
            other.set_content(f"<iframe src='{app}'></iframe>")
            other.wait_for_timeout(500)
            assert not any(frame.query_selector(".af-header, form") for frame in other.frames[1:])
            other.close()

        named = context.new_page()
        answer = named.goto(app.replace("127.0.0.1", "evil.example"))
        assert answer.status == 421
        assert "evil.example" in named.inner_text("body")

        assert page.evaluate("fetch('config').then((answer) => answer.status)") == 200  # still logged in
        browser.close()


@pytest.mark.slow
def test_memory_and_log_stay_small_under_attack():
    found = attack(seconds=8, seed=3)
    assert faults(found) == [], found
