// How the picture travels and how large things are: chosen here, remembered in this browser.
import { applySettings } from "./connection.js";
import { choose, settings } from "./settings.js";

const DENSITIES = [2, 1.5, 1.25, 1, 0.8, 2 / 3]; // pixels of the desktop for one of the page

for (const name of ["quality", "compression"]) {
  const slider = document.getElementById(name);
  const output = document.querySelector(`output[for=${name}]`);
  slider.value = settings[name];
  choose(name, slider.valueAsNumber); // within its bounds now, whatever was remembered
  output.textContent = slider.value;
  slider.addEventListener("input", () => {
    output.textContent = slider.value;
    choose(name, slider.valueAsNumber);
    applySettings();
  });
}

// A desktop of more pixels than the page has is drawn smaller, and sharpest when it has as many as the device.
const zoom = document.getElementById("zoom");
for (const density of [...new Set([...DENSITIES, devicePixelRatio])].sort((a, b) => b - a)) {
  const isSharpest = density === devicePixelRatio && density !== 1;
  zoom.add(new Option(`${Math.round(100 / density)} %${isSharpest ? ", sharpest here" : ""}`, density));
}
zoom.value = settings.density;
if (zoom.selectedIndex < 0) zoom.value = settings.density = 1; // chosen for another screen
zoom.addEventListener("change", () => {
  choose("density", Number(zoom.value));
  applySettings();
});
