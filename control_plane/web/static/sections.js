// Where the sections lie in one row that scrolls, the present one is in sight.

const row = document.querySelector(".sections");
const present = row?.querySelector("[aria-current]");
if (present && row.scrollWidth > row.clientWidth) {
  row.scrollLeft = present.offsetLeft - (row.clientWidth - present.offsetWidth) / 2;
}
