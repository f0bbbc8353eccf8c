"""Layout of the page and which handler answers which event; nothing is computed here."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from functools import wraps

from audioformer_app.settings import MAX_FILE_MB, SHOWN_S, STATIC, go_offline

go_offline()

import gradio as gr  # noqa: E402 - only after going offline

from audioformer.widgets import modules  # noqa: E402
from audioformer_app import analysis, cards, texts  # noqa: E402
from audioformer_app.answers import SURE  # noqa: E402
from audioformer_app.events import LISTENERS, Page, codec_note, sent  # noqa: E402
from audioformer_app.languages import LANGUAGES, explanation  # noqa: E402
from audioformer_app.lessons import Lessons  # noqa: E402
from audioformer_app.listening import Listening  # noqa: E402
from audioformer_app.models import PLAIN, Models  # noqa: E402
from audioformer_app.reader import NOTEBOOKS, mention, readable  # noqa: E402
from audioformer_app.rooms import sight  # noqa: E402
from audioformer_app.samples import first_choice, list_samples  # noqa: E402
from audioformer_app.tour import TOUR  # noqa: E402
from audioformer_app.views import clip_player, fixed, header, own_sound, room_view, sample_picker  # noqa: E402

MODEL = {"concurrency_id": "model", "concurrency_limit": min(8, os.cpu_count() or 1), "api_visibility": "private"}
LIVE = {"concurrency_id": "live", "concurrency_limit": max(2, os.cpu_count() or 1), "api_visibility": "private"}
# questions that take seconds have a line of their own: nobody who asks something light ever stands behind them
HEAVY = {"concurrency_id": "heavy", "concurrency_limit": max(1, min(8, os.cpu_count() or 1) // 2)}
HEAVY_ROOMS = ("why", "switches", "map", "files", "sight")
MOST_WAITING = 512  # events: thirty people ask three questions each at once, and one more than this is refused
IDLE_S = 0.01  # between two looks at an empty queue; Gradio looks every 0.001 s, which keeps a laptop's processor awake
QUIET = {**MODEL, "trigger_mode": "multiple", "show_progress": "hidden"}
IN_DEPTH = {"en": "In depth: notebook", "zh": "深入：笔记本", "es": "A fondo: cuaderno", "fr": "En détail : cahier"}
LATEX = [{"left": "$$", "right": "$$", "display": True}, {"left": "$", "right": "$", "display": False}]


def theme() -> gr.Theme:
    """System fonts (nothing to fetch), slate greys, one blue."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.sky,
        neutral_hue=gr.themes.colors.slate,
        font=fonts,
        font_mono=["ui-monospace", "SFMono-Regular", "Consolas", "monospace"],
        spacing_size="sm",
        radius_size="md",
        text_size="md",
    )


def page_options() -> dict:
    """What Gradio 6 wants at launch rather than in the layout: look, style sheet and head."""
    return {
        "theme": theme(),
        "css": modules.style()
        + "".join((STATIC / name).read_text(encoding="utf-8") for name in ("style.css", "tour.css", "flow.css")),
        "head": (STATIC / "head.html").read_text(encoding="utf-8")
        + f"<script>{(STATIC / 'stream.js').read_text(encoding='utf-8')}</script>",
    }


