"""The colours of pictures, by day and by night: a tensor has the same one wherever it stands."""

from __future__ import annotations

__all__ = ["DAY", "NIGHT", "TENSORS"]

# Fill and outline of tensors, in order of appearance: light, then dark.
TENSORS = (
    (("#dbe9f6", "#2f6ea8"), ("#1e3a52", "#7fb4e0")),
    (("#fde3cf", "#b8621b"), ("#4c3018", "#eda767")),
    (("#dcefdc", "#39813c"), ("#203f22", "#86c989")),
    (("#f3dcea", "#a3407c"), ("#4a2139", "#de8fbf")),
    (("#fbf0c4", "#927213"), ("#453a12", "#dcc05c")),
    (("#e4dff5", "#6450a8"), ("#332a55", "#a997e3")),
    (("#d6efed", "#1f7f7a"), ("#163f3d", "#70c8c2")),
    (("#f8dada", "#b03a3a"), ("#4f2222", "#e58d8d")),
)

DAY = {"ink": "#24292f", "leg": "#57606a", "quiet": "#6b7580", "frame": "#f6f8fa", "paper": "#ffffff", "rim": "#9aa4af"}
NIGHT = {
    "ink": "#e6edf3",
    "leg": "#a9b3bd",
    "quiet": "#9aa4af",
    "frame": "#161b22",
    "paper": "#0d1117",
    "rim": "#5d6772",
}
