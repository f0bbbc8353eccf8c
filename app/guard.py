"""The gate in front of Gradio: every request passes here first, and what the page itself never sends is refused.

- A host name that is not this computer's is refused (a web site can make its own name point here: DNS rebinding).
- Another web site is refused, with or without a cookie; so is a page of another port of this computer.
- With a password, everything but the form that asks for it is closed, and wrong passwords are counted.
- Bodies, sessions and what waits for an answer are bounded (`Limits`, `Pages`); a refused body is never written to a
  log.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audioformer_app.pages import SIZE, BusyError, Pages
from audioformer_app.settings import MAX_FILE_MB
from audioformer_app.taught import PREFIX

MB = 2**20
HOSTS_VARIABLE = "AUDIOFORMER_HOSTS"  # other names of this server, separated by commas: those of a proxy in front of it
SESSION = re.compile(r"[\w-]{1,64}")
API = "/gradio_api/"
DOOR = re.compile(r"/(login/?|theme\.css|favicon\.ico|manifest\.json|robots\.txt|(static|assets|svelte)/.*)?")
PAGE = re.compile(
    DOOR.pattern + r"|/(config|logout)/?|/(audioformer-[0-9a-f]{12}|notebooks)/.*|/gradio_api/(startup-events|app_id"
    r"|login_check|info|theme\.css|upload|upload_progress|file=.*|queue/(join|data)|cancel|reset"
    r"|heartbeat/[\w-]{1,64})/?"
)
HEADERS = {
    b"content-security-policy": b"frame-ancestors 'self'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
}


@dataclass(frozen=True)
class Limits:
    """Bounds on what can be sent.

    Attributes:
        form: bytes of a question of the page without sound, of the password form, of all else.
        sound: bytes of a portion of sound of the room Live: 12 s at 192 kHz, 16 bit, in base64.
        inputs: characters of the values of an event's inputs; the longest is the description of an uploaded file.
        waiting: bytes of all questions that wait for an answer, of all pages together.
        uploads: bytes of all uploaded files on the disk; they are deleted after ten minutes.
        attempts: wrong passwords of one address within `attempts_s` seconds.
        addresses: addresses whose wrong passwords are remembered.
        visitors: people logged in at once; the one who came first has to log in again.
        streams: connections that stay open (two a page).
    """

    form: int = MB // 4
    sound: int = 6 * MB + MB // 4
    inputs: int = 4000
    waiting: int = 64 * MB
    uploads: int = 1024 * MB
    attempts: int = 10
    attempts_s: float = 300.0
    addresses: int = 1000
    visitors: int = 1000
    streams: int = 400


class Refusal(Exception):
    """A request that is not answered: its status and a sentence for whoever sent it."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status, self.text = status, text


def other_hosts() -> list[str]:
    """Host names besides this computer's own.

    Those of AUDIOFORMER_HOSTS, and of Gradio's root path where it is an address.
    """
    listed = os.environ.get(HOSTS_VARIABLE, "").split(",")
    return [
        name for name in (*map(str.strip, listed), urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).hostname) if name
    ]


