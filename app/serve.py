"""Starting the app: port, folder for uploads, and the launch options that keep it private and offline."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from audioformer.install.readiness import require_free_port
from audioformer_app import door
from audioformer_app.kept import give_memory_back
from audioformer_app.pages import MOST_PAGES
from audioformer_app.reader import notebook_route
from audioformer_app.settings import MAX_FILE_MB, STATIC, go_offline, own_temporary_folder

DOOR = """<span style="display: flex; gap: 10px; align-items: center; font-size: 20px; font-weight: 650">
<span style="width: 32px; height: 32px">{logo}</span>audioformer</span>
Write any name, and the password that the person who started this tells you.
After {attempts} wrong ones the door stays shut for {minutes:.0f} minutes."""


def launch(
    port: int = 7860,
    lan: bool = False,
    open_browser: bool = False,
    block: bool = True,
    codecs: Sequence[str | os.PathLike] | None = None,
    checkpoints: Sequence[str | os.PathLike] | None = None,
    pretrained: Sequence[str | os.PathLike] | None = None,
    sounds: str | os.PathLike | None = None,
    password: str | None = None,
) -> str:
    """Serve the app until Ctrl-C.

    Args:
        port: 1 to 65535.
        lan: also answer other computers, over https with a certificate made on the spot; default: this one only.
        open_browser: open the page.
        block: wait for Ctrl-C; False returns at once.
        codecs: names or folders offered; None: the bundled one, and EnCodec where its weights are.
        checkpoints: names or folders offered; None: the bundled ones.
        pretrained: names or folders of models that guess hidden codes; None: the bundled one.
        sounds: folder of the data set on the map; None: the bundled samples.
        password: asked for at the door, with any name; None: no door.

    Returns:
        Address of the page.

    Raises:
        AudioformerError: the port is taken or not allowed, weights cannot be used, or the password is too short.
    """
    auth = None if password is None else door.require_password(password)
    host = "0.0.0.0" if lan else "127.0.0.1"
    require_free_port(host, port)
    go_offline()
    own_temporary_folder(port)
    import torch

    torch.set_num_threads(1)  # several people at once gain more from one thread each
    give_memory_back()
    from audioformer_app.app import build_app, page_options

    demo = build_app(codecs, checkpoints, pretrained, sounds)
    names, addresses = door.own_names() if lan else ([], [])
    options = {
        "server_name": host,
        "server_port": port,
        "share": False,
        "inbrowser": open_browser,
        "quiet": True,
        "prevent_thread_lock": True,
        "_frontend": False,  # no look at itself within 3 s, which a busy machine fails
        "show_error": False,
        "max_file_size": f"{MAX_FILE_MB}mb",
        "footer_links": [],
        "run_history": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "pwa": False,
        "mcp_server": False,
        "strict_cors": True,
        "favicon_path": str(STATIC / "icon.svg"),
        "auth": auth,
        "auth_message": door_text() if auth else None,
        "state_session_capacity": MOST_PAGES,
        "_app": guarded(demo, names, locked=password is not None),
        **page_options(),
    }
    address = f"{'https' if lan else 'http'}://{'localhost' if lan else host}:{port}"
    print(f"audioformer app: {address}  (Ctrl-C stops it)", file=sys.stderr, flush=True)
    if lan:
        _launch_for_others(demo, port, password, options, names, addresses)
    else:
        demo.launch(**options)
    if block:
        demo.block_thread()
    return address


def door_text() -> str:
    """What the door says above name and password, as HTML."""
    from audioformer_app.guard import Limits

    logo, limits = (STATIC / "icon.svg").read_text(encoding="utf-8"), Limits()
    return DOOR.format(logo=logo, attempts=limits.attempts, minutes=limits.attempts_s / 60)


def guarded(demo, names: list[str], locked: bool):
    """Gradio's application behind our gate, with our routes.

    Args:
        demo: from `build_app`.
        names: of this computer, under which others reach the page.
        locked: whether a password is asked for.
    """
    from gradio.routes import App, ORJSONResponse, templates

    from audioformer_app.guard import Guard, Limits
    from audioformer_app.pages import Pages

    class Guarded(App):
        def build_middleware_stack(self):
            pages = Pages(demo._queue, self.state_holder, demo.forget)
            return Guard(super().build_middleware_stack(), self, pages, names, locked, Limits())

    if demo.root_path:  # behind a proxy, whose address may come without the last slash: what is relative starts here
        base = demo.root_path.rstrip("/") + "/"
        templates.context_processors.append(lambda _request: {"base_url": base})
    routes = [taught_route(demo.taught), notebook_route(), *static_routes()]
    nothing = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    return Guarded(routes=routes, default_response_class=ORJSONResponse, **nothing)


def _launch_for_others(
    demo, port: int, password: str | None, options: dict, names: list[str], addresses: list[str]
) -> None:
    """Over https; the files of the certificate are read once and deleted."""
    with door.certificate(names, addresses) as made:
        print(door.what_to_tell(port, names, addresses, made.fingerprint, password), file=sys.stderr, flush=True)
        demo.launch(ssl_certfile=str(made.certificate), ssl_keyfile=str(made.key), ssl_verify=False, **options)


def taught_route(taught):
    """Where a classifier that was taught on the page is fetched as a zip file; its name is the secret of that page."""
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    from audioformer_app.views import static_prefix

    def checkpoint(request):
        found = taught.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("this classifier is forgotten; teach it again", status_code=404)
        classes = re.sub(r"[^a-zA-Z0-9]+", "-", "-".join(found.classifier.label_names))[:60].strip("-")
        name = f"taught-{classes}.zip" if classes else "taught.zip"  # thirty pupils, thirty files
        named = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(found.zip(), media_type="application/zip", headers=named)

    return Route(f"/{static_prefix()}/taught/{{name}}.zip", checkpoint)


def static_routes() -> list:
    """Our scripts and the installed plotly's plotly.min.js, under an address that changes with their content."""
    import plotly
    from starlette.responses import FileResponse
    from starlette.routing import Route
    from starlette.staticfiles import StaticFiles

    from audioformer.widgets import modules
    from audioformer_app.views import static_prefix

    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    forever = {"Cache-Control": "public, max-age=31536000, immutable"}

    def plotly_script(request):  # noqa: ARG001 - starlette passes it
        return FileResponse(script, media_type="text/javascript", headers=forever)

    def files(folder):  # no Mount: behind a proxy that takes a prefix away (GRADIO_ROOT_PATH) it finds no file
        served = StaticFiles(directory=folder)

        async def file(request):
            return await served.get_response(request.path_params["path"], request.scope)

        return file

    return [
        Route(f"/{static_prefix()}/plotly.min.js", plotly_script),
        Route(f"/{static_prefix()}/widgets/{{path:path}}", files(modules.STATIC)),
        Route(f"/{static_prefix()}/{{path:path}}", files(STATIC)),
    ]
