// What is on the page becomes what it should be, node by node: what did not change is not touched, so that a press, the
// focus and selected text outlive a refresh.

const OWN = new Set(["open", "style"]); // what the reader, or a measurement, has set

export function morph(now, next) {
  if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName) return now.replaceWith(next);
  if (now.nodeType === Node.TEXT_NODE) {
    if (now.data !== next.data) now.data = next.data;
    return undefined;
  }
  if (now.kept !== next.kept) return now.replaceWith(next); // its presses are about its own content, not about another's
  if (now.kept !== undefined) return undefined; // its content is its own business
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name) && !OWN.has(name)) now.removeAttribute(name);
  for (const { name, value } of next.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  now.onclick = next.onclick;
  morphChildren(now, [...next.childNodes]);
  return undefined;
}

export function morphChildren(parent, wanted) {
  const there = [...parent.childNodes];
  wanted.filter((one) => one !== null).forEach((one, place) => {
    const node = typeof one === "string" ? document.createTextNode(one) : one;
    if (there[place]) morph(there[place], node);
    else parent.append(node);
  });
  for (const old of there.slice(wanted.length)) old.remove();
}
