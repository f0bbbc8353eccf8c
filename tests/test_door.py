"""The app for other computers: a certificate made on the spot, https that verifies against it, a password."""

import datetime
import hashlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from app_page import SERVER, box_of, free_port, stop
from app_weights import make_weights
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from audioformer.cli.parser import build_parser
from audioformer.errors import AudioformerError
from audioformer_app import door
from audioformer_app.guard import Limits, other_hosts

PASSWORD = "four small birds"


def test_the_certificate_names_this_computer_and_its_files_are_private_and_short_lived():
    with door.certificate(["room.local"], ["192.168.1.7", "127.0.0.1"]) as made:
        content = x509.load_pem_x509_certificate(made.certificate.read_bytes())
        key = serialization.load_pem_private_key(made.key.read_bytes(), None)
        assert made.key.stat().st_mode & 0o077 == 0
        assert made.key.parent.stat().st_mode & 0o077 == 0
    assert not made.key.parent.exists()
    known_as = content.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert known_as.get_values_for_type(x509.DNSName) == ["localhost", "room.local"]
    assert [str(ip) for ip in known_as.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "192.168.1.7"]
    assert content.public_key() == key.public_key()
    assert content.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    now = datetime.datetime.now(datetime.timezone.utc)
    assert content.not_valid_before_utc < now < content.not_valid_after_utc < now + datetime.timedelta(days=door.DAYS)
    digest = hashlib.sha256(content.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
    assert made.fingerprint.replace(":", "") == digest


def test_own_names_are_learnt_without_asking_anybody(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection"))
    names, addresses = door.own_names()
    assert socket.gethostname() in names
    assert all(re.fullmatch(r"\d+\.\d+\.\d+\.\d+", address) and not address.startswith("127.") for address in addresses)


def test_what_is_told_names_every_address_the_warning_and_its_reason():
    told = door.what_to_tell(7861, ["room.local"], ["192.168.1.7"], "AB:CD", None)
    for words in (
        "https://192.168.1.7:7861  https://room.local:7861",
        "warns once",
        "nobody vouches",
        "microphone",
        "AB:CD",
        "--password",
    ):
        assert words in told
    assert "any name, password: sesame" in door.what_to_tell(7861, [], [], "AB", "sesame")


def test_passwords_are_compared_whole_and_short_ones_refused():
    right = door.require_password(PASSWORD)
    assert right("anybody", PASSWORD)
    assert not any(right("anybody", wrong) for wrong in ("", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "ünï"))
    with pytest.raises(AudioformerError, match="has 3 letters and needs at least 6"):
        door.require_password("abc")
    made = {door.new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"[a-z2-9]{8}", word) for word in made)


def test_the_command_line_takes_a_word_or_makes_one():
    parse = build_parser().parse_args
    assert parse(["app"]).password is None
    assert parse(["app", "--lan", "--password"]).password == ""
    assert parse(["app", "--password", PASSWORD]).password == PASSWORD


# --- the real server


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Port of a server for other computers, with a password, and where its log is."""
    folder = tmp_path_factory.mktemp("server")
    codecs, checkpoints, pretrained = make_weights(folder)
    options = {
        "codecs": codecs,
        "checkpoints": checkpoints,
        "pretrained": pretrained,
        "lan": True,
        "password": PASSWORD,
    }
    port, log_path = free_port(), folder / "log.txt"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(port), json.dumps(options)], stderr=log, stdout=log
        )
    for _ in range(1800):
        if process.poll() is not None:
            pytest.fail(f"the server stopped: {log_path.read_text()[-2000:]}")
        try:
            ssl.get_server_certificate(("127.0.0.1", port), timeout=5)
            break
        except OSError:
            time.sleep(0.1)
    yield port, log_path
    stop(process, log_path)


@pytest.fixture
def trusting(served):
    """What a client needs to trust this server's certificate, and nobody else's."""
    return ssl.create_default_context(cadata=ssl.get_server_certificate(("127.0.0.1", served[0]), timeout=60))


def request(port, path, trusting, data=None, method=None, **headers):
    """Status, headers and text of an answer over https; certificate and name are checked."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(f"https://127.0.0.1:{port}{path}", data, headers, method=method)
    try:
        answer = urllib.request.urlopen(asked, timeout=60, context=trusting)
    except urllib.error.HTTPError as refusal:
        answer = refusal
    with answer:
        return answer.status, answer.headers, answer.read().decode()


def log_in(port, trusting, password, name="anybody"):
    form = urllib.parse.urlencode({"username": name, "password": password}).encode()
    return request(port, "/login", trusting, form)


def test_https_verifies_against_the_certificate_whose_fingerprint_is_printed(served, trusting):
    port, log_path = served
    assert request(port, "/", trusting)[0] == 200
    printed = re.search(r"fingerprint: ([0-9A-F:]{95})", log_path.read_text())[1]
    binary = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=60))
    assert printed.replace(":", "") == hashlib.sha256(binary).hexdigest().upper()
    with pytest.raises(urllib.error.URLError, match="self.signed"):
        urllib.request.urlopen(f"https://127.0.0.1:{port}/", timeout=60, context=ssl.create_default_context())


def test_plain_http_gets_no_page(served):
    connection = http.client.HTTPConnection("127.0.0.1", served[0], timeout=60)
    connection.request("GET", "/")
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()


