"""The vault's way in and its way out: bytes are sealed as they come and opened as they are read, a segment at a time.

In the store an object is `objects/<locator>/<segment number>` (sealed) and `contents/<address>/entry`, which says where the
segments of this content lie. The address is a keyed hash: HMAC-SHA256 of the content's SHA-256 under a key that only the
case key gives. So the same bytes in the same case have one address and are kept once, and whoever sees only the store
learns neither the plain hash nor that two cases hold the same thing.
"""

import hmac
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from typing import BinaryIO, Literal

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from underwing.casebook import keys as wrapping
from underwing.casebook import times
from underwing.casebook.custody import Custody
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.keys import Keys
from underwing.casebook.vault.index import Index, Stored
from underwing.casebook.vault.retention import ObjectKind, check_regions
from underwing.casebook.vault.seal import OVERHEAD, SEGMENT_BYTES, BrokenSeal, seal, segments, unseal
from underwing.casebook.vault.store import Exists, Missing, ObjectStore, StoreFailed

Looking = Literal["saw-media-blurred", "reveal-begun", "machine-read", "exported", "handed-over"]
"""Why bytes leave the vault, as the custody log will say."""
_ON_SCREEN = ("saw-media-blurred", "reveal-begun")
STALE = timedelta(hours=24)
"""An intake that began longer ago and is not over has died."""


class Tampered(CasebookError):
    """What the store or the index gave is not what was put; names the object and the place."""

    key = "tampered"


class Label(Struct, frozen=True, forbid_unknown_fields=True):
    """What the sender called an object; sealed under its data key, so that it goes when the object goes."""

    name: str = ""
    type: str = ""


