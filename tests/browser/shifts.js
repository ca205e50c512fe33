// Adds up how far things move on a page without anybody having touched it, and notes which did.
window.shifted = 0;
window.moved = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    window.shifted += entry.value;
    for (const { node, previousRect, currentRect } of entry.sources) {
      const name = node?.outerHTML?.slice(0, 80) ?? node?.textContent ?? "something that is gone";
      const places = [previousRect, currentRect].map(({ x, y, width, height }) => `${x} ${y} ${width} ${height}`);
      window.moved.push(`${name}: ${places.join(" -> ")}`);
    }
  }
}).observe({ type: "layout-shift", buffered: true });
