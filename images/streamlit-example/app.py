"""Plot a table of the user's own, or a measurement made up here: an example of a Streamlit page."""
# ruff: noqa: INP001 (Streamlit runs it by its path)

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

RESONANCE = 5.0  # of the made-up measurement, in GHz
HOME = Path.cwd()


def main() -> None:
    """Draw the page; Streamlit runs it anew for each change of a control."""
    icon = str(Path(__file__).with_name("icon.png"))  # a name of an icon is fetched from outside
    st.set_page_config(page_title="Data explorer", page_icon=icon, layout="wide")
    st.title("Data explorer")
    with st.sidebar:
        table = chosen_table()
        numbers = list(table.select_dtypes("number"))
        across = st.selectbox("Across", numbers)
        up = st.selectbox("Up", numbers, index=min(1, len(numbers) - 1))
        smooth = st.slider("Smooth over points", 1, 51, 1, step=2)
    if len(numbers) < 2:  # noqa: PLR2004 - a line needs two
        st.warning("This table has fewer than two columns of numbers.")
        return
    show(table[[across, up]].dropna().sort_values(across), across, up, smooth)


def chosen_table() -> pd.DataFrame:
    """Return the CSV file of the home that was chosen, or a measurement made up by its controls."""
    made_up = "A made-up measurement"
    names = sorted(path.name for path in HOME.glob("*.csv"))
    name = st.selectbox("Table", [made_up, *names], help="CSV files of your home are listed here.")
    if name != made_up:
        return pd.read_csv(HOME / name)
    width = st.slider("Width of the resonance, GHz", 0.05, 2.0, 0.4)
    noise = st.slider("Noise, mV", 0.0, 2.0, 0.4)
    return measurement(width, noise)


def measurement(width: float, noise: float) -> pd.DataFrame:
    """Return a Lorentzian line with noise: GHz and mV, 600 points, the same each time."""
    frequency = np.linspace(0, 10, 600)
    line = 10 / (1 + ((frequency - RESONANCE) / (width / 2)) ** 2)
    voltage = line + np.random.default_rng(1).normal(0, noise, frequency.size)
    return pd.DataFrame({"frequency, GHz": frequency, "voltage, mV": voltage})


def show(table: pd.DataFrame, across: str, up: str, smooth: int) -> None:
    """Show the plot, what describes it in numbers, and the table itself."""
    smoothed = table.assign(**{up: table[up].rolling(smooth, center=True, min_periods=1).mean()})
    peak = smoothed.loc[smoothed[up].idxmax()]
    for column, (label, value) in zip(
        st.columns(3),
        {"Points": len(table), f"Highest {up}": peak[up], f"At {across}": peak[across]}.items(),
        strict=True,
    ):
        column.metric(label, f"{value:.4g}")
    # Fields with dots, brackets or colons in their names mean something else to Vega.
    plain = smoothed.set_axis(["x", "y"], axis=1)
    axes = {"x": alt.X("x", title=across), "y": alt.Y("y", title=up)}
    st.altair_chart(alt.Chart(plain, height=420).mark_line().encode(**axes).interactive())
    with st.expander("The numbers"):
        st.dataframe(smoothed, hide_index=True)


main()
