// Every <time datetime> in the visitor's zone and language; data-form says how: short, long, relative or day.

const FORMS = {
  short: (at) => at.toLocaleString(language, { ...dayOf(at), hour: "2-digit", minute: "2-digit" }),
  long: (at) => at.toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" }),
  relative: (at) => since(at),
  day: (at) => at.toLocaleDateString(language, { dateStyle: "medium", timeZone: "UTC" }),
};
const SPANS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const page = document.documentElement.lang || "en";
// An English page shows days as the visitor's own English does.
const language = navigator.languages.find((one) => one.split("-")[0] === page.split("-")[0]) ?? page;
const spans = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

/** Return a moment (what `Date` takes) as people read it. */
export const written = (moment, form = "short") => (FORMS[form] ?? FORMS.short)(new Date(moment));

/** Write the times of a part of the page; the whole moment, with its zone, stands in the title. */
export function showTimes(part = document) {
  for (const time of part.querySelectorAll("time[datetime]")) show(time);
}

function show(time) {
  const at = new Date(time.dateTime);
  if (isNaN(at)) return;
  const text = FORMS[time.dataset.form ?? "short"]?.(at);
  // What is read aloud or selected stays as it is while nothing changes.
  if (text && time.textContent !== text) time.textContent = text;
  if (time.dataset.form !== "day") time.title = at.toLocaleString(language, { dateStyle: "full", timeStyle: "long" });
}

/** The day only where it is not today, the year only where it is not this one. */
function dayOf(at) {
  const now = new Date();
  if (at.toDateString() === now.toDateString()) return {};
  const day = { day: "numeric", month: "short" };
  return at.getFullYear() === now.getFullYear() ? day : { ...day, year: "numeric" };
}

function since(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  const [unit, scale] = SPANS.find(([, size]) => Math.abs(seconds) >= size) ?? SPANS.at(-1);
  return spans.format(Math.trunc(seconds / scale), unit);
}

showTimes();
// A part of the page is new: live.js tells the one, whoever replaces something himself the other.
for (const told of ["live", "remoteapp:replaced"]) document.addEventListener(told, () => showTimes());
setInterval(() => showTimes(), 30000); // what was a minute ago, and what was today
