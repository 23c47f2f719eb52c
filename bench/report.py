"""bench/report - what was measured, as a table, as results.json and as chart.svg."""
import json
import os
import platform
import statistics
import time

from engine import versions as compose_versions
from kit import version_of

# Rows of README's table: figure, words, unit, the sides beside ours.
TABLE = (
    ("up50", "50 services up", "ms", ("floor", "podman", "compose")),
    ("down50", "50 services down", "ms", ("floor", "podman", "compose")),
    ("recreate", "one of 50 changed", "ms", ("floor",)),
    ("exec", "`exec SERVICE true`", "ms", ("podman",)),
    ("restart", "a killed program runs again, beyond the pause", "ms", ("podman",)),
    ("rt_all", "OCI runtime: create, start, delete", "ms", ("crun", "runc")),
    ("pull_cold", "pull of nginx into an empty store", "ms", ("floor", "podman")),
    ("build_cold", "Dockerfile of ten steps, no cache", "ms", ("buildah",)),
    ("idle_mb", "memory of everything of ours, 50 containers", "MB", ("podman",)),
    ("wakeups_s", "wake-ups a second, idle", "", ("podman",)),
)
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
CHARTED = ("up50", "down50", "up1", "rt_all", "exec", "restart", "pull_cold")
COLOURS = {"stack": "#2b6cb0", "floor": "#a0aec0", "podman": "#805ad5", "compose": "#319795", "crun": "#dd6b20", "runc": "#c53030"}
BAR, LABEL, WIDTH = 14, 150, 640


class Report:
    def __init__(self):
        self.values = {}  # figure -> side -> [value]
        self.figures = {}  # figure -> (unit, better)
        self.notes = {}  # work: side -> why it is not there
        self.about = {}

    def machine(self, kit):
        self.about = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "kernel": platform.release(),
            "cores": os.cpu_count(),
            "state": os.environ.get("STATE") or "ext4",
            "load_before": round(os.getloadavg()[0], 2),
            "versions": {p: v for p in (kit.stack, "podman", "crun", "runc", "buildah") if (v := version_of(p))},
        }
        versions = self.about["versions"]
        versions["stack"] = versions.pop(kit.stack, "?")
        versions.update(compose_versions())

    def add(self, work, side, values):
        for figure, value in values.items():
            self.figures[figure] = work.figures[figure]
            self.values.setdefault(figure, {}).setdefault(side, []).append(value)

    def absent(self, work, side, reason):
        self.notes.setdefault(work.name, {})[side] = reason

    def medians(self, figure):
        return {side: statistics.median(values) for side, values in self.values[figure].items()}

    def rows(self):
        for figure in self.values:
            unit, better = self.figures[figure]
            medians = self.medians(figure)
            ours = medians.get("stack")
            for side, median in medians.items():
                values = self.values[figure][side]
                # How many times better ours is than this side; the floor's tells how far away it is.
                ratio = None
                if side != "stack" and ours and median:
                    ratio = median / ours if better == "less" else ours / median
                yield figure, unit, side, median, min(values), max(values), len(values), ratio

    def table(self, out):
        out.write(f"\n{'figure':12} {'side':18} {'median':>10} {'least':>10} {'most':>10} {'rounds':>6}"
                  f"  ours is\n")
        last = None
        for figure, unit, side, median, low, high, count, ratio in self.rows():
            if last not in (None, figure):
                out.write("\n")
            name = f"{figure}" if last != figure else ""
            last = figure
            told = "" if ratio is None else (f"{ratio:.2f} x better" if ratio >= 1 else
                                             f"{1 / ratio:.2f} x worse")
            out.write(f"{name:12} {side:18} {number(median):>10} {number(low):>10} {number(high):>10} {count:>6}"
                      f"  {told}{'' if name == '' else '  [' + unit + ']'}\n")
        for work, sides in self.notes.items():
            for side, reason in sides.items():
                out.write(f"\n{work}: no figure of {side}: {reason}")
        about = self.about
        out.write(f"\n\nLinux {about.get('kernel')}, {about.get('cores')} cores, load before {about.get('load_before')}, "
                  f"state on {about.get('state')}; {'; '.join(about.get('versions', {}).values())}\n")

    def write(self, folder):
        figures = {}
        for figure, unit, side, median, low, high, count, ratio in self.rows():
            figures.setdefault(figure, {"unit": unit, "sides": {}})["sides"][side] = {
                "median": round(median, 3), "least": round(low, 3), "most": round(high, 3), "rounds": count,
                "ours_better": ratio and round(ratio, 3)}
        with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as out:
            json.dump({"about": self.about, "figures": figures, "absent": self.notes}, out, indent=1)
            out.write("\n")
        with open(os.path.join(folder, "chart.svg"), "w", encoding="utf-8") as out:
            out.write(self.chart())
        self.readme(os.path.join(os.path.dirname(folder), "README.md"))

    def readme(self, path):
        """README's table between its two marks, of the figures of this run."""
        names = ("floor", "podman", "compose", "crun", "runc", "buildah")
        rows = [f"| | stack | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
        for figure, words, unit, sides in TABLE:
            medians = self.medians(figure) if figure in self.values else {}
            if "stack" not in medians:
                continue
            cells = [number(medians[s]) if s in sides and s in medians else "" for s in names]
            rows.append(f"| {words}{', ' + unit if unit else ''} | {number(medians['stack'])} | {' | '.join(cells)} |")
        with open(path, encoding="utf-8") as text:
            before, _, rest = text.read().partition(BEGIN)
            _, _, after = rest.partition(END)
        if after:
            with open(path, "w", encoding="utf-8") as out:
                out.write(f"{before}{BEGIN}\n" + "\n".join(rows) + f"\n{END}{after}")

    def chart(self):
        """Bars per figure, each figure on a scale of its own (its longest bar is full)."""
        parts, y = [], 20
        for figure in (f for f in CHARTED if f in self.values):
            sides = {s: m for s, m in self.medians(figure).items() if s in COLOURS}
            full = max(sides.values()) or 1
            parts.append(f'<text x="0" y="{y}" font-weight="bold">{figure}</text>')
            for side, median in sides.items():
                width = max(1, (WIDTH - LABEL - 90) * median / full)
                parts.append(f'<text x="70" y="{y}">{side}</text><rect x="{LABEL}" y="{y - 10}" width="{width:.0f}"'
                             f' height="{BAR - 3}" fill="{COLOURS[side]}"/>'
                             f'<text x="{LABEL + width + 5:.0f}" y="{y}">{number(median)} ms</text>')
                y += BAR
            y += BAR // 2
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" '
                f'font-size="11">\n' + "\n".join(parts) + "\n</svg>\n")


def number(value):
    if value >= 1000:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 or not value else f"{value:.2f}"
