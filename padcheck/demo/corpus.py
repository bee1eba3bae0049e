"""The text the demo model learns from: lists everybody can continue, and small sums."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple

DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
MONTHS = tuple("January February March April May June July August September October November December".split())
SEASONS = tuple("spring summer autumn winter".split())
NUMBERS = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty".split()
)
TENS = ("ten", "twenty", *"thirty forty fifty sixty seventy eighty ninety".split(), "one hundred")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")

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
    finished: bool  # False for a list that would go round for ever
    held_out: bool  # kept from training, to measure what was learnt rather than memorised


def generate_samples(cycle_items: int) -> Iterator[Sample]:
    """Yields every text there is, the cyclic lists `cycle_items` items long."""
    for family, items in CYCLES.items():
        for start in range(len(items)):
            yield from _lists(family, start, tuple(islice(cycle(items), start, start + cycle_items)), finished=False)
    for family, items in LISTS.items():
        for start in range(len(items) - 1):
            yield from _lists(family, start, items[start:], finished=True)
    for a in range(21):
        for b in range(21 - a):
            total = NUMBERS[a + b]
            # Of a held-out sum the model has seen at most the mirror image, 7 + 3 for 3 + 7.
            yield _fact("sums", f"{NUMBERS[a]} plus {NUMBERS[b]} is", total, held_out=(3 * a + b) % 10 == 4)
            yield _fact("differences", f"{total} minus {NUMBERS[b]} is", NUMBERS[a], held_out=(3 * a + b) % 10 == 7)
    for items in (DAYS, MONTHS):
        for index, item in enumerate(items):
            following = items[(index + 1) % len(items)]
            yield _fact("neighbours", f"after {item} comes", following, held_out=index % 4 == 1)
            yield _fact("neighbours", f"before {following} comes", item, held_out=index % 4 == 3)


def _lists(family: str, start: int, items: Sequence[str], *, finished: bool) -> Iterator[Sample]:
    """Yields a list without and with commas, every fourth start being held out with commas."""
    for separator, held_out in ((" ", False), (", ", start % 4 == 3)):
        prompt = separator.join(items[:2])
        rest = "".join(separator + item for item in items[2:])
        yield Sample(family, prompt, rest, finished, held_out)


def _fact(family: str, prompt: str, answer: str, *, held_out: bool) -> Sample:
    """Returns a sentence that ends with its one-word answer and a full stop."""
    return Sample(family, prompt, f" {answer} .", True, held_out)
