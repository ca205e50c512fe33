"""Squares a number: a slider goes to the server over the WebSocket, and the answer comes back."""

import streamlit as st

st.title("Squares")
number = st.slider("Number", 0, 20, 3)
st.write(f"The square of {number} is {number * number}.")
