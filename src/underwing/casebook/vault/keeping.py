"""The rules of keeping: withdraw, hold, retain, and the narrow way in which evidence may be destroyed.

There is no plain delete. An object is destroyed only when its retention has run out, no hold stands on it or its case, one
person asked with a reason and another confirmed. What is destroyed is the key; the sealed bytes are removed after it.
"""

import unicodedata
from datetime import datetime

import msgspec
from msgspec import Struct

from underwing.casebook import times
from underwing.casebook.custody import Kind, Record, Signer
from underwing.casebook.custody.records import digest, encode
from underwing.casebook.database import CasebookError
from underwing.casebook.vault import tables
from underwing.casebook.vault.certificate import Certificate, certify
from underwing.casebook.vault.index import Asked, Hold, Stored
from underwing.casebook.vault.retention import Kept, Retention
from underwing.casebook.vault.vault import Vault


class Refused(CasebookError):
    """What was asked for may not be done; the reasons are listed. `holds` legal holds stand, and it is kept until `kept`."""

    def __init__(self, address: str, reasons: tuple[str, ...], holds: int, kept: Kept) -> None:
        super().__init__(
            f"object {address} must be kept: {'; '.join(reasons)}", "held" if holds else "kept_until",
            count=holds, until=times.write(kept.until)[:10], rule=kept.rule.id,
        )  # fmt: skip
        self.reasons = reasons


class Erasure(Struct, frozen=True, kw_only=True):
    """What became of a request for erasure, for one object: `reasons` why it is kept, or `asked`: nothing stands
    against it, and its destruction waits for a second person. It is withdrawn from view in any case."""

    address: str
    asked: bool
    reasons: tuple[str, ...] = ()


def reasons_to_keep(kept: Kept, holds: list[Hold], now: datetime) -> tuple[str, ...]:
    """Everything that stands against destroying an object, in words; empty when nothing does."""
    found = [f"legal hold {h.number} by {h.by} since {h.at}: {h.reason}" for h in holds]
    if now < kept.until:
        found.append(f"retention until {times.write(kept.until)} by rule {kept.rule.id} ({kept.rule.source})")
    return tuple(found)


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, however they are spelled, spaced or capitalised."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


