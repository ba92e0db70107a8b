"""Nothing reports to anybody: not what our extras bring either."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("first", ["underwing", "underwing.live.rapid_ocr", "underwing.media.classifier"])
def test_onnx_runtime_gathers_nothing_about_the_machine(first: str, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    code = f"import {first}, onnxruntime; onnxruntime.SessionOptions(); print(onnxruntime.__version__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip()
    assert [path for path in tmp_path.rglob("*") if "onnx" in str(path).lower()] == []
