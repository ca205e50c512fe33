// Whether the page stands in the portal's frame, which brings a bar, a full screen and a way back of its own.
export const isFramed = window !== parent;

document.documentElement.classList.toggle("framed", isFramed);
