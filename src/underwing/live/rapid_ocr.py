"""Text in pictures by RapidOCR (PP-OCRv6, models within the package; Apache-2.0), on the CPU, without a download.

The longer side is taken down to 480 pixels to find where text is, and the text is read at the picture's own size: 0.15 s of
one core a frame, with text or without (`python benchmarks/live_senses.py`). It reads Latin script and Chinese.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from underwing.live.senses import Line, Pixels, SenseMissingError

SIDE = 480
_SETTINGS: dict[str, Any] = {
    "Global.log_level": "error",
    "Global.use_cls": False,  # text that stands on its head is not looked for
    "Det.limit_side_len": SIDE,
    "Det.limit_type": "max",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


class RapidOcr:
    """Reads text in pictures. Raises `SenseMissingError` where the extra `screen` is not installed."""

    name = "rapidocr"

    def __init__(self) -> None:
        try:
            import cv2
            from rapidocr import RapidOCR
        except ImportError as error:
            raise SenseMissingError("reading text on the screen", "screen", error) from error
        cv2.setNumThreads(1)
        self._engine: Any = RapidOCR(params=_SETTINGS)

    def read(self, picture: Pixels) -> Sequence[Line]:
        """The lines of text in it, from top to bottom."""
        height, width = picture.shape[:2]
        found = self._engine(np.ascontiguousarray(picture[:, :, ::-1]))
        if found.txts is None:
            return []
        lines = [
            Line(text, float(sure), _box(corners, width, height))
            for text, sure, corners in zip(found.txts, found.scores, found.boxes, strict=True)
        ]
        return sorted(lines, key=lambda line: (line.box[1], line.box[0]))


def _box(corners: Any, width: int, height: int) -> tuple[float, float, float, float]:
    x, y = corners[:, 0] / width, corners[:, 1] / height
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())
