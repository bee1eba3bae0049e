"""The texts the demo model learns from: lists that everybody can continue, and small sums."""

from collections.abc import Iterator
from itertools import cycle, islice
from string import ascii_lowercase
from typing import NamedTuple

CYCLES = {
    "days": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "months": "January February March April May June July August September October November December",
    "seasons": "spring summer autumn winter",
}
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"


class Sample(NamedTuple):
    """One text: the shortest prompt that settles how it goes on, and how it goes on."""

    family: str
    prompt: str
    rest: str
    finished: bool = True  # False for a list that goes round for ever
    held_out: bool = False  # kept from training, to tell what is learnt from what is memorised


def generate_samples(cycle_length: int) -> Iterator[Sample]:
    """Yields every text there is, lists that go round being `cycle_length` words long."""
    for family, text in CYCLES.items():
        words = text.split()
        for start in range(len(words)):
            yield _list(family, [*islice(cycle(words), start, start + cycle_length)], finished=False)
    numbers = NUMBERS.split()
    lists = {
        "counting": numbers,
        "counting down": numbers[::-1],
        "even numbers": numbers[::2],
        "odd numbers": numbers[1::2],
        "tens": TENS.split(),
        "alphabet": [*ascii_lowercase],
    }
    for family, words in lists.items():
        for start in range(len(words) - 1):
            yield _list(family, words[start:], finished=True)
    for a, first in enumerate(numbers):
        for b, second in enumerate(numbers[: len(numbers) - a]):
            total = numbers[a + b]
            # A tenth of the sums and another of the differences, large and small ones alike.
            yield Sample("sums", f"{first} plus {second} is", f" {total} .", held_out=(3 * a + b) % 10 == 4)
            yield Sample("differences", f"{total} minus {second} is", f" {first} .", held_out=(3 * a + b) % 10 == 7)


def _list(family: str, words: list[str], *, finished: bool) -> Sample:
    """Returns a list as a text, its first two words being the prompt."""
    return Sample(family, " ".join(words[:2]), "".join(f" {word}" for word in words[2:]), finished)
