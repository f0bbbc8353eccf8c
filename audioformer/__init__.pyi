# The public names and where they stand: read by type checkers, and by __init__.py when a name is first used.
from .audio import Waveform as Waveform
from .audio import load_audio as load_audio
from .codecs.spectra import log_mel as log_mel
from .audio import save_audio as save_audio
from .classifier import Classifier as Classifier
from .classify import AudioClassifier as AudioClassifier
from .classify import Prediction as Prediction
from .classify import load as load
from .codec import Codec as Codec
from .codecs import load_codec as load_codec
from .codecs.codes_file import load_codes as load_codes
from .codecs.codes_file import save_codes as save_codes
from .config import EncoderConfig as EncoderConfig
from .config import MaskConfig as MaskConfig
from .recipes import TrainConfig as TrainConfig
from .data.corpus import Corpus as Corpus
from .data.datasets import open_dataset as open_dataset
from .errors import AudioformerError as AudioformerError
from .finetune import FineTuning as FineTuning
from .model import AudioFormer as AudioFormer
from .pretrain import MaskedModelling as MaskedModelling
from .start import load_pretrained as load_pretrained
from .recipes import finetune_preset as finetune_preset
from .recipes import preset as preset
from .recipes import pretrain_preset as pretrain_preset

__version__: str
