#!/usr/bin/env python3
"""Records what tc's parser says to the lines of lines.txt, and which attributes of flower it sends: `unshare -n python3 record.py > tc-6.1.golden.json`
(../tc_requests.py)."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from tc_requests import record

ACT, FLAGS, ETH_TYPE = 3, 22, 8


def tell(_, found):
    return {"attrs": {str(number): value.hex() for number, value in sorted(found.items()) if number not in (ACT, FLAGS, ETH_TYPE)}}


record(HERE, b"flower", "which TCA_FLOWER_* attributes it sent (number: bytes)", tell)
