// Keeps the page for visits without network: a service worker, which a web host's page registers. Each file is kept under
// its name and the hash of its content, so that a new version fetches only what has changed.
const FILES = "{{files}}"; // each name with its hash, put in by site.py
const CACHE = "audioformer";
const place = (name) => new URL(`${name}?${FILES[name]}`, self.registration.scope).href;

async function keep() {
  const cache = await caches.open(CACHE);
  const missing = async (name) => !(await cache.match(place(name)));
  await Promise.all(Object.keys(FILES).map(async (name) => {
    if (!(await missing(name))) return;
    const reply = await fetch(new URL(name, self.registration.scope), { cache: "no-cache" }); // asks whether it is the newest
    if (!reply.ok) throw new Error(`${name}: ${reply.status}`);
    await cache.put(place(name), reply);
  }));
}

async function tidy() {
  const [cache, used] = [await caches.open(CACHE), new Set(Object.keys(FILES).map(place))];
  await Promise.all((await cache.keys()).filter(({ url }) => !used.has(url)).map((request) => cache.delete(request)));
  await self.clients.claim();
}

async function answer(request, name) {
  return (await (await caches.open(CACHE)).match(place(name))) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(tidy()));
self.addEventListener("fetch", (event) => {
  const { url } = event.request;
  if (!url.startsWith(self.registration.scope)) return;
  const name = url.slice(self.registration.scope.length).split(/[?#]/)[0] || "index.html";
  if (name in FILES) event.respondWith(answer(event.request, name));
});
