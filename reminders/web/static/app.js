// Small helps for those who have JavaScript. Every page works without.
"use strict";

// A part of a page that renews itself: <section data-renew="15" id="…">.
for (const part of document.querySelectorAll("[data-renew]")) {
  const renew = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { "X-Part": part.id }, redirect: "manual" });
      // The session has ended, or what was waited for is elsewhere: the whole page goes there.
      if (answer.type === "opaqueredirect") return location.reload();
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (part.dataset.until && !page.getElementById(part.id)?.dataset.until) return location.reload();
      const fresh = page.getElementById(part.id);
      if (fresh && !part.contains(document.activeElement) && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
    } catch { /* the server is away: what stands here stays */ }
  };
  setInterval(renew, Number(part.dataset.renew) * 1000);
}

// Dropping a file anywhere on the form chooses it.
for (const zone of document.querySelectorAll("[data-drop]")) {
  const input = zone.querySelector("input[type=file]");
  const told = zone.querySelector("[data-chosen]");
  const written = zone.querySelector("[data-modified]");
  const tell = () => {
    if (!input.files.length) return;
    if (told) told.textContent = input.files[0].name;
    if (written) written.value = input.files[0].lastModified;
  };
  input.addEventListener("change", tell);
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, () => zone.classList.remove("over"));
  }
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      tell();
    }
  });
}

// A box that ticks all the others of its form.
for (const all of document.querySelectorAll("[data-all]")) {
  all.hidden = false;
  all.querySelector("input").addEventListener("change", (event) => {
    for (const box of document.querySelectorAll(all.dataset.all)) box.checked = event.target.checked;
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
