#!/usr/bin/env python3
"""bench/trace_summary - which stages of a trace (`stack up --trace FILE`) took the time.

  bench/trace_summary.py FILE...

Per stage: how often, the sum, median and longest in ms, and between which times of the run it was under way.
Stages of many containers run at the same time, so sums are longer than the run.
"""
import json
import signal
import statistics
import sys


def rows_of(path):
    """The trace's events; a trace of a run that goes on has no closing bracket."""
    with open(path, encoding="utf-8") as text:
        for line in text:
            line = line.strip().rstrip(",")
            if line.startswith("{"):
                yield json.loads(line)


def main(paths):
    stages = {}
    for path in paths:
        rows = [row for row in rows_of(path) if row.get("ph") == "X"]
        first = min((row["ts"] for row in rows), default=0)
        for row in rows:
            begin = (row["ts"] - first) / 1e3
            stages.setdefault((row["cat"], row["name"]), []).append((begin, row["dur"] / 1e3))
    print(f"{'area':10} {'stage':24} {'count':>6} {'sum ms':>9} {'median':>8} {'longest':>8} {'from':>8} {'to':>8}")
    for (area, name), times in sorted(stages.items(), key=lambda item: -sum(d for _, d in item[1])):
        spans = [d for _, d in times]
        print(f"{area:10} {name:24} {len(spans):6} {sum(spans):9.1f} {statistics.median(spans):8.2f} "
              f"{max(spans):8.2f} {min(b for b, _ in times):8.1f} {max(b + d for b, d in times):8.1f}")


if len(sys.argv) < 2:
    sys.exit(__doc__)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
main(sys.argv[1:])
