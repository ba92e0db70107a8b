"""Real media servers and publishers on loopback: nginx with its RTMP module, fed by FFmpeg's program."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

from debian import present, program

_CONFIG = """
load_module {module};
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/error.log crit; {user}
events {{ worker_connections 256; }}
rtmp {{ server {{ listen 127.0.0.1:{rtmp}; chunk_size 4096; application live {{ live on; record off; {more} }} }} }}
http {{ access_log off; client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  server {{ listen 127.0.0.1:{http}; location /control {{ rtmp_control all; }} location /stat {{ rtmp_stat all; }} }} }}
"""


class RtmpServer:
    """A running nginx with RTMP. `control` is the address of its control interface."""

    def __init__(self, rtmp: int, http: int) -> None:
        self.rtmp, self.http = rtmp, http
        self.control = f"http://127.0.0.1:{http}/control"

    def url(self, name: str) -> str:
        """The address of a stream."""
        return f"rtmp://127.0.0.1:{self.rtmp}/live/{name}"


@contextmanager
def rtmp_server(home: Path, more: str = "", *, rtmp: int = 0, http: int = 0) -> Iterator[RtmpServer]:
    """nginx with its RTMP module, its files in `home`; `more` goes into the application's block. Ports are free ones, or
    those given."""
    nginx = program("nginx", "nginx-light", "libnginx-mod-rtmp")
    module = present("usr/lib/nginx/modules/ngx_rtmp_module.so", "nginx-light", "libnginx-mod-rtmp")
    rtmp, http = rtmp or free_port(), http or free_port()
    home.mkdir(exist_ok=True)
    config = home / "nginx.conf"
    config.write_text(
        _CONFIG.format(module=module, home=home, rtmp=rtmp, http=http, more=more, user="user root;")
    )
    running = subprocess.Popen([nginx, "-p", str(home), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{http}/stat", timeout=2)
                break
            except httpx2.TransportError:
                assert running.poll() is None, (home / "error.log").read_text()
                assert time.monotonic() < until, "nginx did not start"
                time.sleep(0.1)
        yield RtmpServer(rtmp, http)
    finally:
        running.terminate()
        running.wait(10)


@contextmanager
def publisher(
    url: str,
    file: Path | None = None,
    *,
    seconds: int = 60,
    keyframes: int = 30,
    form: str = "flv",
    more: Sequence[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg's program sends a file in a loop, or a test pattern, in real time; a keyframe each `keyframes` frames of 30 a
    second. `more` are options that win over the usual ones."""
    ffmpeg = program("ffmpeg", "ffmpeg")
    source = (
        ["-stream_loop", "-1", "-i", str(file)]
        if file is not None
        else ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30"]
    )
    command = [
        ffmpeg, "-nostdin", "-loglevel", "error", "-re", *source, "-t", str(seconds), "-an", "-c:v", "libx264",
        "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", str(keyframes), *more, "-f", form, url,
    ]  # fmt: skip
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.kill()
        running.wait(10)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