class Vault:
    """Evidence in, evidence out. Every way in or out leaves a record in the custody log."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        keys: Keys,
        custody: Custody,
        *,
        clock: times.Clock = times.now,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.database, self.store, self.custody, self.clock = database, store, custody, clock
        self.index = Index(database)
        self._keys, self._segment = keys, segment_bytes

    def put(
        self,
        source: BinaryIO,
        *,
        case: str,
        by: str,
        reason: str = "",
        regions: tuple[str, ...] = (),
        kind: ObjectKind = "content",
        label: Label = Label(),  # noqa: B008
    ) -> Stored:
        """Take in all of `source` for a case. When this returns, bytes, key, index and record are on the disk.

        The same bytes for the same case are kept once: the object that is there is returned, and the log says that they
        came again. `regions` are those whose law the object falls under; none means all of them.

        Raises:
            CasebookError: an empty case or name, a wrong region, a store that fails. Without an answer the sender still
                has the only copy that counts, and may send it again.
        """
        if not case.strip() or not by.strip():
            raise CasebookError("evidence needs a case and the name of who brings it", "object_or_case")
        check_regions(regions)
        case_key = self._case_key(case, make=True)
        locator, data_key, begun = secrets.token_bytes(16), wrapping.new_key(), times.write(self.clock())
        self.index.begin(locator.hex(), case, begun)
        try:
            size, count, digest = self._seal(source, locator, AESGCM(data_key))
            stored, new = self._commit(
                case_key, data_key, label, by, reason,
                Stored(
                    address="", locator=locator.hex(), case=case, sha256=digest, generation=0, size=size,
                    segment=self._segment, segments=count, kind=kind, regions=tuple(sorted(set(regions))), at=begun,
                ),
            )  # fmt: skip
        except BaseException:
            self._discard(locator.hex())
            raise
        if new:
            self.settle(stored)
        else:
            self._discard(locator.hex())
        return stored

    def _seal(self, source: BinaryIO, locator: bytes, key: AESGCM) -> tuple[int, int, str]:
        """Hash and store a stream: (its bytes, its segments, its SHA-256)."""
        hashed, size, count = sha256(), 0, 0
        for number, last, segment in segments(source, self._segment):
            hashed.update(segment)
            size, count = size + len(segment), number + 1
            self.store.put(segment_name(locator.hex(), number), seal(key, locator, number, last, segment))
        return size, count, hashed.hexdigest()

    def _commit(
        self, case_key: bytes, data_key: bytes, label: Label, by: str, reason: str, made: Stored
    ) -> tuple[Stored, bool]:
        """Object, key and record in one transaction; (the object, whether it is new)."""
        with self.database.transaction():
            generation = 0
            while (there := self.index.find(address_of(case_key, made.sha256, generation))) is not None:
                if there.state != "destroyed":
                    self.custody.append(
                        "intake-again", by, case=made.case, object=there.address, reason=reason
                    )
                    return there, False
                generation += 1
            address = address_of(case_key, made.sha256, generation)
            stored = msgspec.structs.replace(made, address=address, generation=generation)
            if not self.index.end(stored.locator):
                raise CasebookError(
                    "the intake took so long that it was given up; send it again", "intake_slow"
                )
            record = self.custody.append(
                "intake", by, case=stored.case, object=address, reason=reason, facts=intake_facts(stored)
            )
            stored = msgspec.structs.replace(stored, at=record.at)
            sealed = wrapping.wrap(data_key, msgspec.json.encode(label), b"label")
            wrapped = wrapping.wrap(case_key, data_key, _data_context(stored))
            self.index.add(stored, wrapped, sealed)
            return stored, True

    def read(
        self,
        address: str,
        *,
        by: str,
        looking: Looking,
        reason: str = "",
        facts: dict[str, int | str | bool] | None = None,
    ) -> Iterator[bytes]:
        """The object's bytes, a segment at a time, each checked before it is given; the record stands before the first.

        A withdrawn object is not shown on a screen, but can be exported and handed over.

        Raises:
            CasebookError: no such object, destroyed, or withdrawn.
            WrongKey: another key-encryption key is needed.
            Tampered: a segment is not what was put. What was given until then is right, but not all.
        """
        stored = self.index.get(address)
        if stored.state == "destroyed":
            raise CasebookError(f"object {address} was destroyed; see its certificate", "destroyed")
        if stored.state == "withdrawn" and looking in _ON_SCREEN:
            raise CasebookError(f"object {address} is withdrawn from view", "withdrawn")
        self.custody.append(looking, by, case=stored.case, object=address, reason=reason, facts=facts)
        return self.unsealed(stored)

    def unsealed(self, stored: Stored) -> Iterator[bytes]:
        """The bytes of an object without a record: for `verify`, which shows them to nobody.

        Raises:
            Tampered: a key, a segment or the whole is not what was put.
        """
        key, locator = AESGCM(self._data_key(stored)), bytes.fromhex(stored.locator)
        hashed, size = sha256(), 0
        for number in range(stored.segments):
            try:
                sealed = self.store.get(segment_name(stored.locator, number), stored.segment + OVERHEAD)
                segment = unseal(key, locator, number, number == stored.segments - 1, sealed)
            except (BrokenSeal, Missing, StoreFailed) as error:
                raise Tampered(f"object {stored.address}, segment {number}: {error}") from None
            hashed.update(segment)
            size += len(segment)
            yield segment
        if (hashed.hexdigest(), size) != (stored.sha256, stored.size):
            raise Tampered(f"object {stored.address}: its bytes are not those of its SHA-256")

    def label(self, address: str) -> Label:
        """What the sender called an object; empty once it was destroyed.

        Raises:
            Tampered: the label was changed.
        """
        stored = self.index.get(address)
        _, sealed = self.index.secrets(address)
        if stored.state == "destroyed" or sealed is None:
            return Label()
        try:
            return msgspec.json.decode(wrapping.unwrap(self._data_key(stored), sealed, b"label"), type=Label)
        except (wrapping.KeyRefused, msgspec.DecodeError, TypeError):
            raise Tampered(f"object {address}: its label was changed") from None

    def address(self, case: str, sha256: str, generation: int = 0) -> str:
        """The address these bytes have in a case that has a key."""
        return address_of(self._case_key(case), sha256, generation)

    def names_of(self, stored: Stored) -> Iterator[str]:
        """The names in the store of what an object consists of."""
        yield from (segment_name(stored.locator, number) for number in range(stored.segments))
        yield entry_name(stored.address)

    def rewrap(self, keys: Keys, *, by: str, reason: str) -> int:
        """Wrap every case's key by another key-encryption key from now on; how many there were. No object is touched.

        Raises:
            CasebookError: it is the same key, or a case key that the one at hand does not open; nothing is changed then.
        """
        if keys.id == self._keys.id:
            raise CasebookError(f"the cases are wrapped by key {keys.id} already", "key_same")
        with self.database.transaction():
            cases = [case for case, _, _ in self.index.case_keys()]
            for case in cases:
                self.index.add_case_key(case, keys.id, keys.wrap(self._case_key(case), _case_context(case)))
            facts: dict[str, int | str | bool] = {"old": self._keys.id, "new": keys.id}
            self.custody.append("key-changed", by, reason=reason, facts=facts)
        self._keys = keys
        return len(cases)

    def resume(self) -> None:
        """Finish what a process that died had begun: entries not yet written, remains of destroyed objects.

        What the store refuses now is left for the next time; `verify` names it meanwhile.
        """
        for stored in list(self.index.objects(settled=False)):
            with suppress(CasebookError):
                self.settle(stored)

    def sweep(self, older: timedelta = STALE) -> int:
        """Remove what dead intakes left in the store (nobody has a key to it); how many there were."""
        dead = self.index.intakes(times.write(self.clock() - older))
        for locator in dead:
            self._discard(locator)
        return len(dead)

    def settle(self, stored: Stored) -> None:
        """Make the store hold what the index says, whatever part of that is done already."""
        if stored.state == "destroyed":
            self.store.remove(f"contents/{stored.address}")
            self.store.remove(f"objects/{stored.locator}")
        else:
            body = entry(stored)
            try:
                self.store.put(entry_name(stored.address), body)
            except Exists:
                if self.store.get(entry_name(stored.address), 4_096) != body:
                    raise Tampered(f"object {stored.address}: another entry lies in its place") from None
        self.index.settle(stored.address)

    def _discard(self, locator: str) -> None:
        """Remove what an unfinished intake stored, then its note; if the store fails, the note stays for `sweep`."""
        if not self.index.give_up(locator):
            return
        try:
            self.store.remove(f"objects/{locator}")
        except CasebookError:
            return
        self.index.forget(locator)

    def _case_key(self, case: str, make: bool = False) -> bytes:
        context = _case_context(case)
        with self.database.transaction():
            found = self.index.case_key(case)
            if found is None:
                if not make:
                    raise Tampered(f"case {case} has no key")
                key = wrapping.new_key()
                self.index.add_case_key(case, self._keys.id, self._keys.wrap(key, context))
                return key
        keys_id, wrapped = found
        if keys_id != self._keys.id:
            raise wrapping.WrongKey(
                f"the key of case {case} needs the key {keys_id}, this is {self._keys.id}"
            )
        return self._keys.unwrap(wrapped, context)

    def _data_key(self, stored: Stored) -> bytes:
        wrapped, _ = self.index.secrets(stored.address)
        if wrapped is None:
            raise Tampered(f"object {stored.address}: its key is missing")
        try:
            return wrapping.unwrap(self._case_key(stored.case), wrapped, _data_context(stored))
        except wrapping.KeyRefused as error:
            raise Tampered(f"object {stored.address}: {error}") from None


def address_of(case_key: bytes, sha256: str, generation: int) -> str:
    """64 hex digits: the keyed hash that bytes have in the case of that key."""
    own = hmac.digest(case_key, b"underwing address key", "sha256")
    return hmac.digest(own, f"{generation}:{sha256}".encode(), "sha256").hex()


def segment_name(locator: str, number: int) -> str:
    """Where a segment lies in the store."""
    return f"objects/{locator}/{number:08d}"


def entry_name(address: str) -> str:
    """Where the entry of a content lies in the store."""
    return f"contents/{address}/entry"


def entry(stored: Stored) -> bytes:
    """The entry of a content: where its segments lie and how many they are."""
    return msgspec.json.encode({"version": 1, "locator": stored.locator, "segments": stored.segments})


def intake_facts(stored: Stored) -> dict[str, int | str | bool]:
    """What the log keeps of an object at intake, so that the index can be held against it."""
    return {
        "sha256": stored.sha256, "size": stored.size, "locator": stored.locator, "segment": stored.segment,
        "segments": stored.segments, "generation": stored.generation, "kind": stored.kind,
        "regions": " ".join(stored.regions),
    }  # fmt: skip


def _case_context(case: str) -> bytes:
    return b"underwing case key\0" + case.encode()


def _data_context(stored: Stored) -> bytes:
    return b"underwing data key\0" + stored.case.encode() + b"\0" + stored.locator.encode()