class Guard:
    """ASGI application in front of Gradio's.

    Args:
        inner: Gradio's application with its middleware.
        gradio: the same application itself, which knows who is logged in.
        pages: the sessions of the page.
        names: host names of this computer; every IP address is accepted, since no other site's name can be one.
        locked: whether a password is asked for.
        limits: bounds.
    """

    def __init__(self, inner: ASGIApp, gradio, pages: Pages, names: Iterable[str], locked: bool, limits: Limits):
        self.inner, self.gradio, self.pages, self.locked, self.limits = inner, gradio, pages, locked, limits
        self.elsewhere = {name.lower() for name in other_hosts()}
        self.names = {"localhost", *(name.lower() for name in names)} | self.elsewhere
        self.wrong: OrderedDict[str, deque[float]] = OrderedDict()  # address to the times of its wrong passwords
        self.streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, let through or refuse."""
        if scope["type"] == "lifespan":
            return await self.inner(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        request = Request(scope)
        try:
            self._require_own_host(request)
            self._require_own_page(request)
            self._require_open_door(request)
            receive = await self._bounded(request, receive)
        except Refusal as refusal:
            answer = PlainTextResponse(refusal.text, refusal.status, {"connection": "close"})
            return await answer(scope, receive, self._sealed(send))
        await self._let_through(request, receive, send)

    async def _let_through(self, request: Request, receive: Receive, send: Send) -> None:
        path, send = request.url.path, self._sealed(send)
        if path.startswith("/login"):
            return await self.inner(request.scope, receive, self._watched(request, send))
        session = _session(request)
        if session is None:
            return await (self._upload if path.startswith(API + "upload") else self.inner)(request.scope, receive, send)
        self.streams += 1
        try:
            with self.pages.reading(session) if path.startswith(API + "queue") else nullcontext():
                await self.inner(request.scope, receive, send)
        finally:
            self.streams -= 1

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Gradio's answer to an upload; where it breaks on one without a file name, a sentence."""
        nameless = "Each file of an upload needs a name."

        broken = False

        async def unless_broken(message: Message) -> None:
            nonlocal broken
            broken = broken or message.get("status") == 500
            if not broken:
                await send(message)

        try:
            await self.inner(scope, receive, unless_broken)
        except TypeError:
            await PlainTextResponse(nameless, 400)(scope, receive, send)

    # --- whose page asks

    def _require_own_host(self, request: Request) -> None:
        host = request.headers.get("host", "")
        name = _hostname(host)
        if not (name in self.names or _is_address(name)):
            raise Refusal(
                421,
                f"This app does not answer under the name {name[:100]!r}. If the name is yours, start the app with "
                f"{HOSTS_VARIABLE}={name[:100]} in its environment; behind a proxy as that of JupyterHub, with "
                "GRADIO_ROOT_PATH=ADDRESS, the whole address of this page there.",
            )

    def _require_own_page(self, request: Request) -> None:
        path, headers = request.url.path, request.headers
        if request.method not in ("GET", "HEAD", "POST"):
            raise Refusal(405, "Only GET, HEAD and POST are answered.")
        if not PAGE.fullmatch(path) or ".." in path:
            raise Refusal(404, "There is nothing here.")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None:
            own = urlsplit(origin).netloc.lower() == headers["host"].lower()
            if not (own or (urlsplit(origin).hostname or "") in self.elsewhere):
                raise Refusal(403, "Another web site asks this app for something; it answers its own pages only.")
        elif site not in ("none", "same-origin"):  # a link from elsewhere may open the page, and nothing more
            opens = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
            if request.method != "GET" or not opens or path.startswith((API, "/logout", "/config")):
                raise Refusal(403, "Another web site asks this app for something; it answers its own pages only.")

    # --- the door

    def _require_open_door(self, request: Request) -> None:
        if not self.locked:
            return
        if request.url.path.startswith("/login") and self._recent(request) >= self.limits.attempts:
            minutes = self.limits.attempts_s / 60
            raise Refusal(429, f"Too many wrong passwords from this address; try again in {minutes:.0f} minutes.")
        if DOOR.fullmatch(request.url.path) or request.url.path == API + "startup-events":
            return
        tokens = (request.cookies.get(f"access-token-{kind}{self.gradio.cookie_id}") for kind in ("", "unsecure-"))
        if not any(token in self.gradio.tokens for token in tokens):
            raise Refusal(401, "Log in first.")

    def _recent(self, request: Request) -> int:
        """Wrong passwords of this address lately."""
        times = self.wrong.get(_address(request), deque())
        while times and time.monotonic() - times[0] > self.limits.attempts_s:
            times.popleft()
        return len(times)

    def _watched(self, request: Request, send: Send) -> Send:
        """`send` for the answer to a password: a wrong one is counted and said in the terminal.

        A field without a word is a wrong one, too: 400, on which Gradio's door says so.
        """

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and request.method == "POST":
                if message["status"] >= 400:
                    self._count_wrong(request)
                    message = {**message, "status": 400}
                while len(self.gradio.tokens) > self.limits.visitors:
                    self.gradio.tokens.pop(next(iter(self.gradio.tokens)))
            await send(message)

        return watched

    def _count_wrong(self, request: Request) -> None:
        address = _address(request)
        times = self.wrong.setdefault(address, deque(maxlen=self.limits.attempts))
        times.append(time.monotonic())
        self.wrong.move_to_end(address)
        while len(self.wrong) > self.limits.addresses:
            self.wrong.popitem(last=False)
        count = f"{self._recent(request)} within {self.limits.attempts_s / 60:.0f} minutes"
        print(f"audioformer app: wrong password from {address} ({count})", file=sys.stderr, flush=True)

    # --- how much

    async def _bounded(self, request: Request, receive: Receive) -> Receive:
        """`receive` with a bound; an event is read whole and looked at.

        Raises:
            Refusal: too much, or no event of this page.
        """
        path = request.url.path
        session = _session(request)
        if session is not None and self.streams >= self.limits.streams:
            raise Refusal(503, "Too many pages are open; close one.")
        if path.startswith(API + "queue/data") and session not in self.pages.queue.pending_messages_per_session:
            raise Refusal(404, "This session has asked nothing.")
        is_upload, is_event = path.startswith(API + "upload"), path.startswith(API + "queue/join")
        limit = (MAX_FILE_MB + 1) * MB if is_upload else self.limits.sound if is_event else self.limits.form
        told = request.headers.get("content-length", "0")
        if not told.isdecimal() or int(told) > limit:
            raise Refusal(413, f"This is too large: at most {limit:,} bytes.")
        if is_upload and request.method == "POST":
            self._require_space()
        if is_event and request.method == "POST":
            body = await _read(receive, limit)
            event = self._event(body)
            try:
                await self.pages.ask(event["session_hash"], len(body), self.limits.waiting)
            except BusyError as busy:
                raise Refusal(429, f"{busy}.".capitalize()) from None
            request.scope[SIZE] = len(body)
            return _again(body, receive)
        return _counted(receive, limit)

    def _event(self, body: bytes) -> dict:
        """An event that the page can send.

        Raises:
            Refusal: it is none.
        """
        try:
            event = json.loads(body)
            which = event["fn_index"]
            session, data = event["session_hash"], event["data"]
            function = self.gradio.get_blocks().fns[which] if type(which) is int else None
            if function is None or not isinstance(session, str) or not SESSION.fullmatch(session):
                raise ValueError
            if not isinstance(data, list) or len(data) != len(function.inputs):
                raise ValueError
            if len(json.dumps(data)) > self.limits.inputs or not all(map(_fits, function.inputs, data)):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):  # JSON that is none is a ValueError
            raise Refusal(400, "This is no event of the page.") from None
        takes_sound = any(target[1] == "push" for target in function.targets)
        if len(body) > self.limits.form and not takes_sound:
            raise Refusal(413, f"This is too large: at most {self.limits.form:,} bytes.")
        return event

    def _require_space(self) -> None:
        folder = Path(self.gradio.uploaded_file_dir)
        used = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) if folder.is_dir() else 0
        if used > self.limits.uploads:
            raise Refusal(507, "Too many files were uploaded in the last ten minutes; try again later.")

    # --- what goes out

    def _sealed(self, send: Send) -> Send:
        """`send` with headers that keep other sites out, and with cookies that they cannot make a browser send."""

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name, _same_site(value) if name.lower() == b"set-cookie" else value)
                    for name, value in message.get("headers", [])
                    if name.lower() not in HEADERS
                ]
                message = {**message, "headers": [*headers, *HEADERS.items()]}
            await send(message)

        return sealed


