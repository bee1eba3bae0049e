import sys
import threading
from types import SimpleNamespace

from padcheck.watching.seen import Seen


def test_no_call_is_lost_if_threads_count_at_the_same_time():
    seen = Seen(lambda _: None, SimpleNamespace(is_reporting=True, tell=lambda _: None, seen=list))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [seen.count("generate") for _ in range(5000)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert seen.calls.generate == 20000
