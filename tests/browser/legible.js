// Returns each visible text whose contrast with its background is under 4.5 : 1 (WCAG 2.2, 1.4.3).
() => {
  const parse = (colour) => {
    const numbers = colour.match(/[\d.]+/g).map(Number);
    return numbers.length < 4 ? [...numbers, 1] : numbers;
  };
  const over = (top, under) => under.map((value, i) => top[i] * top[3] + value * (1 - top[3]));
  const luminance = (rgb) => {
    const linear = rgb.map((v) => (v / 255 <= 0.03928 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    return over(parse(getComputedStyle(element).backgroundColor), ground(element.parentElement));
  };
  const contrast = (element) => {
    const under = ground(element);
    const pair = [over(parse(getComputedStyle(element).color), under), under].map(luminance);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    const isShown = text.data.trim() && !element.closest("noscript, option")
      && element.checkVisibility({ checkVisibilityCSS: true });
    if (isShown && contrast(element) < 4.5) faint.push(`${text.data.trim()} ${contrast(element)}`);
  }
  return faint;
}
