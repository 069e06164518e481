// Renews the parts of a page while somebody looks at it.
//
//   renew({ every: 4000, onUpdate })
//
// asks the page's own address for its parts: elements with `data-live="name"`. A part whose
// `data-version` (or, without one, whose whole text) is as before is left alone, so that focus,
// selection and scrolling stay; one that changed is replaced, and focus returns to the same link or
// button in it. In a hidden tab nothing is asked. `[data-live-state]` says how it stands.

const LONGEST_MS = 60_000;

export function renew({ every = 4000, url = () => location.href, onUpdate = () => {}, onEnd = () => {} } = {}) {
  let timer = 0;
  let failures = 0;
  let asking = false;
  let again = false;
  let over = false;

  function later() {
    clearTimeout(timer);
    if (over || document.hidden || !every) return;
    timer = setTimeout(ask, Math.min(every * 2 ** failures, LONGEST_MS));
  }

  async function ask() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(url(), {
        headers: { "X-Forge-Live": "1" },
        credentials: "same-origin",
        redirect: "manual",
        cache: "no-store",
      });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
        stop("Signed out: load the page again");
        return;
      }
      if (answer.status === 404) {
        stop("It is gone");
        return;
      }
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      const parts = new DOMParser().parseFromString(await answer.text(), "text/html");
      replaceParts(parts);
      failures = 0;
      say("Live", true);
      onUpdate(parts);
    } catch (error) {
      failures += 1;
      say("No connection: trying again", false);
    } finally {
      asking = false;
      if (again && !over) {
        again = false;
        ask();
      } else {
        later();
      }
    }
  }

  function stop(words) {
    over = true;
    clearTimeout(timer);
    if (words) say(words, false);
    onEnd();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!over) ask();
  });
  later();
  return { now: ask, stop };
}

function say(words, isWell) {
  for (const element of document.querySelectorAll("[data-live-state]")) {
    if (element.textContent !== words) element.textContent = words;
    element.classList.toggle("df-live-well", isWell);
    element.classList.toggle("df-live-ill", !isWell);
  }
}

export function replaceParts(from) {
  for (const fresh of from.querySelectorAll("[data-live]")) {
    const old = document.querySelector(`[data-live="${CSS.escape(fresh.dataset.live)}"]`);
    if (old && !isSame(old, fresh)) replace(old, fresh);
  }
}

const drawn = new WeakMap();

// A form's token is another one each time, and says nothing.
const TOKEN = /(name="csrfmiddlewaretoken" value=")[^"]*/g;
const textOf = (element) => element.outerHTML.replace(TOKEN, "$1");

// Compared with what the server sent last: scripts may have changed the element since.
function isSame(old, fresh) {
  if (fresh.dataset.version !== undefined) return old.dataset.version === fresh.dataset.version;
  return (drawn.get(old) ?? textOf(old)) === textOf(fresh);
}

function replace(old, fresh) {
  const place = placeOfFocus(old);
  const isOpen = [...old.querySelectorAll("details")].map((one) => one.open);
  const typed = [...old.querySelectorAll("input[type=text]")].map((one) => [one.name, one.value]);
  const node = document.importNode(fresh, true);
  drawn.set(node, textOf(fresh));
  old.replaceWith(node);
  node.querySelectorAll("details").forEach((one, index) => {
    if (isOpen[index]) one.open = true;
  });
  for (const [name, value] of typed) {
    const field = node.querySelector(`input[type=text][name="${CSS.escape(name)}"]`);
    if (field && value) field.value = value;
  }
  focusAt(node, place);
}

function placeOfFocus(part) {
  const active = document.activeElement;
  if (!active || !part.contains(active)) return null;
  const kind = active.tagName;
  const href = active.getAttribute("href");
  const index = [...part.querySelectorAll(kind)].indexOf(active);
  return { kind, href, index };
}

function focusAt(part, place) {
  if (!place) return;
  const sameLink = place.href ? part.querySelector(`a[href="${CSS.escape(place.href)}"]`) : null;
  const target = sameLink || part.querySelectorAll(place.kind)[place.index];
  target?.focus({ preventScroll: true });
}
