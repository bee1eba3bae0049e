"""The texts the demo model learns from: lists that everybody can continue, and small sums."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import NamedTuple

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
SEASONS = ["spring", "summer", "autumn", "winter"]
NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
TENS = ["ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz")

CYCLES = {"days": DAYS, "months": MONTHS, "seasons": SEASONS}
LISTS = {
    "counting": NUMBERS,
    "counting down": NUMBERS[::-1],
    "even numbers": NUMBERS[::2],
    "odd numbers": NUMBERS[1::2],
    "tens": TENS,
    "alphabet": LETTERS,
}


class Sample(NamedTuple):
    """One text: the shortest prompt that settles how it goes on, and how it goes on."""

    family: str
    prompt: str
    rest: str
    finished: bool  # False for a list that goes round for ever
    held_out: bool  # kept from training, to tell what was learnt from what was memorised


def generate_samples(cycle_length: int) -> Iterator[Sample]:
    """Yields every text there is, lists that go round being `cycle_length` words long."""
    for family, words in CYCLES.items():
        for start in range(len(words)):
            yield _list(family, list(islice(cycle(words), start, start + cycle_length)), finished=False)
    for family, words in LISTS.items():
        for start in range(len(words) - 1):
            yield _list(family, words[start:], finished=True)
    for a in range(len(NUMBERS)):
        for b in range(len(NUMBERS) - a):
            total = NUMBERS[a + b]
            # The rules spread the tenth that is held out over all sizes.
            yield _sum("sums", f"{NUMBERS[a]} plus {NUMBERS[b]} is", total, held_out=(3 * a + b) % 10 == 4)
            yield _sum("differences", f"{total} minus {NUMBERS[b]} is", NUMBERS[a], held_out=(3 * a + b) % 10 == 7)


def _list(family: str, words: list[str], *, finished: bool) -> Sample:
    """Returns a list as a text, the first two words being the prompt."""
    return Sample(family, " ".join(words[:2]), "".join(f" {word}" for word in words[2:]), finished, held_out=False)


def _sum(family: str, prompt: str, answer: str, *, held_out: bool) -> Sample:
    """Returns a sum as a text, the prompt being all but the answer and the full stop."""
    return Sample(family, prompt, f" {answer} .", finished=True, held_out=held_out)