def build_app(
    codecs: Sequence[str | os.PathLike] | None = None,
    checkpoints: Sequence[str | os.PathLike] | None = None,
    pretrained: Sequence[str | os.PathLike] | None = None,
    sounds: str | os.PathLike | None = None,
) -> gr.Blocks:
    """The page, ready to launch, with a bundled clip already analysed.

    Args:
        codecs: names or folders offered; None: the bundled one, and EnCodec where its weights are.
        checkpoints: names or folders offered; None: the bundled ones.
        pretrained: names or folders of models that guess hidden codes; None: the bundled one.
        sounds: folder of the data set on the map; None: the bundled samples.

    Returns:
        Gradio Blocks; `audioformer_app.launch` serves it with all the settings it needs.

    Raises:
        AudioformerError: a codec or checkpoint cannot be used.
    """
    models, samples = Models(codecs, checkpoints, pretrained, sounds), list_samples()
    if sounds is not None:
        models.atlas()  # a folder that cannot be used is said now, not in the room
    codec, checkpoint = next(iter(models.codecs)), next(iter(models.checkpoints), None)
    page, chosen, first = Page(models, samples), first_choice(samples), None
    if chosen is not None:
        clip = analysis.open_clip(samples[chosen].path, samples[chosen].label, samples[chosen].events)
        first = page.analyse(clip, chosen, codec, checkpoint)
    with gr.Blocks(title="audioformer", analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as demo:
        top = header(
            texts.SENTENCE,
            [{**step, "readable": step.get("notebook") in readable()} for step in TOUR],
            elem_id="af-head",
        )
        current = gr.State(first)  # kept while the page is open, and an hour longer
        with gr.Row(elem_id="af-main"):
            with gr.Column(scale=0, min_width=300, elem_id="af-side"):
                inputs = _side(models, samples, chosen)
            with gr.Column(scale=1, min_width=320, elem_id="af-stage"):
                message = fixed("", elem_id="af-message")
                strip = room_view("strip", elem_id="af-strip", visible=bool(models.checkpoints))
                verdict = fixed(cards.verdict_card(first), elem_id="af-verdict")
                view, rooms, helps = _rooms(page.view(first) if first else "", models)
        parts = {**inputs, "state": current, "top": top, "message": message, "verdict": verdict, "view": view}
        _connect(page, parts)
        if models.checkpoints:
            rooms["strip"] = strip
        listening, lessons = Listening(page), Lessons(page)
        _connect_live(listening, demo, rooms.pop("live"), parts)
        _connect_teach(lessons, demo, rooms.pop("teach"), parts)
        demo.taught = models.taught  # the server gives its checkpoints out as files

        def forget(session: str) -> None:
            listening.sessions.drop(session)
            lessons.forget(session)

        demo.forget = forget  # for a session that has to make room
        _on(top.speak, _speaker(list(helps)), None, helps, **QUIET)
        for name, room in rooms.items():
            line = {**QUIET, **HEAVY} if name in HEAVY_ROOMS else QUIET
            _on(room.ask, page.ask(name), current, {"message": message, "view": room}, **line)
    demo.queue(max_size=MOST_WAITING, api_open=False)
    demo._queue.sleep_when_free = max(IDLE_S, demo._queue.sleep_when_free)  # Gradio has no option for it
    return demo


def _rooms(first_view: str, models: Models) -> tuple[gr.HTML, dict[str, gr.HTML], dict[str, gr.Markdown]]:
    """The rooms as tabs; each asks its own questions once it is on the screen.

    Returns:
        The clip's view, all that ask, and the explanations by "room.NAME".
    """
    helps: dict[str, dict[str, gr.Markdown]] = {}
    with gr.Tabs(elem_id="af-rooms", overflow_behavior="wrap"):
        with gr.Tab("Listen", id="listen"):
            view = clip_player(first_view, elem_id="af-view")
            helps["listen"] = _help("PICTURES", "CODES", "LABEL")
        rooms = {"listen": view}
        if models.pretrained:
            with gr.Tab("Mask", id="mask"):
                rooms["mask"] = room_view("mask", elem_classes="af-plain")
                helps["mask"] = _help("MASKING", "GUESSING", "FILLING")
        if models.checkpoints:
            with gr.Tab("Flow", id="flow"):
                rooms["flow"] = room_view("flow", elem_classes="af-plain")
                helps["flow"] = _help("FLOW", "FLOW_BLOCK", "FLOW_LIMITS")
            with gr.Tab("Switches", id="switches"):
                rooms["switches"] = room_view("switches", elem_classes="af-plain")
                helps["switches"] = _help("SWITCHES", "SWITCHES_UNITS", "SWITCHES_LIMITS")
            with gr.Tab("Attention", id="attention"):
                rooms["attention"] = room_view("attention", elem_classes="af-plain")
                helps["attention"] = _help("ATTENTION", "ROLLOUT", "ATTENTION_LIMITS")
            with gr.Tab("Why", id="why"):
                rooms["why"] = room_view("why", elem_classes="af-plain")
                helps["why"] = _help("WHY", "TRUST", "WHY_LIMITS")
        with gr.Tab("Map", id="map"):
            rooms["map"] = room_view("map", elem_classes="af-plain")
            helps["map"] = _help("MAP", "MAP_NEIGHBOURS", "MAP_LIMITS")
        if models.checkpoints:
            with gr.Tab("Files", id="files"):
                rooms["files"] = room_view("files", elem_classes="af-plain")
                helps["files"] = _help("FILES", "FILES_REVIEW", "FILES_LIMITS")
        if sight.is_here():
            with gr.Tab("Sight", id="sight"):
                rooms["sight"] = room_view("sight", elem_classes="af-plain")
                helps["sight"] = _help("SIGHT", "SIGHT_HOW", "SIGHT_LIMITS")
        with gr.Tab("Results", id="results"):
            rooms["results"] = room_view("results", elem_classes="af-plain")
            helps["results"] = _help("RESULTS", "RESULTS_RULES", "RESULTS_LIMITS")
        with gr.Tab("Live", id="live"):
            rooms["live"] = room_view("live", ("push", "freeze", "use"), elem_classes="af-plain")
            helps["live"] = _help("LIVE", "LIVE_WINDOW", "LIVE_LIMITS")
        with gr.Tab("Teach", id="teach"):
            rooms["teach"] = room_view("teach", ("ask", "train", "open"), elem_classes="af-plain")
            helps["teach"] = _help("TEACH", "TEACH_HOW", "TEACH_LIMITS")
    every = {f"{room}.{name}": text for room, own in helps.items() for name, text in own.items()}
    return view, rooms, every


def _help(*columns: str) -> dict[str, gr.Markdown]:
    """What one is looking at, with the equations; returns the texts by their names in `texts`."""
    shown = {}
    with gr.Accordion("What am I looking at?", open=False, elem_classes="af-help"):
        with gr.Row():
            for name in columns:
                shown[name] = gr.Markdown(_explanation(name, "en"), latex_delimiters=LATEX)
        shown["KEYS"] = gr.Markdown(texts.KEYS)
    return shown


def _explanation(name: str, language: str) -> str:
    """A text of the help, and the notebook of its topic."""
    text, book = explanation(name, language), NOTEBOOKS.get(name)
    return text + (f"\n\n{IN_DEPTH[language]} {mention(book)}" if book else "")


def _speaker(names: Sequence[str]) -> Callable:
    """The answer to another language: the explanations in it, by "room.NAME"."""

    def speak(event: gr.EventData) -> dict:
        code = str(sent(event, "language"))[:8]
        return {name: _explanation(name.split(".")[-1], code) for name in names} if code in LANGUAGES else {}

    return speak


def _side(models: Models, samples: list, chosen: int | None) -> dict:
    """Left column: where the sound comes from, and who looks at it."""
    own_sound(elem_id="af-own", elem_classes="af-plain")
    fixed(
        "<h2>A sound <small>computed, no recordings</small></h2>", elem_classes=["af-heading", "af-plain", "af-first"]
    )
    picker = sample_picker(samples, chosen, elem_id="af-samples", elem_classes="af-plain")
    audio = gr.Audio(
        sources=["upload"],
        type="filepath",
        elem_id="af-input",
        editable=False,
        buttons=[],
        label="Your own sound",
        show_label=False,
    )
    fixed(
        f"<p class='af-note'>WAV, FLAC, Ogg, MP3, or what this browser plays, up to {MAX_FILE_MB} MB; "
        f"the first {SHOWN_S:.0f} s are used.</p>",
        elem_classes="af-plain",
    )
    fixed("<h2>Who listens</h2>", elem_classes=["af-heading", "af-plain"])
    names, codecs = list(models.checkpoints), list(models.codecs)
    checkpoint = gr.Radio(
        [(PLAIN.get(name, name), name) for name in names],
        value=next(iter(names), None),
        label="Checkpoint (gives the label)",
        elem_id="af-checkpoint",
        visible=bool(names),
    )
    sure = gr.Slider(
        0.05, 0.95, SURE, step=0.05, label="Give a label from this probability on", elem_id="af-sure", buttons=[]
    )
    codec = gr.Radio(
        codecs,
        value=codecs[0],
        label="Codec (writes the codes)",
        elem_id="af-codec",
        elem_classes=[] if len(codecs) > 1 else ["af-only"],
    )
    with gr.Accordion("Codec, licence, microphone", open=False, elem_classes="af-more-about"):
        note = fixed(codec_note(codecs[0], models), elem_id="af-codec-note", elem_classes="af-plain")
        raw = gr.Checkbox(True, label="Raw microphone", info=texts.MICROPHONE, elem_id="af-raw")
    raw.change(None, raw, None, js="(on) => { window.audioformerRawMicrophone = on; }", api_visibility="private")
    parts = {"picker": picker, "audio": audio, "checkpoint": checkpoint, "codec": codec, "note": note}
    return {**parts, "sure": sure}


def _chosen(part: dict) -> list:
    """Who listens."""
    return [part[name] for name in LISTENERS]


def _shows(part: dict, *more: str) -> dict:
    """What an answer of `Page.show` goes to, by name, but for who listens.

    An event answers only with choices that it is about.
    """
    return {name: part[name] for name in ("message", "state", "verdict", "view", "picker", "note", *more)}


def _on(event: Callable, answer: Callable, inputs: list | None, outputs: dict, **options) -> gr.events.Dependency:
    """Connect an event with its answer, a dict of some outputs by name, in a form of which Gradio keeps no copies.

    Gradio (6.31) makes another component of one that is answered with an update. When that is read as an input later,
    or answered with a value, both stay for as long as the session lasts: 100 kB an event and more. So what events read
    (choices, the sound) is answered with values, and all else with updates.
    """

    def in_order(answer: dict) -> list:
        return [
            gr.update(value=answer[name])
            if isinstance(part, gr.HTML | gr.Markdown) and isinstance(answer.get(name), str)
            else answer.get(name, None if name == "audio" else gr.skip())
            for name, part in outputs.items()
        ]

    @wraps(answer)
    def once(*args) -> list:
        return in_order(answer(*args))

    @wraps(answer)
    def again_and_again(*args) -> Iterator[list]:
        yield from map(in_order, answer(*args))

    handler = again_and_again if inspect.isgeneratorfunction(answer) else once
    return event(handler, inputs, list(outputs.values()), **options)


def _connect_live(listening: Listening, demo: gr.Blocks, room: gr.HTML, part: dict) -> None:
    """The same for the room Live, whose portions of sound wait for nobody else's questions."""
    live, replies = {**QUIET, **LIVE}, {"message": part["message"], "room": room}
    _on(room.push, listening.push, _chosen(part), replies, **live)
    _on(room.freeze, listening.freeze, None, replies, **live)
    _on(room.use, listening.use, [part["state"], *_chosen(part)], _shows(part), **QUIET)
    demo.unload(listening.close)


def _connect_teach(lessons: Lessons, demo: gr.Blocks, room: gr.HTML, part: dict) -> None:
    """The same for the room Teach: one lesson at a time, and then the page listens with what it has learnt."""
    replies = {"message": part["message"], "room": room}
    _on(room.ask, lessons.ask, part["state"], replies, **QUIET)
    train = {"concurrency_id": "train", "concurrency_limit": 1, "api_visibility": "private", "show_progress": "hidden"}
    taught = _on(room.train, lessons.train, None, {**replies, "checkpoint": part["checkpoint"]}, **train)
    choose = lessons.page.choose("checkpoint")
    opened = _on(room.open, lessons.open, None, {**replies, "checkpoint": part["checkpoint"]}, **QUIET)
    _on(opened.success, choose, [part["state"], *_chosen(part)], _shows(part, "checkpoint"), **QUIET)
    _on(taught.then, choose, [part["state"], *_chosen(part)], _shows(part, "checkpoint"), **QUIET)
    demo.unload(lessons.close)


def _connect(page: Page, part: dict) -> None:
    """Which event calls which answer of `Page`."""
    asked = [part["state"], *_chosen(part)]
    # the picker asks one question at a time (static/latest.js), and the events of one page take turns (turns.py)
    show = {**MODEL, "trigger_mode": "multiple", "show_progress": "minimal", "show_progress_on": part["verdict"]}
    _on(part["top"].open, page.open, asked, _shows(part, *LISTENERS, "top"), **show)
    _on(part["picker"].pick, page.pick, asked, _shows(part), **show)
    given = [part["state"], part["audio"], *_chosen(part)]
    _on(part["audio"].change, page.drop, given, _shows(part, "audio"), **show)
    changed = {name: part[name] for name in ("message", "state", "verdict")}
    # the number comes as it was sent: Gradio's own check of it leaves a traceback in the log
    _on(part["sure"].release, page.threshold, [part["state"], part["sure"]], changed, preprocess=False, **QUIET)
    for name in LISTENERS:
        _on(part[name].input, page.choose(name), asked, _shows(part, name), **show)
