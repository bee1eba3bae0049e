"""What a worker process is given to do in the tests: well, badly, and without end."""

import os
import sys
import time


def import_nothing() -> None:
    pass


def import_slowly() -> None:
    time.sleep(2)


def shout(word: str) -> str:
    sys.stdout.write(word)
    sys.stderr.write(word)
    return word.upper()


def survive_only_words(word: str) -> str:
    if word == "crash":
        os._exit(7)
    if word == "hang":
        time.sleep(3600)
    return word.upper()


def raise_it(word: str) -> str:
    raise ZeroDivisionError(word)


def process(_word: str) -> str:
    time.sleep(0.2)  # so that each process gets some
    return str(os.getpid())
