// A moment that is typed: in the visitor's zone on the page, in UTC on its way to the portal.

const inputs = document.querySelectorAll("input[type=datetime-local]");
const two = (number) => String(number).padStart(2, "0");

/** A moment as such an input holds it, in the visitor's zone. */
function local(at) {
  const day = `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

for (const input of inputs) {
  const at = new Date(`${input.value}Z`);
  if (input.value && !isNaN(at)) input.value = local(at);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const told = document.querySelector(`label[for="${input.id}"] [data-zone]`);
  if (told && zone) told.textContent = `(${zone})`;
  input.form.addEventListener("formdata", (event) => {
    const typed = new Date(input.value);
    if (input.value && !isNaN(typed)) event.formData.set(input.name, typed.toISOString().slice(0, 16));
  });
}
