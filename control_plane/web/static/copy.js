// Buttons that copy what stands in an element: `data-copy` is its id, `data-done` what they say then.

/** Let the buttons in a part of the page do so. */
export function arm(part) {
  for (const button of part.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", () => copy(button));
  }
}

async function copy(button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = button.dataset.done;
}

arm(document);
