"""Interactive views of one clip, in notebooks and in the app: one copy of plain ES modules for both.

    lanes     what a time line shows, as plain data: waveform, log-mel, codes, lines, events
    sounds    sounds on their way to the browser
    modules   the modules and the style sheet in `static/`; a module with all it imports as one piece
    notebook  `timeline(sound)`: the time line as a widget in JupyterLab, by anywidget
    live      `live(classifier)`: the microphone of the browser, classified while it runs, in notebooks and in the app
    record    `record(folder, kinds)`: a button that records and saves each sound in the folder of its kind
    own_sound `own_sound()`: a sound of one's own, recorded or a file, as `.sound` of the widget
    sound_map `sound_map(points, labels, sounds)`: a map of many sounds, or several maps of them one after the other

In a notebook:

    from audioformer.widgets import timeline
    timeline("dog.ogg", classifier=af.load("esc10"))

Click a code and it is held for a moment; arrow keys step from code to code and play the sound around each; drag and the
stretch plays in a loop; space starts and stops. Nothing is loaded from anywhere: sound is cut in the browser.
"""

from audioformer.widgets import lanes, modules, sounds
from audioformer.widgets.live import live
from audioformer.widgets.notebook import timeline
from audioformer.widgets.own_sound import own_sound
from audioformer.widgets.record import record
from audioformer.widgets.sound_map import sound_map

__all__ = ["lanes", "live", "modules", "own_sound", "record", "sound_map", "sounds", "timeline"]
