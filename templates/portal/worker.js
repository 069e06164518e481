/* Keeps the offline page and its look. Answers of /v1, images and pages with a name on them are
   never kept: they are not this worker's to answer. */
const FACTS = {{ facts|safe }};
const SHELF = `portal-${FACTS.version}`;

self.addEventListener("install", (event) => {
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(clear().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (event.request.mode === "navigate") event.respondWith(page(event.request));
  else if (FACTS.files.includes(url.pathname)) event.respondWith(file(event.request));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const address = new URL(event.notification.data?.url || FACTS.root, location.origin);
  if (address.origin === location.origin) event.waitUntil(show(address.href));
});

async function fill() {
  const shelf = await caches.open(SHELF);
  await shelf.addAll([FACTS.offline, ...FACTS.files].map((path) => new Request(path, { cache: "reload" })));
}

async function clear() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith("portal-") && name !== SHELF).map((name) => caches.delete(name)));
}

async function page(request) {
  try {
    return await fetch(request);
  } catch {
    return kept(FACTS.offline);
  }
}

async function file(request) {
  try {
    return await fetch(request);
  } catch {
    return kept(new URL(request.url).pathname);
  }
}

async function kept(path) {
  const shelf = await caches.open(SHELF);
  return (await shelf.match(path)) || Response.error();
}

async function show(address) {
  const windows = await self.clients.matchAll({ type: "window" });
  const open = windows.find((one) => new URL(one.url).pathname.startsWith(FACTS.root));
  if (!open) return self.clients.openWindow(address);
  await open.focus();
  return open.navigate(address);
}
