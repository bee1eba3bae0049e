"""Progress says what runs, since when, and how long it will take. The tests move the clock themselves."""

import io

import pytest
from rich.console import Console

from padcheck.running.shown_progress import Log, Terminal


class Clock:
    """A clock that stands still, and the timers that it makes."""

    def __init__(self):
        self.now, self.waiting = 100.0, []

    def __call__(self):
        return self.now

    def timer(self, seconds, function):
        clock = self

        class Timer:
            daemon = False

            def start(self):
                assert self.daemon
                clock.waiting.append((clock.now + seconds, self, function))

            def cancel(self):
                clock.waiting = [each for each in clock.waiting if each[1] is not self]

        return Timer()

    def move(self, seconds):
        """Moves on, and calls the timers that end meanwhile, each at its time."""
        end = self.now + seconds
        while self.waiting and min(self.waiting, key=lambda each: each[0])[0] <= end:
            self.now, timer, function = min(self.waiting, key=lambda each: each[0])
            timer.cancel()
            function()
        self.now = end


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def log(clock, lines):
    return Log(lines.append, clock, clock.timer)


def test_a_short_run_writes_no_line(log, clock, lines):
    for name in ("one", "two", "three"):
        with log.stage(name, name):
            clock.move(3)
    assert lines == []
    assert clock.waiting == []


def test_a_long_stage_is_named_every_ten_seconds(log, clock, lines):
    with log.stage("loading the weights", "weights"):
        clock.move(25)
    clock.move(100)
    assert lines == ["padcheck: loading the weights | 0:10\n", "padcheck: loading the weights | 0:20\n"]


def test_short_stages_share_a_line(log, clock, lines):
    for number in range(9):
        with log.stage(f"stage {number}", "key"):
            clock.move(3)
    assert lines == ["padcheck: stage 3 | 0:10\n", "padcheck: stage 6 | 0:20\n"]


def test_the_rest_is_estimated_from_the_steps_that_are_done(log, clock, lines):
    with log.steps("batches", 4) as done:
        for number in (1, 2):
            with log.stage(f"running {number}", "key"):
                clock.move(3600)
            done("")
        with log.stage("running 3", "key"):
            lines.clear()
            clock.move(60)
    assert lines[-1] == "padcheck: running 3, batches: 2 of 4 done | 2:01:00, about 1:59:00 left\n"


def test_an_estimate_that_is_over_is_left_out(log, clock, lines):
    with log.steps("batches", 2) as done:
        clock.move(5)
        done("")
        clock.move(60)
    assert lines[-1] == "padcheck: batches: 1 of 2 done | 1:00\n"


def test_lasting_steps_are_written_at_once(log, clock, lines):
    with log.steps("checking", 2, lasting=True) as done:
        done("one\x1b[31m: PASS")
        clock.move(2)
        done("two: FAIL")
    assert lines == ["padcheck: one\\x1b[31m: PASS\n", "padcheck: two: FAIL\n"]


def test_a_single_step_says_nothing(log, clock, lines):
    with log.steps("checking", 1, lasting=True) as done, log.stage("loading", "key"):
        done("one: PASS")
        clock.move(10)
    assert lines == ["padcheck: loading | 0:10\n"]


def test_an_error_ends_the_stage(log, clock, lines):
    with pytest.raises(KeyError), log.steps("checking", 2), log.stage("loading", "key"):
        raise KeyError
    clock.move(60)
    assert lines == []


@pytest.fixture
def terminal(clock):
    return Terminal(Console(file=io.StringIO(), force_terminal=True, width=80), clock)


def test_a_terminal_shows_time_and_rest_and_clears_its_line(terminal, clock):
    with terminal.steps("checking", 3, lasting=True) as done:
        clock.move(30)
        done("demo: PASS")
        with terminal.stage("loading the weights", "weights"):
            terminal._live.refresh()
        with terminal.stage("loading the tokenizer", "tokenizer", downloads=True):
            assert not terminal._live.is_started
        assert terminal._live.is_started
    shown = terminal._console.file.getvalue()
    assert "demo: PASS" in shown
    assert "loading the weights, checking: 1 of 3 done | 0:30, about 1:00 left" in shown
    assert shown.endswith("\x1b[1A\x1b[2K")


def test_check_prints_each_model_when_it_is_done(padcheck, monkeypatch):
    quick = ("--max-new-tokens", 2, "--format", "json")
    done = padcheck("check", "demo", "./not-there", *quick)
    first, second = done.stderr.splitlines()
    assert first.startswith("padcheck: demo: PASS: left padding")
    assert second.startswith("padcheck: ./not-there: NOT MEASURED: There is no folder ./not-there.")
    assert padcheck("check", "demo", "./not-there", *quick, "--quiet").stderr == ""
    assert padcheck("check", "demo", *quick).stderr == ""
