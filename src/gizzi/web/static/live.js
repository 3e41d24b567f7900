// Keeps a page as it is on the server: what happens comes as server-sent events, then the page is read again and what differs is put
// in its place. Nothing moves that has not changed; what is typed, opened or focused stays. Without this script pages work, and stand still.
"use strict";

const QUIET_MS = 25000; // the server says something every 10 s
const SOONEST_MS = 1000; // between two readings
const USUAL_MS = 5000; // figures move without an event

const moves = document.getElementById("main").dataset.live === "all"; // other pages only tell whether the connection holds
const state = document.getElementById("stream");
const banner = document.getElementById("lost");
let source = null;
let lostAt = null;
let heardAt = 0;
let readAt = 0;
let reading = false;
let wanted = null;

function clock(at) {
  return new Date(at).toISOString().slice(11, 19) + " UTC";
}

function say(word, text) {
  if (state.dataset.state !== word) state.dataset.state = word;
  if (state.textContent !== text) state.textContent = text;
}

function connected() {
  heardAt = Date.now();
  if (lostAt !== null) {
    lostAt = null;
    banner.hidden = true;
    banner.textContent = "";
    say("live", "Live again");
    setTimeout(() => { if (lostAt === null) say("live", "Live"); }, 5000);
    soon();
  } else if (state.dataset.state !== "live") {
    say("live", "Live");
  }
}

function lost() {
  if (lostAt !== null) return;
  lostAt = Date.now();
  say("lost", "Lost");
  banner.textContent = "No connection to Gizzi since " + clock(lostAt) + ". What you see may be old. Trying again.";
  banner.hidden = false;
}

function listen() {
  if (source) source.close();
  heardAt = Date.now();
  source = new EventSource("/live");
  for (const kind of ["hello", "beat", "reset"]) source.addEventListener(kind, connected);
  for (const kind of ["incident", "action", "status", "reset"]) source.addEventListener(kind, () => { connected(); soon(); });
  source.onerror = () => {
    lost();
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}

function soon() {
  if (!moves) return;
  if (wanted !== null || reading) { wanted = wanted || true; return; }
  wanted = setTimeout(read, Math.max(150, SOONEST_MS - (Date.now() - readAt)));
}

async function read() {
  wanted = null;
  reading = true;
  try {
    const answer = await fetch(location.href, { cache: "no-cache", headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") { location.assign(answer.url); return; }
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    readAt = Date.now();
  } catch (error) {
    readAt = Date.now(); // the stream tells that the connection is lost
  } finally {
    reading = false;
    if (wanted === true) { wanted = null; soon(); }
  }
}

function take(page) {
  const said = document.querySelector(".said");
  const fresh = page.getElementById("main");
  if (!fresh) return;
  if (said && !page.querySelector(".said")) fresh.prepend(said.cloneNode(true)); // told once by the server, kept while the page is open
  morph(document.getElementById("main"), fresh);
  const asOf = page.getElementById("as-of");
  if (asOf) document.getElementById("as-of").textContent = asOf.textContent;
  if (document.title !== page.title) document.title = page.title;
}

// Make `old` like `fresh` with as few changes as can be.
function morph(old, fresh) {
  attributes(old, fresh);
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const found = match(old, at, child);
    if (found === null) {
      old.insertBefore(document.importNode(child, true), at);
      continue;
    }
    if (found !== at) old.insertBefore(found, at); else at = at.nextSibling;
    if (child.nodeType === Node.ELEMENT_NODE) morph(found, child);
    else if (found.data !== child.data) found.data = child.data;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// The node that stands for this one: of the same id anywhere among its siblings, or the next one of the same kind without an id.
function match(parent, at, child) {
  if (child.id) {
    const found = document.getElementById(child.id);
    return found && found.parentNode === parent && found.nodeName === child.nodeName ? found : null;
  }
  return at && at.nodeType === child.nodeType && at.nodeName === child.nodeName && !at.id ? at : null;
}

function attributes(old, fresh) {
  const kept = old.nodeName === "DETAILS" ? "open" : old.nodeName === "INPUT" && old.type !== "hidden" ? "value" : "";
  for (const { name, value } of [...fresh.attributes]) {
    if (name !== kept && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (name !== kept && name !== "disabled" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; } // a second click is not a second form
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });

if (document.getElementById("main").hasAttribute("data-live")) {
  listen();
  setInterval(() => {
    if (Date.now() - heardAt > QUIET_MS) { lost(); listen(); }
    else if (!document.hidden && lostAt === null && Date.now() - readAt > USUAL_MS) soon();
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
}
