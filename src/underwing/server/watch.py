"""Follows the policy files while the service runs: a good new one is taken over, a bad one is told about."""

import asyncio
import logging
from pathlib import Path

from underwing.engine import Engine
from underwing.policy import Policy, PolicyFile
from underwing.server.ingest import Ingest
from underwing.server.logs import note
from underwing.server.metrics import Metrics

SECONDS = 1.0
"""How often the files are looked at."""


class PolicyWatch:
    """The policy and the shadow policy at their paths (empty: the shipped policy, no shadow).

    Raises:
        PolicyError: a file is invalid at the start, when there is no older policy to keep.
    """

    def __init__(self, policy: str = "", shadow: str = "") -> None:
        self._files = {"policy": PolicyFile(Path(policy) if policy else None)}
        if shadow:
            self._files["shadow"] = PolicyFile(Path(shadow))
        self.errors: dict[str, str] = {}
        """What is wrong with a file that is not followed at the moment, by its kind."""

    def policies(self) -> tuple[Policy, Policy | None]:
        """The last valid policy and shadow policy."""
        shadow = self._files.get("shadow")
        return self._files["policy"].current(), shadow.current() if shadow else None

    def versions(self) -> dict[str, str]:
        """The content hashes of what is followed, by kind."""
        return {kind: file.current().version for kind, file in self._files.items()}

    def look(self, metrics: Metrics) -> bool:
        """Read the files that changed; whether there is something to take over. May take a while."""
        before = self.versions()
        for kind, file in self._files.items():
            if not file.changed():
                continue
            error = file.reload()
            if error is None:
                self.errors.pop(kind, None)
                note("policy_read", kind=kind, version=file.current().version)
            else:
                self.errors[kind] = error.removeprefix(f"{file.path}: ")
                note("policy_invalid", logging.ERROR, kind=kind, problem=error, kept=file.current().version)
        metrics.policy_invalid.set(bool(self.errors))
        return self.versions() != before

    async def follow(self, engine: Engine, ingest: Ingest, metrics: Metrics) -> None:
        """Look every second, for ever; take over between two transactions."""
        while True:
            await asyncio.sleep(SECONDS)
            try:
                if await asyncio.to_thread(self.look, metrics):
                    policy, shadow = self.policies()
                    await ingest.call(lambda p=policy, s=shadow: engine.use_policy(p, s))  # type: ignore[misc]
                    metrics.policy_reloads.inc()
                    note("policy_taken_over", **self.versions())
            except Exception as error:
                note("policy_watch_fault", logging.ERROR, error)
