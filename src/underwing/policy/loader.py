"""Reading a policy file and refusing, with a helpful word, whatever is not right about it."""

import hashlib
import re
import tomllib
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cel import Program

from underwing.model import ACTIONS
from underwing.policy.check import check
from underwing.policy.errors import PolicyError
from underwing.policy.facts import SURFACES
from underwing.policy.literals import country_mistake
from underwing.policy.policy import ContextLimit, Policy, Quota, Rule

_WINDOW = re.compile(r"^([1-9]\d{0,5})([smhd])$")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


class _RuleFile(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    why: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    when: str
    actions: Annotated[list[str], msgspec.Meta(min_length=1)]
    surfaces: list[str] = []
    regions: list[str] = []
    expires: Any = None


class _QuotaFile(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
    per: str


class _PolicyFile(msgspec.Struct, forbid_unknown_fields=True):
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | int
    context: ContextLimit | None = None
    quotas: dict[str, Any] = {}
    rule: list[dict[str, Any]] = []


def default_path() -> Path:
    """Where the policy that ships with Underwing is: a good start for an own one."""
    return Path(__file__).parent / "default.toml"


def load_policy(path: Path | None = None) -> Policy:
    """Read, check and compile the policy at `path`, or the shipped one.

    Raises:
        PolicyError: the file cannot be read, or something in it is wrong (`parse_policy`).
    """
    path = default_path() if path is None else Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror or error}") from None
    return parse_policy(data, str(path))


def parse_policy(data: bytes, source: str) -> Policy:
    """Check and compile a policy that is given as the text of its file; `source` says where it is from.

    Raises:
        PolicyError: something in it is wrong: TOML, an unknown field, action, surface or country, an expression that
            does not compile, fails or gives no truth value, a repeated id, a bad quota. The message names source, rule
            and what to mend.
    """
    try:
        file = msgspec.convert(tomllib.loads(data.decode("utf-8")), _PolicyFile)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PolicyError(f"{source}: is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise PolicyError(
            f"{source}: {error}; a policy has version, [context], [quotas] and [[rule]]"
        ) from None
    try:
        quotas = {action: _quota(action, value) for action, value in file.quotas.items()}
        compiled, warnings = _rules(file.rule)
    except ValueError as error:
        raise PolicyError(f"{source}: {error}") from None
    rules = [rule for rule, _ in compiled]
    return Policy(
        version=_digest(str(file.version), quotas, rules, file.context),
        label=str(file.version),
        source=source,
        rules=compiled,
        quotas=quotas,
        warnings=warnings,
        context=file.context,
    )


def _digest(label: str, quotas: dict[str, Quota], rules: list[Rule], context: ContextLimit | None) -> str:
    content = (label, dict(sorted(quotas.items())), rules, *([] if context is None else [context]))
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]


def _rules(raw: list[dict[str, Any]]) -> tuple[list[tuple[Rule, Program]], list[str]]:
    compiled: list[tuple[Rule, Program]] = []
    warnings: list[str] = []
    seen: set[str] = set()
    for number, item in enumerate(raw, 1):
        given = item.get("id")
        name = f"rule {given!r}" if isinstance(given, str) else f"rule number {number}"
        try:
            rule = _rule(item)
            if rule.id in seen:
                raise ValueError("another rule has the same id: rename one")
            seen.add(rule.id)
            try:
                checked = check(rule.when)
            except ValueError as error:
                raise ValueError(f"when: {error}") from None
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if checked.can_fire is False:
            warnings.append(f"{name}: no facts were found that make it fire")
        compiled.append((rule, checked.program))
    return compiled, warnings


def _rule(item: dict[str, Any]) -> Rule:
    try:
        raw = msgspec.convert(item, _RuleFile)
    except msgspec.ValidationError as error:
        fields = ", ".join(_RuleFile.__struct_fields__)
        raise ValueError(f"{error}; a rule has {fields}") from None
    for action in raw.actions:
        _known(action, "action", tuple(ACTIONS))
    for surface in raw.surfaces:
        _known(surface, "surface", SURFACES)
    for region in raw.regions:
        mistake = country_mistake(region) if region else "an empty country; leave regions out to mean all"
        if mistake:
            raise ValueError(f"regions: {mistake}")
    return Rule(
        id=raw.id,
        why=raw.why,
        when=raw.when,
        actions=tuple(dict.fromkeys(raw.actions)),
        surfaces=tuple(raw.surfaces),
        regions=tuple(raw.regions),
        expires=_end(raw.expires),
    )


def _known(name: str, kind: str, names: tuple[str, ...]) -> None:
    if name not in names:
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
        raise ValueError(f"unknown {kind} {name!r}; {hint}")


def _end(expires: object) -> float | None:
    """The moment a rule ends, in epoch seconds; a bare date counts to its last moment in UTC."""
    if expires is None:
        return None
    if isinstance(expires, datetime):
        if expires.tzinfo is None:
            raise ValueError("expires: add an offset to the time, such as 2027-01-31T12:00:00Z")
        return expires.timestamp()
    if not isinstance(expires, date):
        raise ValueError(f"expires: write a date without quotes, such as 2027-01-31, not {expires!r}")
    return (datetime.combine(expires, time.min, UTC) + timedelta(days=1)).timestamp()


def _quota(action: str, value: Any) -> Quota:
    try:
        _known(action, "action", tuple(ACTIONS))
        raw = msgspec.convert(value, _QuotaFile)
    except (msgspec.ValidationError, ValueError) as error:
        raise ValueError(f'quotas: {action}: {error}; write {{ count = 100, per = "1h" }}') from None
    match = _WINDOW.match(raw.per)
    if match is None:
        raise ValueError(f'quotas: {action}: per is {raw.per!r}; write a number and s, m, h or d, as in "1h"')
    return Quota(count=raw.count, window=int(match[1]) * _SECONDS[match[2]])
