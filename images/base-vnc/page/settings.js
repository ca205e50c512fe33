// What a person has chosen for all desktops in this browser, kept from one visit to the next.
const KEY = "remoteapp-desktop";

export const settings = { quality: 6, compression: 2, density: 1, ...remembered() };

export function choose(name, value) {
  settings[name] = value;
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // The browser keeps nothing: it holds until the page is left.
  }
}

function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY)) ?? {};
    return Object.fromEntries(Object.entries(kept).filter(([, value]) => Number.isFinite(value)));
  } catch {
    return {};
  }
}