def cookies_of(headers):
    return "; ".join(line.split(";")[0] for line in headers.get_all("set-cookie") or [])


BEHIND = [
    ("/config", None),
    ("/gradio_api/info", None),
    ("/gradio_api/queue/data?session_hash=x", None),
    ("/gradio_api/file=app.py", None),
    ("/gradio_api/heartbeat/x", None),
    ("/gradio_api/queue/join", b"{}"),
    ("/gradio_api/upload", b"x"),
    ("/gradio_api/reset", b"{}"),
    ("/gradio_api/cancel", b"{}"),
    ("/notebooks/01_from_sound_to_codes.html", None),
]


@pytest.mark.parametrize(("path", "data"), BEHIND)
def test_nothing_but_the_door_is_open_without_the_password(served, trusting, path, data):
    assert request(served[0], path, trusting, data)[0] == 401
    assert request(served[0], path, trusting, data, cookie="access-token-x=y")[0] == 401


def test_what_the_page_never_asks_for_is_not_there(served, trusting):
    for path in ("/openapi.json", "/gradio_api/openapi.json", "/gradio_api/call/x", "/gradio_api/stream/x", "/docs"):
        assert request(served[0], path, trusting)[0] == 404, path
    assert PASSWORD not in request(served[0], "/", trusting)[2]


def test_the_right_password_opens_with_a_cookie_that_no_other_site_can_use(served, trusting):
    port, _ = served
    status, headers, _ = log_in(port, trusting, PASSWORD)
    assert status == 200
    cookies = headers.get_all("set-cookie")
    assert len(cookies) == 2
    assert all("SameSite=lax" in one and "none" not in one.lower() and "HttpOnly" in one for one in cookies)
    status, _, config = request(port, "/config", trusting, cookie=cookies_of(headers))
    assert status == 200
    assert "af-samples" in config


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "https://127.0.0.1:1"},
    {"origin": "https://localhost.evil.example"},
    {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
    {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_another_site_may_not_act_as_a_visitor(served, trusting, foreign):
    port, _ = served
    cookie = cookies_of(log_in(port, trusting, PASSWORD)[1])
    for path, data in (
        ("/config", None),
        ("/logout", None),
        ("/gradio_api/queue/join", b"{}"),
        ("/gradio_api/upload", b"x"),
    ):
        status, headers, _ = request(port, path, trusting, data, cookie=cookie, **foreign)
        assert status == 403, path
        assert "access-control-allow-origin" not in headers
    if "origin" in foreign:
        asks = {"access_control_request_method": "POST", "access_control_request_headers": "content-type"}
        status, headers, _ = request(port, "/gradio_api/queue/join", trusting, method="OPTIONS", **foreign, **asks)
        assert status == 405
        assert "access-control-allow-origin" not in headers
    assert request(port, "/config", trusting, cookie=cookie, origin=f"https://127.0.0.1:{port}")[0] == 200


def test_a_link_from_elsewhere_opens_the_page_and_no_frame_of_another_site_does(served, trusting):
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    status, headers, _ = request(served[0], "/", trusting, **link)
    assert status == 200
    assert headers["content-security-policy"] == "frame-ancestors 'self'"


def test_a_name_that_is_not_this_computers_is_refused(served, trusting):
    names, addresses = door.own_names()
    for host in (f"evil.example:{served[0]}", "evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"):
        status, _, said = request(served[0], "/", trusting, host=host)
        assert status == 421, host
        assert "AUDIOFORMER_HOSTS" in said
    for host in (*names, *addresses, "localhost", "LOCALHOST.", "[::1]"):
        assert request(served[0], "/", trusting, host=f"{host}:{served[0]}")[0] == 200, host


def test_a_proxy_in_front_is_named_in_the_environment(monkeypatch):
    monkeypatch.setenv("AUDIOFORMER_HOSTS", "hub.example, other.example")
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://binder.example/user/proxy/7860")
    assert other_hosts() == ["hub.example", "other.example", "binder.example"]


def test_over_https_a_page_of_another_computer_has_a_microphone(served, browser):
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"https://127.0.0.1:{served[0]}/")
    page.fill("input[type=text], input:not([type=password])", "anybody")
    page.fill("input[type=password]", PASSWORD)
    assert "Write any name, and the password" in page.inner_text(".auth")
    assert box_of(page, ".auth svg")["width"] == 32
    page.keyboard.press("Enter")
    page.wait_for_selector(".af-clip[data-token]")
    assert page.evaluate("isSecureContext && 'getUserMedia' in navigator.mediaDevices")
    context.close()


def test_wrong_passwords_are_counted_written_down_and_then_refused(served, trusting):
    """Last: this address is locked out afterwards."""
    port, log_path = served
    allowed = Limits().attempts
    names = ["", *["anybody"] * (allowed + 1)]  # one without a name: Gradio's door is silent about all but 400
    statuses = [log_in(port, trusting, f"four large birds {n}", name)[0] for n, name in enumerate(names)]
    assert statuses == [400] * allowed + [429] * 2
    assert log_in(port, trusting, PASSWORD)[0] == 429  # whoever guesses right now gets no answer either
    assert log_path.read_text().count("wrong password from 127.0.0.1") == allowed
    assert "large birds" not in log_path.read_text()
