"""The app: one sound on one time line, in the browser, without internet.

    settings   what has to be set before Gradio is imported: offline, private, limits
    models     codecs and checkpoints, opened once and shared
    samples    the bundled clips with a small picture each
    handlers   pure functions: a sound in, everything the page shows out (no Gradio)
    rooms      the same for Mask, Attention and changing codes
    listening  the events of the room Live
    atlas      the sounds of the room Map, described in the background
    lessons    the events of the room Teach; taught, kept: classifiers and examples, for a while
    cards      results and messages as safe HTML
    views      the interactive components (Python side of static/*.js; what notebooks share is audioformer.widgets)
    texts      the short explanations
    events     what happens after an event: updates by name, or a message
    app        the layout, and which event has which answer
    guard      the gate in front of Gradio: whose page asks, the password, how much; pages: how many sessions
    serve      port, temporary folder, start
    web        the page without a server: models as graphs, answers in JavaScript

Run it with `audioformer app`, `make app`, or `python -m audioformer_app`.
"""

import audioformer  # noqa: F401  (before torch: it sets how OpenMP's waiting threads wait)

__all__ = ["build_app", "launch"]


def __getattr__(name: str):
    """`build_app` and `launch`, imported when asked for: Gradio takes a second or two."""
    if name == "build_app":
        from audioformer_app.app import build_app

        return build_app
    if name == "launch":
        from audioformer_app.serve import launch

        return launch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
