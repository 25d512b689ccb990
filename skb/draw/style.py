"""The style sheet of all drawings: one set of rules, filled in with a light and a dark palette.

Colours that carry meaning are those of Okabe and Ito, which colour-blind readers tell apart, and
never stand alone: memory kinds, tasks and arrivals are also written in words. Plain rules and no
CSS variables, so that viewers without a browser's CSS engine show the light palette.
"""

from __future__ import annotations

from string import Template

HEAT_STEPS = 7
TASK_COLOURS = 8
WEIGHTS = 5  # widths of links by what they carry

_RULES = Template("""
svg.skb{background:$paper;font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.skb text{fill:$ink;font-size:11px;pointer-events:none}
.skb .small{font-size:10px}
.skb .note{fill:$dim;font-size:10px}
.skb .name{font-size:16px;font-weight:650}
.skb .heading{font-size:12px;font-weight:600}
.skb .sub{fill:$dim;font-size:11.5px}
.skb rect{fill:$frame;stroke:$line;stroke-width:1}
.skb .machine>rect{fill:$paper;stroke:none}
.skb .package>rect{fill:$package;stroke:$strong;stroke-width:1.3}
.skb .group>rect,.skb .die>rect{fill:$group;stroke:$line;stroke-dasharray:4 3}
.skb .core>rect{fill:$core;stroke:$coreline}
.skb .strip>rect{fill:$plain}
.skb .strip.cache>rect{fill:$cache;stroke:$cacheline}
.skb .strip.memory>rect{fill:$dram;stroke:$dramline}
.skb .strip.hbm>rect{fill:$hbm;stroke:$hbmline}
.skb .strip.cxl>rect,.skb .strip.pmem>rect{fill:$cxl;stroke:$cxlline}
.skb .strip.gpu>rect,.skb .strip.special>rect{fill:$gpumem;stroke:$gpumemline}
.skb .tile>rect{fill:$pu;stroke:$puline}
.skb .tight>.tile>rect{stroke:none}
.skb .tight>.pick>rect,.skb .tight>.root>rect{stroke:$accent}
.skb .gone>rect{fill:$paper;stroke-dasharray:2 2}
.skb .gone>text{fill:$dim;text-decoration:line-through}
.skb .chip>rect{fill:$chip;stroke:$chipline}
.skb .chip.plain>rect{fill:$paper;stroke:$line}
.skb .fold>rect{fill:$paper;stroke:$strong;stroke-dasharray:5 3}
.skb .fold>text{font-weight:600}
.skb .fold>.note{font-weight:400}
.skb .link{stroke:$strong;stroke-width:3;fill:none;stroke-linecap:round}
.skb .link.far{stroke-width:1.6;stroke-opacity:.55}
.skb .halo{stroke:$paper;stroke-width:4;fill:none;stroke-opacity:.85}
.skb .send{stroke:$send;stroke-width:1.7;fill:none}
.skb .head{fill:$send;stroke:none}
.skb .dense .send{stroke-width:1;stroke-opacity:.55}
.skb .critical .send{stroke:$accent;stroke-width:3}
.skb .critical .head{fill:$accent}
.skb .dense .critical .send{stroke-width:2.4;stroke-opacity:1}
.skb .weight0 .send{stroke-width:1}
.skb .weight1 .send{stroke-width:1.6}
.skb .weight2 .send{stroke-width:2.3}
.skb .weight3 .send{stroke-width:3}
.skb .weight4 .send{stroke-width:3.8}
.skb .badge{fill:$paper;stroke:$send;stroke-width:1.2}
.skb .critical .badge{fill:$accent;stroke:$accent}
.skb .count{font-size:9px;font-weight:700;text-anchor:middle}
.skb .critical .count{fill:$onaccent}
.skb .pick>rect{stroke:$accent;stroke-width:2.4}
.skb .root>rect{stroke:$accent;stroke-width:3.4}
.skb.over .cache>text,.skb.over .core>text{opacity:.5}
.skb .at{font-size:10px;font-weight:600;text-anchor:middle}
.skb .tag{font-size:10px;font-weight:650}
.skb .buffer>rect{fill:$paper;stroke:$ink}
.skb .buffer.near-device>rect{fill:$chip;stroke:$chipline}
.skb .buffer.near-core>rect{fill:$cache;stroke:$send}
.skb .legend text{font-size:12px}
.skb .legend .strong{font-weight:650}
.skb .legend rect{stroke:$line}
.skb .flow{stroke:$ink;stroke-width:2;fill:none}
.skb .flow.out{stroke-dasharray:5 3}
""")

