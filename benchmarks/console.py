"""The console's server part: the first page of a queue of a million cases, any page of it, a case with 10,000 messages.

Method: N open cases are written into a casebook as `benchmarks/cases.py` does; one more case gets 10,000 messages of 100
characters as context and 1,000 decisions with five reasons each. Then pages are asked for through the ASGI application
itself (no socket): session, permission, reading, template, all bytes of the answer. Told are the median and the 95th
percentile of wall and CPU time (`process_time`) over `ROUNDS` requests each, after one that is not counted. The same
page over the smallest queue stands beside, and the last column is the ratio of CPU to it.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from cases import NOW, fill, lots, measured_column
from rich.console import Console
from rich.table import Table

from underwing.casebook.cases import Casebook, Marks
from underwing.casebook.context import ContextBuffer, Line
from underwing.server.console import Desk, console
from underwing.server.http import Request, Response
from underwing.server.settings import Settings
