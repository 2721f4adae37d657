// The little that a view does without the server: relative times, light or dark, rows that are fetched as one scrolls.
"use strict";

const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]];

function relative(seconds) {
  if (seconds < 5) return "now";
  const [, unit, name] = STEPS.find(([end]) => seconds < end);
  return `${Math.floor(seconds / unit)} ${name} ago`;
}

setInterval(() => {
  for (const each of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.now() - Date.parse(each.dateTime)) / 1000;
    if (seconds < -5) continue;
    const text = relative(seconds);
    if (each.textContent !== text) each.textContent = text;
  }
}, 5000);

// The editor's own element has no name for those who do not see it.
new MutationObserver(() => {
  for (const each of document.querySelectorAll(".cm-content:not([aria-label])")) each.setAttribute("aria-label", "Formula");
}).observe(document, { childList: true, subtree: true });

// On a narrow screen the menu may begin before the place where one is.
new MutationObserver((_, observer) => {
  const here = document.querySelectorAll("nav [aria-current]");
  if (here.length) observer.disconnect();
  for (const each of here) each.parentElement.scrollLeft = each.offsetLeft - each.parentElement.clientWidth / 2;
}).observe(document, { childList: true, subtree: true });

// What changes while one looks is written anew, links too: one that is pressed just then would lose its click.
let pressed = null;
document.addEventListener("pointerdown", (event) => {
  pressed = event.button === 0 ? event.target.closest?.("a[href]") : null;
}, true);
document.addEventListener("pointerup", (event) => {
  const link = event.target.closest?.("a[href]");
  const { ctrlKey, metaKey, shiftKey } = event;
  if (pressed && !pressed.isConnected && link?.href === pressed.href)
    link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
  pressed = null;
}, true);

function theme() {
  const found = document.cookie.match(/(?:^|; )swath_theme=(dark|light)/);
  return found ? found[1] : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

document.documentElement.dataset.theme = theme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.documentElement.dataset.theme = theme();
});
// What is drawn by the server knows the system's choice from the second view on.
const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.cookie = `swath_system=${system}; path=/; max-age=31536000; samesite=lax`;

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("button.theme")) return;
  const next = theme() === "dark" ? "light" : "dark";
  document.cookie = `swath_theme=${next}; path=/; max-age=31536000; samesite=lax`;
  document.documentElement.dataset.theme = next;
  if (globalThis.Quasar) Quasar.Dark.set(next === "dark");
});

// Whether a table shows its first row: then new rows move nothing that somebody reads.
function isAtTop(id) {
  const view = getElement(id).$el.querySelector(".ag-body-viewport");
  return !view || view.scrollTop === 0;
}

// A pasted text goes to the server as a file does: the view's connection takes no large messages. A field that shows
// millions of lines would hold the browser up: of a large text it shows the beginning.
const LARGE = 1000000;
const held = new WeakMap();

function sendText(name, sender, way) {
  const field = document.getElementById(name);
  const text = held.get(field) ?? field.value;
  runMethod(sender, "removeQueuedFiles", []);
  runMethod(sender, "addFiles", [[new File([text], way, { type: "text/plain" })]]);
}

// What did not reach the server gives way to what is sent next.
function chooseFile(sender, event) {
  runMethod(sender, "removeQueuedFiles", []);
  runMethod(sender, "pickFiles", [event]);
}

function hold(field, text) {
  const note = field.nextElementSibling;
  field.readOnly = text !== null;
  note.hidden = text === null;
  field.value = text === null ? "" : `${text.slice(0, 2000)}…`;
  if (text === null) return held.delete(field);
  held.set(field, text);
  const lines = text.split("\n").length.toLocaleString("en");
  note.firstElementChild.textContent = `The beginning of ${lines} lines; all of them are sent.`;
}

document.addEventListener("paste", (event) => {
  const field = event.target.closest?.(".pasted textarea");
  const text = field && event.clipboardData.getData("text/plain");
  if (!text || text.length < LARGE) return;
  event.preventDefault();
  hold(field, text);
});

document.addEventListener("click", (event) => {
  const clear = event.target.closest?.(".pasted button");
  if (clear) hold(clear.closest(".pasted").querySelector("textarea"), null);
});

// What was written and not saved, by whom and where. Whoever signs out takes it along.
const DRAFT = "swath:draft:";
const LEFT = "swath:left";

function findDraft(name) {
  const kept = localStorage.getItem(DRAFT + name);
  return kept && JSON.parse(kept);
}

function keepDraft(name, text, saved) {
  try {
    localStorage.setItem(DRAFT + name, JSON.stringify({ text, saved, at: new Date().toISOString() }));
  } catch {
    // A full or forbidden storage keeps nothing; the text is still on the page.
  }
}

function forgetDraft(name) {
  localStorage.removeItem(DRAFT + name);
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches?.("form[action='/sign-out']")) return;
  for (const key of Object.keys(localStorage)) if (key.startsWith(DRAFT)) localStorage.removeItem(key);
  sessionStorage.setItem(LEFT, "now");
});

// Whoever signs out in one window has done so in all; they are told when the cookie is gone.
if (location.pathname === "/sign-in" && sessionStorage.getItem(LEFT)) {
  sessionStorage.removeItem(LEFT);
  localStorage.setItem(LEFT, new Date().toISOString());
}
addEventListener("storage", (event) => {
  if (event.key === LEFT) location.reload();
});

// What was done is told where it has led to.
const TOLD = "swath:told";

function leadTo(address, message) {
  sessionStorage.setItem(TOLD, message);
  location.assign(address);
}

addEventListener("load", function tell() {
  const message = sessionStorage.getItem(TOLD);
  if (!message) return;
  if (!window.did_handshake) return setTimeout(tell, 50);
  sessionStorage.removeItem(TOLD);
  Quasar.Notify.create({ message, position: "bottom", classes: "note" });
});

// While the server is away, what one typed would be lost with the view: fields wait for it.
let typing = null;

addEventListener("DOMContentLoaded", () => {
  const away = document.getElementById("popup");
  if (!away) return;
  new MutationObserver(() => {
    const view = document.getElementById("content");
    if (!view) return;
    if (away.ariaHidden === "false") typing = document.activeElement?.closest("#content, .q-dialog") ? document.activeElement : null;
    for (const each of [view, ...document.querySelectorAll(".q-dialog")]) each.inert = away.ariaHidden === "false";
    if (!view.inert) typing?.focus();
  }).observe(away, { attributes: true, attributeFilter: ["aria-hidden"] });
});