def _fits(block, value) -> bool:
    """Whether a choice is one that is offered, or a classifier that was taught.

    Other inputs are looked at by Gradio.
    """
    choices = getattr(block, "choices", None)
    if choices is None or value is None:
        return True
    return isinstance(value, str) and (value.startswith(PREFIX) or value in [one for _, one in choices])


def _same_site(cookie: bytes) -> bytes:
    """A cookie that is sent with requests of the page itself, and when a link opens the page."""
    return re.sub(rb";\s*samesite=\w+", b"", cookie, flags=re.IGNORECASE) + b"; SameSite=lax"


def _session(request: Request) -> str | None:
    """Session of a connection that stays open; None for every other request."""
    path = request.url.path
    if path.startswith(API + "heartbeat/"):
        return path.removeprefix(API + "heartbeat/").strip("/")
    if path.startswith(API + "queue/data"):
        named = request.query_params.get("session_hash", "")
        return named if SESSION.fullmatch(named) else None
    return None


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    return True


async def _read(receive: Receive, limit: int) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "The connection broke.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise Refusal(413, f"This is too large: at most {limit:,} bytes.")
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` that gives a body that was read already."""
    parts = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return parts.popleft() if parts else await receive()

    return again


def _counted(receive: Receive, limit: int) -> Receive:
    """`receive` that breaks off where a body without a stated length grows too long."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        return message if total <= limit else {"type": "http.disconnect"}

    return counted
