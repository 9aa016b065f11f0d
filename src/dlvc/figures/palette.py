"""The palette of Okabe and Ito (2008), whose colours colour-blind readers can distinguish."""

BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"

# The strongest colours come first. Dashes and markers also distinguish the curves in a
# black-and-white print.
STYLES = (
    (BLUE, "-", "o"),
    (VERMILION, "--", "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (BLACK, (0, (5, 1, 1, 1, 1, 1)), "v"),
    (ORANGE, (0, (1, 1)), "X"),
)