_LIGHT = {
    "paper": "#ffffff",
    "ink": "#16202b",
    "dim": "#52606d",
    "line": "#c3ccd5",
    "strong": "#5d6b79",
    "frame": "#f6f8fa",
    "package": "#f1f4f8",
    "group": "#f8fafc",
    "core": "#ffffff",
    "coreline": "#aab6c2",
    "plain": "#e6ebf0",
    "cache": "#dfe9f6",
    "cacheline": "#a9c1e0",
    "dram": "#d9f0e6",
    "dramline": "#3f9d78",
    "hbm": "#fbe3cf",
    "hbmline": "#c8691c",
    "cxl": "#efe0f1",
    "cxlline": "#9c5fa6",
    "gpumem": "#fdf1c2",
    "gpumemline": "#b08d00",
    "pu": "#edf1f5",
    "puline": "#b4bfca",
    "chip": "#fff6dc",
    "chipline": "#c79a1c",
    "send": "#0b63b3",
    "accent": "#d04a00",
    "onaccent": "#ffffff",
}
_DARK = {
    "paper": "#10161d",
    "ink": "#e8eef4",
    "dim": "#a3b1bf",
    "line": "#3b4855",
    "strong": "#8494a4",
    "frame": "#18212a",
    "package": "#161f28",
    "group": "#141c24",
    "core": "#1d2731",
    "coreline": "#485665",
    "plain": "#2a3540",
    "cache": "#213450",
    "cacheline": "#3f5f8c",
    "dram": "#173c30",
    "dramline": "#3f9d78",
    "hbm": "#4a2c14",
    "hbmline": "#d98443",
    "cxl": "#3b2440",
    "cxlline": "#b57fc0",
    "gpumem": "#423a10",
    "gpumemline": "#c9a92a",
    "pu": "#293440",
    "puline": "#4b5a69",
    "chip": "#3a3013",
    "chipline": "#c79a1c",
    "send": "#62b1f5",
    "accent": "#ff8a3d",
    "onaccent": "#10161d",
}
# Arrival times from early to late, and the ink that is readable on each.
_HEAT_LIGHT = ("#f2f7fc", "#d9e8f5", "#b9d6ec", "#93c0e1", "#6aa6d3", "#4287c0", "#1f67a6")
_HEAT_DARK = ("#1a2634", "#1c344c", "#1d4468", "#205686", "#2a6aa3", "#4384bd", "#6aa3d6")
# Okabe-Ito without black, and a grey; used for tasks and flows.
_TASKS_LIGHT = (
    *("#f5c26b", "#9fd3f2", "#7fd1b5", "#f7ec8a"),
    *("#86b4dd", "#f0a37a", "#e3b5cf", "#c9ced4"),
)
_TASKS_DARK = (
    *("#8a5b06", "#26648a", "#0b6a4e", "#736a10"),
    *("#1d4f80", "#8c3d10", "#7a3f62", "#4a5560"),
)


def _palette(base: dict[str, str], heat: tuple[str, ...], tasks: tuple[str, ...]) -> str:
    rules = _RULES.substitute(base)
    dark = base is _DARK
    for step, colour in enumerate(heat):
        inverse = "#ffffff" if (step >= 5 and not dark) else "#0b1016" if step == 6 else ""
        rules += f".skb .heat{step}>rect{{fill:{colour}}}"
        if inverse:
            rules += f".skb .heat{step}>text{{fill:{inverse}}}"
    for step, colour in enumerate(tasks):
        rules += f".skb .task{step}>rect{{fill:{colour}}}"
    return rules


def _style() -> str:
    light = _palette(_LIGHT, _HEAT_LIGHT, _TASKS_LIGHT)
    dark = _palette(_DARK, _HEAT_DARK, _TASKS_DARK)
    css = f"{light}@media (prefers-color-scheme:dark){{{dark}}}"
    return css.replace("\n", "")


STYLE = _style()