class Keeping:
    """The acts above over a vault. Every act is one transaction with its record."""

    def __init__(self, vault: Vault, retention: Retention, signer: Signer) -> None:
        self._vault, self.retention, self._signer = vault, retention, signer
        self._index, self._custody = vault.index, vault.custody

    def kept(self, stored: Stored) -> Kept:
        """Until when an object must be kept, and by which rule."""
        return self.retention.kept(
            regions=stored.regions,
            kind=stored.kind,
            intake=times.read(stored.at),
            reported=times.read(stored.reported) if stored.reported else None,
        )

    def reasons(self, stored: Stored) -> tuple[str, ...]:
        """Everything that stands against destroying an object now."""
        return reasons_to_keep(self.kept(stored), self._index.holds_on(stored), self._vault.clock())

    def kept_of_case(self, case: str) -> datetime | None:
        """Until when the evidence of a case must be kept, the longest of it; None where there is none."""
        there = (stored for stored in self._index.objects(case) if stored.state != "destroyed")
        return max((self.kept(stored).until for stored in there), default=None)

    def held_cases(self) -> set[str]:
        """The cases with a legal hold, on all of it or on a part."""
        return {hold.case for hold in self._index.holds()}

    def withdraw(self, address: str, *, by: str, reason: str) -> None:
        """Take an object from view; it is kept as before.

        Raises:
            CasebookError: no such object, withdrawn or destroyed already, no reason.
        """
        self._change(address, "kept", "withdrawn", by, reason)

    def restore(self, address: str, *, by: str, reason: str) -> None:
        """Bring a withdrawn object back to view.

        Raises:
            CasebookError: no such object, not withdrawn, no reason.
        """
        self._change(address, "withdrawn", "kept", by, reason)

    def _change(self, address: str, old: str, new: str, by: str, reason: str) -> None:
        with self._vault.database.transaction():
            stored = self._standing(address)
            if stored.state != old:
                raise CasebookError(f"object {address} is {stored.state}", "object_state")
            if new == "withdrawn":
                self._record("withdrawn", by, stored, reason)
                self._index.set_state(address, "withdrawn")
            else:
                self._record("restored", by, stored, reason)
                self._index.set_state(address, "kept")

    def reported(self, address: str, *, by: str, to: str, reason: str = "") -> None:
        """An authority was told of the object: retention counts from now.

        Raises:
            CasebookError: no such object, or destroyed.
        """
        with self._vault.database.transaction():
            stored = self._standing(address)
            record = self._custody.append(
                "reported", by, case=stored.case, object=address, reason=reason, facts={"to": to}
            )
            self._index.set_reported(address, record.at)

    def hold(self, *, by: str, reason: str, address: str = "", case: str = "") -> Hold:
        """Put a legal hold on an object, or on a case with all that is and will be in it. Several holds may stand.

        Raises:
            CasebookError: neither or both are named, no such object, no reason.
        """
        if bool(address) == bool(case):
            raise CasebookError("name an object or a case to hold", "object_or_case")
        _need(reason)
        with self._vault.database.transaction():
            case = self._standing(address).case if address else case
            if not address and self._index.case_key(case) is None:
                raise CasebookError(f"there is no evidence of a case {case}", "no_evidence", case=case)
            record = self._custody.append("held", by, case=case, object=address, reason=reason)
            hold = Hold(number=record.number, object=address, case=case, by=by, reason=reason, at=record.at)
            self._index.hold(hold)
            return hold

    def release(self, number: int, *, by: str, reason: str) -> None:
        """End a hold, by the number it was given.

        Raises:
            CasebookError: no such hold, no reason.
        """
        _need(reason)
        with self._vault.database.transaction():
            hold = next((h for h in self._index.holds() if h.number == number), None)
            if hold is None:
                raise CasebookError(f"no hold {number} stands", "no_hold", number=number)
            facts: dict[str, int | str | bool] = {"hold": number}
            self._custody.append(
                "released", by, case=hold.case, object=hold.object, reason=reason, facts=facts
            )
            self._index.release(number)

    def erasure(self, *, by: str, reason: str, address: str = "", case: str = "") -> list[Erasure]:
        """Answer a request for erasure of an object or of all of a case.

        All of it is withdrawn from view. Of what must be kept the reasons are given; of the rest, destruction is asked
        for, and waits for a second person.

        Raises:
            CasebookError: neither or both are named, nothing there, no reason.
        """
        if bool(address) == bool(case):
            raise CasebookError("name an object or a case", "object_or_case")
        _need(reason)
        answers = []
        with self._vault.database.transaction():
            found = [self._standing(address)] if address else list(self._index.objects(case))
            if not found:
                raise CasebookError(f"there is no evidence of a case {case}", "no_evidence", case=case)
            for stored in (s for s in found if s.state != "destroyed"):
                reasons = self.reasons(stored)
                facts: dict[str, int | str | bool] = {"kept": bool(reasons)}
                self._custody.append(
                    "erasure-asked", by, case=stored.case, object=stored.address, reason=reason, facts=facts
                )
                if not reasons and self._index.asked(stored.address) is None:
                    self.ask_destruction(stored.address, by=by, reason=reason)
                if stored.state == "kept":
                    self.withdraw(stored.address, by=by, reason=reason)
                answers.append(Erasure(address=stored.address, asked=not reasons, reasons=reasons))
        return answers

    def ask_destruction(self, address: str, *, by: str, reason: str) -> Asked:
        """The first of two persons asks for an object's destruction.

        Raises:
            Refused: a hold or a retention stands against it.
            CasebookError: no such object, destroyed or asked for already, no reason.
        """
        _need(reason)
        with self._vault.database.transaction():
            stored = self._standing(address)
            self._unless_kept(stored)
            if (there := self._index.asked(address)) is not None:
                raise CasebookError(
                    f"{there.by} asked for the destruction of {address} on {there.at} already",
                    "destruction_asked",
                    who=there.by,
                )
            record = self._record("destruction-asked", by, stored, reason)
            asked = Asked(address=address, by=by, reason=reason, at=record.at)
            self._index.ask(asked)
            return asked

    def cancel_destruction(self, address: str, *, by: str, reason: str) -> None:
        """Take a request for destruction back; anyone may.

        Raises:
            CasebookError: there is no request, no reason.
        """
        _need(reason)
        with self._vault.database.transaction():
            stored = self._standing(address)
            if self._index.asked(address) is None:
                raise CasebookError(f"nobody asked for the destruction of {address}", "destruction_not_asked")
            self._record("destruction-cancelled", by, stored, reason)
            self._index.unask(address)

    def confirm_destruction(self, address: str, *, by: str) -> Certificate:
        """The second person confirms: the key is destroyed, then the sealed bytes; the certificate is the answer.

        Raises:
            Refused: a hold or a retention stands against it.
            CasebookError: nobody asked, or the same person did.
            StoreFailed: the key is destroyed, the sealed bytes will be removed later (`Vault.resume`).
        """
        with self._vault.database.transaction():
            stored = self._standing(address)
            asked = self._index.asked(address)
            if asked is None:
                raise CasebookError(f"nobody asked for the destruction of {address}", "destruction_not_asked")
            if not by.strip() or same_person(by, asked.by):
                raise CasebookError(
                    f"{asked.by} asked for it; another person must confirm", "destruction_yours"
                )
            self._unless_kept(stored)
            kept = self.kept(stored)
            facts: dict[str, int | str | bool] = {"asked_by": asked.by, "sha256": stored.sha256}
            record = self._custody.append(
                "destroyed", by, case=stored.case, object=address, reason=asked.reason, facts=facts
            )
            certificate = certify(
                self._signer, stored, asked, by=by, kept_until=times.write(kept.until), rule=kept.rule.id, at=record.at,
                record=record.number, hash=digest(encode(record)),
            )  # fmt: skip
            self._index.set_state(address, "destroyed")
            self._index.unask(address)
            self._index.certify(address, msgspec.json.encode(certificate))
        self._vault.database.forget(tables.objects)
        self._vault.database.after(lambda: self._vault.settle(self._index.get(address)))
        return certificate

    def certificate(self, address: str) -> Certificate:
        """The certificate of an object that was destroyed.

        Raises:
            CasebookError: it was not.
        """
        body = self._index.certificate(address)
        if body is None:
            raise CasebookError(
                f"object {self._index.get(address).address} was not destroyed", "not_destroyed"
            )
        return msgspec.json.decode(body, type=Certificate)

    def _standing(self, address: str) -> Stored:
        stored = self._index.get(address)
        if stored.state == "destroyed":
            raise CasebookError(f"object {address} was destroyed; see its certificate", "destroyed")
        return stored

    def _unless_kept(self, stored: Stored) -> None:
        if reasons := self.reasons(stored):
            holds = len(self._index.holds_on(stored))
            raise Refused(stored.address, reasons, holds, self.kept(stored))

    def _record(self, kind: Kind, by: str, stored: Stored, reason: str) -> Record:
        _need(reason)
        return self._custody.append(kind, by, case=stored.case, object=stored.address, reason=reason)


def _need(reason: str) -> None:
    if not reason.strip():
        raise CasebookError("a reason is needed", "reason_needed")
