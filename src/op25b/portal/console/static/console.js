// Parts of a page that keep themselves up to date. Without this the page shows how it was when it was loaded.
for (const part of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(part.dataset.live);
  source.onmessage = (event) => { part.innerHTML = event.data; };
  addEventListener("pagehide", () => source.close());
}
