"""Draws how many times as fast as other engines we are: bars with the span of their rounds, and a tick at each goal.

plot.py light|dark FILE.svg < BARS.json
"""
# mypy: ignore-errors
# Its libraries are in an environment of their own.

from __future__ import annotations

import json
import sys

import matplotlib as mpl
from matplotlib import pyplot as plt

plt.switch_backend("svg")
mpl.rcParams["svg.fonttype"] = "none"  # text that a reader can select, and a test can read
mpl.rcParams["svg.hashsalt"] = "dormouse"  # the same figures make the same file
mpl.rcParams["font.family"] = "sans-serif"

theme, path = sys.argv[1], sys.argv[2]
bars = json.load(sys.stdin)
ink, bar_color, goal_color = {
    "light": ("#1f2328", "#7c9fd6", "#9a6700"),
    "dark": ("#e6edf3", "#4f77b5", "#e3b341"),
}[theme]

figure, axes = plt.subplots(figsize=(8, 0.62 * len(bars) + 1.2), layout="constrained")
for place, bar in enumerate(bars):
    axes.barh(place, bar["times"], height=0.55, color=bar_color)
    axes.plot([bar["lowest"], bar["highest"]], [place, place], color=ink, linewidth=1.2)
    axes.plot([bar["goal"], bar["goal"]], [place - 0.38, place + 0.38], color=goal_color, linewidth=2.5)
    right = max(bar["times"], bar["highest"], bar["goal"])
    axes.annotate(bar["text"], (right, place), (7, 0), textcoords="offset points", va="center", color=ink)
axes.set_yticks(range(len(bars)), [bar["label"] for bar in bars])
axes.invert_yaxis()
axes.set_xscale("log")
axes.set_xlim(1, 4 * max(max(bar["highest"], bar["goal"]) for bar in bars))
axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
axes.set_xlabel("times as fast as the other engine (log scale)\nthin line: lowest to highest round; mark: the goal")
for item in (axes.xaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()):
    item.set_color(ink)
axes.tick_params(which="both", color=ink)
for side, spine in axes.spines.items():
    spine.set_visible(side in ("left", "bottom"))
    spine.set_color(ink)
figure.savefig(path, transparent=True, metadata={"Date": None, "Title": "Steps a second beside other engines"})
