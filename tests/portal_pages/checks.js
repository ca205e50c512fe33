// What is wrong with a page as it is shown just now; each check returns sentences, none when all is well.
(() => {
  const said = (element) => {
    const name = element.getAttribute("aria-label") ?? element.innerText ?? "";
    const mark = element.id ? `#${element.id}` : [...element.classList].map((one) => `.${one}`).join("");
    return `<${element.localName}${mark}> ${name.trim().replace(/\s+/g, " ").slice(0, 30)}`;
  };
  const shown = (element) => element.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true });
  const all = (selector) => [...document.querySelectorAll(selector)];

  /** Whatever makes the page scroll sideways. */
  const wide = () => {
    const page = document.documentElement;
    if (page.scrollWidth <= page.clientWidth) return [];
    const scrolls = (one) => one !== document.body
      && (getComputedStyle(one).overflowX !== "visible" || scrolls(one.parentElement));
    const culprits = all("body *").filter((one) => one.getBoundingClientRect().right > page.clientWidth + 1
      && !scrolls(one.parentElement));
    return [`${page.scrollWidth} px wide in ${page.clientWidth}: ${culprits.slice(0, 3).map(said).join("; ")}`];
  };

  /** What hostile text has made, or run. */
  const harmed = () => {
    const made = all("img[src='x'], .hostile, [onerror]").map((one) => `made ${one.outerHTML.slice(0, 80)}`);
    const { ran } = document.documentElement.dataset;
    return [...made, ...(ran ? [`ran ${ran}`] : []), ...(window.violated ?? [])];
  };

  /** Controls whose bounds are told by colours alone, which forced colours take away. */
  const unbounded = () => {
    const bounded = (one) => ["Top", "Right", "Bottom", "Left"].some((side) => {
      const style = getComputedStyle(one);
      return style[`border${side}Style`] !== "none" && parseFloat(style[`border${side}Width`]) > 0;
    });
    const controls = "button, .button, select, textarea, input:not([type=checkbox], [type=radio], [type=hidden], [type=file], [type=range])";
    return all(controls).filter((one) => shown(one) && !bounded(one)).map((one) => `no border: ${said(one)}`);
  };

  /** Everything that Tab has to reach, in the order of the page. */
  const reachable = () => {
    const can = "a[href], button, input, select, textarea, summary, [tabindex]";
    const radio = (one) => {
      if (one.type !== "radio") return true;
      const group = all(`input[type=radio][name="${CSS.escape(one.name)}"]`).filter((other) => other.form === one.form);
      return one === (group.find((other) => other.checked) ?? group[0]);
    };
    return all(can).filter((one) => one.checkVisibility({ checkVisibilityCSS: true })
      && one.tabIndex >= 0 && !one.matches(":disabled, [type=hidden]") && !one.closest("[inert]") && radio(one));
  };

  /** Begin before everything and note what the keyboard comes by. */
  const listen = () => {
    const start = document.createElement("span");
    start.tabIndex = -1;
    document.body.prepend(start);
    start.focus();
    start.remove();
    window.toReach = reachable();
    window.reached = [];
    document.addEventListener("focusin", ({ target }) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(target);
      const { bottom, top, right, left } = target.getBoundingClientRect();
      const inside = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
      const marked = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
      window.reached.push({ target, inside, marked });
    });
    return window.toReach.length;
  };

  /** Whether the keyboard has come to the last of them. */
  const arrived = () => window.reached.at(-1)?.target === window.toReach.at(-1);

  /** What the keyboard missed, met in another order, or stood on without showing it. */
  const missed = () => {
    const met = window.reached.filter(({ target }) => window.toReach.includes(target)).map(({ target }) => target);
    const first = window.toReach.findIndex((one, place) => met[place] !== one);
    const order = first < 0 ? [] : [`Tab ${first + 1} is at ${met[first] ? said(met[first]) : "nothing"}, not at ${said(window.toReach[first])}`];
    const bare = window.reached.filter(({ marked }) => !marked).map(({ target }) => `no outline: ${said(target)}`);
    const away = window.reached.filter(({ inside }) => !inside).map(({ target }) => `out of sight: ${said(target)}`);
    return [...order, ...new Set(bare), ...new Set(away)];
  };

  window.checks = { wide, harmed, unbounded, listen, arrived, missed };
})();
