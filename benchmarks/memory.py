"""What memory Swath takes, over all its processes, as executions grow: it must not grow with them."""

from benchmarks.choice import Choice
from benchmarks.measure import fresh_folder
from benchmarks.processes import EVERY, Peak, watch
from benchmarks.report import table
from benchmarks.served import serve
from benchmarks.whole_way import ROWS, upstream

#: Responses of the executions, one after the other, each on a fresh server.
SIZES = (10_000, 100_000, 1_000_000)


def measure(choice: Choice) -> str:
    rows = []
    for count in map(choice.amount, SIZES):
        peak, seconds = _execute(count)
        sizes = [f"{size:.0f}" for size in (peak.idle, peak.whole, peak.largest)]
        rows.append((f"{count:,}", *sizes, str(peak.processes), f"{seconds:.0f}"))
    head = ("responses", "idle MiB", "peak MiB", "of it the largest process", "processes", "wall s")
    return f"""## Memory: executions of many sizes

`swath serve` and its worker processes while it executes so many requests of {ROWS} rows each, 64 at a time,
and combines them into one CSV. Memory is the proportional set size (`/proc/*/smaps_rollup`: what processes
share counts once), summed over all processes of the server, looked at every {EVERY} s; *idle* is before the
trigger, *peak* the most at any moment until the end.

{table(head, rows)}
"""


def _execute(count: int) -> tuple[Peak, float]:
    with upstream() as url, serve(fresh_folder("memory")) as served:
        workflow = served.define(url, count)
        with watch({"server": served.pid}) as peaks:
            _, seconds = served.execute(workflow, count * ROWS)
    peak = peaks["server"]
    print(f"{count} responses: idle {peak.idle:.0f} MiB, peak {peak.whole:.0f} MiB, {seconds:.0f} s")
    return peak, seconds
