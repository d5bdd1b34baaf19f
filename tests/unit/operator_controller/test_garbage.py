"""Is what the operator has at its start never looked through again, and is new garbage still found?"""

from __future__ import annotations

import json
import subprocess
import sys

_PROGRAM = """
import gc, json, weakref
from dormouse_operator.controller.garbage import spare_what_stays

class Node:
    pass

def ring():
    node = Node()
    node.itself = node
    return weakref.ref(node)

gc.disable()
before = ring()
stays = [[] for _ in range(1000)]
gc.enable()
spare_what_stays()
looked_through = {id(each) for each in gc.get_objects()}
after = ring()
kept = []
while after() is not None and len(kept) < 100:
    kept.append([[] for _ in range(100_000)])  # not one by one: what looks whether it is there holds it meanwhile
print(json.dumps([before() is None, sum(id(each) in looked_through for each in stays), after() is None]))
"""


def test_what_is_there_is_spared_and_garbage_of_before_and_of_later_goes() -> None:
    told = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=120)
    is_old_garbage_gone, spared_ones_looked_through, is_new_garbage_gone = json.loads(told.stdout)
    assert is_old_garbage_gone
    assert spared_ones_looked_through == 0
    assert is_new_garbage_gone
