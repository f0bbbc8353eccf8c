"""What the app must never do: reach outside, hand out files, believe what a browser sends. Against the real server.

The cases are those of Gradio's published advisories (file reads, proxying, open redirects, cross-site requests) and of
its own settings that would open a door (sharing, run history, MCP, monitoring, API documentation).
"""

import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from importlib import metadata

import pytest
from app_page import Tab, small_app
from packaging.version import Version
from test_house import files, where

from audioformer_app import settings
from audioformer_app.guard import Limits
from audioformer_app.serve import launch  # noqa: F401 - goes through the same door as users

SEED = b"RIFF" + bytes(40)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The app with small seeded weights, on a port of its own; stopping it looks for ways out and tracebacks."""
    with small_app(tmp_path_factory.mktemp("server")) as address:
        yield address


def ask(address, path, data=None, **headers):
    """Status, headers and bytes of an answer; the path goes out exactly as it is, and redirects are not followed."""
    host = urllib.parse.urlsplit(address).netloc
    connection = http.client.HTTPConnection(host, timeout=120)
    connection.request("GET" if data is None else "POST", path, data, {"content-type": "application/json", **headers})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


# --- nothing goes out


def test_no_room_asks_for_anything_outside(browser, address):
    """Every tab of the page, opened; requests elsewhere and complaints of the console fail when it is closed."""
    tab = Tab(browser, address, permissions=["microphone"])
    names = [name.strip() for name in tab.page.locator("#af-rooms [role=tab]").all_inner_texts()]
    assert {"Listen", "Mask", "Attention", "Live"} <= set(names)
    for name in names:
        tab.page.click(f"#af-rooms [role=tab]:has-text('{name}')")
        if name == "Listen":
            continue
        tab.page.wait_for_selector(f".af-room[data-room={name.lower()}]")
        tab.page.wait_for_function("!document.querySelector('.af-busy')")
    tab.page.click("#af-rooms [role=tab]:has-text('Listen')")
    for title in tab.page.evaluate("[...document.querySelectorAll('[data-title]')].map((one) => one.dataset.title)"):
        assert not re.search("cloud|chart studio|share", title, re.IGNORECASE)
    assert tab.page.query_selector("a[href^=http]:not([href*='127.0.0.1'])") is None
    tab.close()


def test_gradio_is_told_to_stay_silent_and_to_ask_its_own_server_directly(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "intranet")
    settings.go_offline()
    settings.go_offline()
    assert settings.os.environ["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert all(map(urllib.request.proxy_bypass_environment, ("127.0.0.1", "localhost", "intranet")))
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        assert name in settings.OFFLINE


# --- no file is handed out

FILES = ["/etc/passwd", "../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2Fetc%2Fpasswd", "//etc/passwd"]
FILES += [
    "http://127.0.0.1/",
    "pyproject.toml",
    "app/app.py",
    ".git/config",
    "C:/Windows/win.ini",
    "C:%5CWindows%5Cwin.ini",
]
TRICKS = [f"/gradio_api/file={path}" for path in FILES]
TRICKS += ["/static/../../../../etc/passwd", "/assets/..%2f..%2f..%2fetc%2fpasswd", "/svelte/../../../etc/passwd"]
CLOSED = ["/docs", "/redoc", "/monitoring", "/gradio_api/mcp/", "/gradio_api/runs", "/vibe-edit/", "/openapi.json"]
CLOSED += [
    "/gradio_api/proxy=https://example.org/",
    "/proxy=http://127.0.0.1:1/",
    "/gradio_api/proxy=file:///etc/passwd",
]
CLOSED += ["/file=/etc/passwd", "/theme.css/../../etc/passwd", "/gradio_api/stream/x/y/0/../../etc/passwd"]
CLOSED += [
    "/custom_component/x/server/component/..%2f..%2fetc%2fpasswd",
    "/gradio_api/login/huggingface?_target_url=https://x.org",
]


@pytest.mark.parametrize("path", TRICKS)
def test_files_of_this_computer_are_not_handed_out(address, path):
    status, _, content = ask(address, path)
    assert status >= 400, path
    assert b"root:" not in content


@pytest.mark.parametrize("path", CLOSED)
def test_what_the_page_does_not_need_is_not_there(address, path):
    assert ask(address, path)[0] == 404


def test_our_own_scripts_come_from_their_folder_only(address):
    prefix = re.search(r"audioformer-[0-9a-f]{12}", ask(address, "/")[2].decode())[0]
    assert ask(address, f"/{prefix}/header.js")[0] == 200
    for path in (
        "../settings.py",
        "%2e%2e/settings.py",
        "..%2fsettings.py",
        "widgets/../../settings.py",
        "widgets/%2e%2e/lanes.py",
    ):
        assert ask(address, f"/{prefix}/{path}")[0] == 404, path


# --- no door beside the page


@pytest.mark.parametrize("path", ["//example.org/%2e%2e", "/logout?url=https://example.org"])
def test_it_sends_nobody_elsewhere(address, path):
    status, headers, _ = ask(address, path)
    assert "example.org" not in headers.get("location", "")
    assert status != 500


def test_another_site_or_name_may_not_ask_on_this_computer_either(address):
    host = urllib.parse.urlsplit(address).netloc
    for path, data in (("/config", None), ("/gradio_api/queue/join", b"{}"), ("/gradio_api/upload", b"x")):
        for foreign in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "same-site"}):
            status, headers, _ = ask(address, path, data, host=host, **foreign)
            assert status == 403
            assert "access-control-allow-origin" not in headers
        assert ask(address, path, data, host="evil.example")[0] == 421  # a name that was made to point here


def refused(address, path, body):
    """Status of an answer; None where the connection was closed before all was sent."""
    try:
        return ask(address, path, body)[0]
    except (BrokenPipeError, ConnectionResetError):
        return None


def test_large_and_odd_bodies_are_refused_without_a_word_in_the_log(address):
    dependencies = json.loads(ask(address, "/config")[2])["dependencies"]
    event = next(one["id"] for one in dependencies if one["targets"][0][1] == "pick")
    pick = {"data": [None, "small", "animals"], "event_data": {"index": 0}, "fn_index": event, "session_hash": "s"}
    big = Limits().form + 1
    bodies = {413: [b"x" * (Limits().sound + 1)]}
    bodies[400] = [b"{}", b"[" * 100_000, json.dumps({**pick, "fn_index": 10**6}).encode()]
    bodies[400] += [json.dumps({**pick, "session_hash": name}).encode() for name in ("", "x" * 65, "../x", 5, None)]
    bodies[400] += [json.dumps({**pick, "data": data}).encode() for data in ([], [None], ["x" * 5000] * 3, {"a": 1})]
    for status, sent in bodies.items():
        for body in sent:
            assert refused(address, "/gradio_api/queue/join", body) in (status, None), body[:80]
    body = {**pick, "event_data": {"index": "x" * big}}
    assert refused(address, "/gradio_api/queue/join", json.dumps(body).encode()) in (413, None)
    assert ask(address, "/config")[0] == 200


def test_an_upload_without_a_name_is_refused_and_nothing_breaks(address):
    for head in ('name="files"; filename=""', 'name="files"'):
        body = f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + SEED + b"\r\n--x--\r\n"
        status, _, said = ask(
            address, "/gradio_api/upload", body, **{"content-type": "multipart/form-data; boundary=x"}
        )
        assert status in (200, 400), said  # with an empty name Gradio may give it one of its own
        assert b"Traceback" not in said


def test_no_event_is_offered_by_name(address):
    config = json.loads(ask(address, "/config")[2])
    assert {one["api_visibility"] for one in config["dependencies"]} == {"private"}
    assert json.loads(ask(address, "/gradio_api/info")[2]) == {"named_endpoints": {}, "unnamed_endpoints": {}}


def test_large_uploads_are_refused(address):
    limit = settings.MAX_FILE_MB * 1024 * 1024
    edge = "--------x"
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    )
    body = head.encode() + SEED + bytes(limit) + f"\r\n--{edge}--\r\n".encode()
    try:
        status, _, content = ask(
            address, "/gradio_api/upload", body, **{"content-type": f"multipart/form-data; boundary={edge}"}
        )
    except (BrokenPipeError, ConnectionResetError):
        return  # refused before it was sent to the end
    assert status == 413
    assert b"maximum allowed size" in content.lower() or b"exceed" in content.lower()


# --- nothing that a browser sends is believed


def send_event(address, dependency, event_data, number):
    """An event as any program can send it; returns what the page would get."""
    config_inputs = [None] * len(dependency["inputs"])
    session = f"hostile{number}"
    body = {
        "data": config_inputs,
        "event_data": event_data,
        "fn_index": dependency["id"],
        "session_hash": session,
        "trigger_id": None,
    }
    status, _, content = ask(address, "/gradio_api/queue/join", json.dumps(body).encode())
    assert status in (200, 422, 503), content
    if status != 200:
        return ""
    return ask(address, f"/gradio_api/queue/data?session_hash={session}")[2].decode()


HOSTILE = [
    None,
    [],
    "text",
    {"index": -1},
    {"index": 10**400},
    {"index": {"a": []}, "what": ["x"], "n_codebooks": "9" * 5000},
    {"what": "look", "hidden": "not base64!", "random": {"ratio": "NaN", "span": None, "seed": []}},
    {"what": "__class__"},
    {"row": 1e308, "frame": -0.5, "what": "hear", "code": True},
    {"what": "change", "edits": [{"action": "rm", "row": "x"}] * 3},
    {"what": "listen", "name": "../steps", "hidden": ""},
    {"sample": ["x"], "codec": {"a": 1}, "checkpoint": 7},
    {"pcm": "AAAA", "rate": -1, "start_s": "x", "end_s": None, "first": [], "session": "x" * 1000, "wav": "UklGRg=="},
]


def test_hostile_events_get_a_message_and_leave_no_traceback(address):
    """To every event of the page. The server's log is looked through for tracebacks when the server is stopped."""
    dependencies = [one for one in json.loads(ask(address, "/config")[2])["dependencies"] if one["backend_fn"]]
    assert len(dependencies) >= 10
    number = 0
    for dependency in dependencies:
        for event_data in HOSTILE:
            number += 1
            answer = send_event(address, dependency, event_data, number)
            assert "Traceback" not in answer
            assert "audioformer_app/" not in answer
    started = time.monotonic()
    assert ask(address, "/config")[0] == 200  # alive, and free
    assert time.monotonic() - started < 60


# --- and in the sources


def test_the_gradio_here_has_the_fixes():
    """CVE-2026-28414 and -28416 (6.6, 6.7), and the file explorer, proxy and redirect faults mended until 6.20."""
    assert Version(metadata.version("gradio")) >= Version("6.31")


def test_the_app_uses_nothing_that_opens_files_or_loads_code():
    banned = (
        r"\bgr\.load\(|FileExplorer|share=True|torch\.load|pickle|strict_cors=False|mcp_server=True"
        r"|(?<!\.)\b(eval|exec)\(|\b(window|globalThis|builtins)\.(eval|exec)"  # not module.eval(), not pattern.exec()
    )
    assert where(banned, files(".py", ".js", under=("app",))) == []
