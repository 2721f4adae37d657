// Markup in a view. What comes anew changes it only where it differs: so the focus stays, and a selection, and what
// is open or scrolled.
export default {
  template: `<component :is="tag"></component>`,
  props: { innerHTML: String, sanitize: Boolean, tag: String },
  mounted() {
    this.$el.innerHTML = this.innerHTML;
  },
  watch: {
    innerHTML(text) {
      const fresh = document.createElement("template");
      fresh.innerHTML = text;
      take(this.$el, [...fresh.content.childNodes]);
    },
  },
};

// Rows are known by their first link: they stay themselves where others come before them or go.
function nameRows(nodes) {
  const seen = {};
  return nodes.map((node) => {
    const href = node.nodeName === "TR" && node.querySelector("a")?.getAttribute("href");
    if (!href) return null;
    seen[href] = (seen[href] ?? 0) + 1;
    return `${seen[href]} ${href}`;
  });
}

function take(place, fresh) {
  const before = [...place.childNodes];
  const names = nameRows(fresh);
  const rows = new Map();
  nameRows(before).forEach((name, n) => {
    if (!name) return;
    if (names.includes(name)) rows.set(name, before[n]);
    else before[n].remove();
  });
  let next = place.firstChild;
  fresh.forEach((each, n) => {
    const same = names[n] ? rows.get(names[n]) : next;
    if (same?.nodeName !== each.nodeName) return place.insertBefore(each, next);
    if (same === next) next = next.nextSibling;
    else place.insertBefore(same, next);
    change(same, each);
  });
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

// Whether a detail is open is its reader's to say.
function change(node, fresh) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== fresh.data) node.data = fresh.data;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  take(node, [...fresh.childNodes]);
}
