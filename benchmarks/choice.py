"""What of a benchmark is to be run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """`scale` multiplies the usual amounts of data; `only` are competitors by their scripts, none: all."""

    rounds: int = 3
    scale: float = 1.0
    only: tuple[str, ...] = ()

    def amount(self, usual: int) -> int:
        return max(1, round(usual * self.scale))

    def wants(self, script: str) -> bool:
        return not self.only or script in self.only
