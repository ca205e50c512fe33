// What administrators told the visitor: dismissed without leaving the page.

async function dismiss(form) {
  form.querySelector("button").disabled = true;
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
  if (!answer?.ok) return form.submit(); // the portal itself says why
  form.remove();
  (document.getElementById("application") ?? document.getElementById("content")).focus();
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("#messages form")) return;
  event.preventDefault();
  dismiss(event.target);
});
