"""Runs the service: listens at once, loads packs and store beside, stops without losing a request."""

import asyncio
import gc
import logging
import signal
import sys
import threading
from pathlib import Path

import uvicorn

from underwing.banks.urls import UrlListError
from underwing.casebook.errors import CasebookError
from underwing.casebook.regions import RegionError
from underwing.engine import Engine, Runner, StoreError
from underwing.media.classifier import ClassifierMissingError, require_classifier
from underwing.packs import PackError, load_packs
from underwing.policy import PolicyError, load_policy
from underwing.server.app import App, create_app
from underwing.server.casework import Casework, load_casework
from underwing.server.keys import Keys
from underwing.server.logs import flush, note, set_up
from underwing.server.settings import Settings, SettingsError
from underwing.server.streams.hooks.config import HookError
from underwing.server.streams.switches import switches_of
from underwing.text import Meaning

_CASEBOOK = (CasebookError, RegionError, SettingsError)


def load_runner(settings: Settings) -> Runner:
    """Packs, policy and store as the settings say. Takes a second or two.

    Raises:
        PackError, PolicyError, StoreError: what cannot be loaded, and what to mend.
    """
    packs = load_packs(Path(settings.packs) if settings.packs else None)
    policy = load_policy(Path(settings.policy) if settings.policy else None)
    shadow = load_policy(Path(settings.shadow)) if settings.shadow else None
    meaning = Meaning.load(second=settings.second_reader) if settings.meaning else None
    return Runner(
        Engine(packs, policy, shadow=shadow, meaning=meaning, switches=switches_of(settings)),
        settings.database,
        capacity=settings.capacity,
        durability=settings.durability,
    )


class Service:
    """The application, its HTTP server and its engine, as one thing that runs and stops.

    `run` blocks; `stop` may be called from any thread. `app` is there from the start (for `app.welcome()`),
    `started` is set once the address is bound, `port` then says which.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = Keys(settings.database)
        self.app: App = create_app(None, self.keys, settings)
        self.app.on_start = self._load
        self.started = threading.Event()
        self._problem: Exception | None = None
        self._runner: Runner | None = None
        self._casework: Casework | None = None
        self._server = _Server(
            uvicorn.Config(
                self.app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="on",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=settings.drain_seconds,
            ),
            self.started,
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        for server in self._server.servers:
            for listener in server.sockets:
                return int(listener.getsockname()[1])
        return self.settings.port

    async def _load(self) -> None:
        try:
            _require_classifier(self.settings)
            await asyncio.to_thread(self._open)
            assert self._runner is not None
            gc.collect()
            gc.freeze()  # packs and policy live as long as the service: no collection walks them again
            gc.set_threshold(20_000, 50, 100)
            self.app.attach(self._runner, self._casework)
            note("ready", database=self.settings.database, **_versions(self._runner))
        except Exception as error:
            self._problem = error
            self._server.should_exit = True

    def _open(self) -> None:
        """In a thread, which ends before `run` does, also where it is not waited for: what it opened is closed there."""
        self._runner = runner = load_runner(self.settings)
        self._casework = load_casework(self.settings, runner)

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            SettingsError: the classifier is not installed.
            PackError, PolicyError, StoreError, UrlListError: what cannot be loaded.
            OSError: the address cannot be listened on.
        """
        try:
            self._server.run()
        except SystemExit:
            where = f"{self.settings.host}:{self.settings.port}"
            raise OSError(f"cannot listen on {where}; choose another port, or stop what is there") from None
        except KeyboardInterrupt:
            pass
        finally:
            if self._casework is not None:
                self._casework.close()
            if self._runner is not None:
                self._runner.close()
            self.keys.close()
            self.started.set()
            note("stopped")
            flush()
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        """Stop taking requests, answer those under way, then end `run`."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Tells when the address is bound."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self.servers = []
        self._bound = started

    async def startup(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        """Bind, then tell."""
        await super().startup(sockets=sockets)
        if self.started:
            port = next((s.getsockname()[1] for server in self.servers for s in server.sockets), 0)
            note("listening", host=self.config.host, port=port)
            self._bound.set()


def _require_classifier(settings: Settings) -> None:
    if settings.classifier:
        try:
            require_classifier(settings.classifier)
        except (ValueError, ClassifierMissingError) as error:
            raise SettingsError(f"classifier: {error}") from None


def _versions(runner: Runner) -> dict[str, str]:
    versions = runner.engine.versions
    return {"engine": versions.engine, "packs": versions.packs, "policy": versions.policy}


def serve(settings: Settings) -> int:
    """Run the service until SIGTERM or Ctrl-C; the exit code. For the main thread."""
    set_up(settings.log_level)
    sys.setswitchinterval(0.0002)  # the event loop waits less for the engine's thread
    try:
        service = Service(settings)
        # uvicorn raises its signal once more when it has stopped; by then there is nothing left to end.
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            service.run()
        finally:
            signal.signal(signal.SIGTERM, before)
    except (PackError, PolicyError, StoreError, UrlListError, HookError, OSError, *_CASEBOOK) as error:
        note("cannot_serve", logging.ERROR, problem=str(error))
        flush()
        return 2
    return 0
