"""Which jobs of a sweep are left out: `sweep.exclude='optimizer=gd and optimizer.lr>1'`, parsed and never evaluated.

    either = both ("or" both)*          both = one ("and" one)*
    one    = "not" one | "(" either ")" | KEY SIGN VALUE | KEY "in" [VALUE, ...]

KEY is a full name (optimizer.lr) or a group (optimizer), SIGN one of = == != < <= > >=, VALUE as on the command line.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf

from runner.experiment.overrides import override_of, plain_value
from runner.experiment.schema import ConfigError, show, suggest

SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
EQUAL = ("=", "==", "!=")
TOKEN = re.compile(r"\s*(==|!=|<=|>=|[=<>()]|\[[^\[\]]*\]|'[^']*'|\"[^\"]*\"|[^\s=!<>()\[\]'\"]+)")
MISSING = object()  # what a job has for a key that it does not have
Look = Callable[[str], Any]


@dataclass(frozen=True)
class Comparison:
    """KEY SIGN VALUE. A job without the key is not compared: for it this is false."""

    key: str
    sign: str
    value: Any

    def holds(self, look: Look) -> bool:
        mine = look(self.key)
        if mine is MISSING:
            return False
        if self.sign == "in":
            return any(_same(mine, value) for value in self.value)
        if self.sign in EQUAL:
            return _same(mine, self.value) == (self.sign != "!=")
        return _is_number(mine) and SIGNS[self.sign](mine, self.value)

    @property
    def keys(self) -> list[str]:
        return [self.key]


@dataclass(frozen=True)
class Joined:
    """Conditions joined: `all` of them by and, `any` by or, `none` of the one behind not."""

    how: str
    parts: Sequence["Condition"]

    def holds(self, look: Look) -> bool:
        held = (part.holds(look) for part in self.parts)
        return all(held) if self.how == "all" else any(held) if self.how == "any" else not any(held)

    @property
    def keys(self) -> list[str]:
        return list(dict.fromkeys(key for part in self.parts for key in part.keys))


Condition = Comparison | Joined


def condition(text: str) -> Condition:
    """The condition that a text states. Raises ConfigError, with a sentence, where it states none.

    >>> found = condition("optimizer=gd and not optimizer.lr<=1")
    >>> found.holds({"optimizer": "gd", "optimizer.lr": 3}.get), found.keys
    (True, ['optimizer', 'optimizer.lr'])
    """
    tokens, place = [], 0
    while text[place:].strip():
        found = TOKEN.match(text, place)
        if not found:
            raise _wrong(text, f"{text[place:].strip()!r} is not understood")
        tokens.append(found[1])
        place = found.end()
    reader = _Reader(text, tokens)
    read = reader.either()
    if reader.next:
        raise _wrong(text, f"and, or or the end must stand where {reader.next!r} does")
    return read


def without(
    jobs: Sequence[list[str]], text: str, compose: Callable[[Sequence[str]], Any], known: Sequence[str]
) -> list[list[str]]:
    """The jobs for which a condition does not hold; `compose` gives what a job composes to, `known` are all keys.

    Raises ConfigError where none of the jobs has one of its keys, and where none of them is left.
    """
    leaves_out, found = condition(text), set[str]()

    def holds(job: list[str]) -> bool:
        look = _looked_up(job, compose)
        found.update(key for key in leaves_out.keys if look(key) is not MISSING)
        return leaves_out.holds(look)

    kept = [job for job in jobs if not holds(job)]
    if unknown := [key for key in leaves_out.keys if key not in found]:
        raise ConfigError(f"sweep.exclude: no job has a key {key!r}.{suggest(key, known)}" for key in unknown)
    if not kept:
        raise ConfigError([f"sweep.exclude: it leaves out all {len(jobs)} jobs. Got {show(text)}."])
    return kept


def _looked_up(job: Sequence[str], compose: Callable[[Sequence[str]], Any]) -> Look:
    """What a job has for a key or a group: as it says itself, else as composed; MISSING where it does not compose."""
    said = {override.key_or_group: plain_value(override.value()) for override in map(override_of, job)}

    @cache
    def composed() -> tuple[Any, Any]:
        try:
            whole = compose(job)
        except ConfigError:  # what is wrong is said when the jobs are checked
            return {}, OmegaConf.create()
        return whole.hydra.runtime.choices, whole.config

    def look(key: str) -> Any:
        if key in said:
            return said[key]
        choices, config = composed()
        value = choices.get(key, OmegaConf.select(config, key, default=MISSING))
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value

    return look


class _Reader:
    """The tokens of a condition, taken one by one."""

    def __init__(self, text: str, tokens: Sequence[str]):
        self.text, self.tokens = text, list(tokens)

    @property
    def next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self) -> str:
        return self.tokens.pop(0) if self.tokens else ""

    def either(self) -> Condition:
        return self._joined("or", "any", lambda: self._joined("and", "all", self.one))

    def _joined(self, word: str, how: str, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self.next == word:
            self.take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(how, parts)

    def one(self) -> Condition:
        token = self.take()
        if token == "not":
            return Joined("none", [self.one()])
        if token == "(":
            inner = self.either()
            if self.take() != ")":
                raise _wrong(self.text, "a parenthesis is not closed")
            return inner
        if not re.fullmatch(r"[\w./@]+", token) or token in ("and", "or", "in"):
            raise _wrong(
                self.text, f"a key must stand where {token!r} does" if token else "a key is missing at the end"
            )
        return self._comparison(token)

    def _comparison(self, key: str) -> Comparison:
        sign, value = self.take(), self.take()
        if sign not in (*SIGNS, "in"):
            raise _wrong(self.text, f"{key} must be followed by {', '.join(SIGNS)} or in")
        if not value or value in (*SIGNS, "(", ")"):
            raise _wrong(self.text, f"{key} {sign} must be followed by a value")
        try:
            read = plain_value(override_of(f"value={value}").value())
        except HydraException:
            raise _wrong(self.text, f"{value} is no value") from None
        if sign == "in" and not isinstance(read, list):
            raise _wrong(self.text, f"{key} in must be followed by a list, like [1,2]")
        if sign not in (*EQUAL, "in") and not _is_number(read):
            raise _wrong(self.text, f"{key} {sign} must be followed by a number. Got {value}")
        return Comparison(key, sign, read)


def _wrong(text: str, why: str) -> ConfigError:
    return ConfigError([f"sweep.exclude: {why}. Got {show(text)}; it reads like 'optimizer=gd and optimizer.lr>1'."])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(mine: Any, value: Any) -> bool:
    """Equal as they are written: 1.0 is 1, and true is true and not 1."""
    if _is_number(mine) and _is_number(value):
        return bool(mine == value)
    return show(mine) == show(value) or str(mine) == str(value)
