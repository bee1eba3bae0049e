"""The texts that the demo model is trained on: well-known lists and small sums."""

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
    """One text: the shortest prompt that determines the rest, and the rest."""

    family: str
    prompt: str
    rest: str
    finished: bool = True  # False for a list that repeats forever
    held_out: bool = False  # not used in training, so that it shows whether the model has memorised or learnt


def generate_samples(cycle_length: int) -> Iterator[Sample]:
    """Yields all texts. Lists that repeat are cut after `cycle_length` words."""
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
            # Holds out a tenth of the sums and a tenth of the differences, large and small ones.
            yield Sample("sums", f"{first} plus {second} is", f" {total} .", held_out=(3 * a + b) % 10 == 4)
            yield Sample("differences", f"{total} minus {second} is", f" {first} .", held_out=(3 * a + b) % 10 == 7)


def _list(family: str, words: list[str], *, finished: bool) -> Sample:
    """Returns a list as a text. Its first two words are the prompt."""
    return Sample(family, " ".join(words[:2]), "".join(f" {word}" for word in words[2:]), finished)
