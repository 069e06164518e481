/* The page that stands in for another comes back to it: by the button, when the network is back, and
   when the service answers again. */

const LOOK_EVERY_MS = 5000;
const come = () => location.reload();

async function look() {
  try {
    const answer = await fetch("/healthz", { cache: "no-store" });
    if (answer.ok) return come();
  } catch {
    // Still away.
  }
  setTimeout(look, LOOK_EVERY_MS);
}

document.getElementById("again").addEventListener("click", come);
window.addEventListener("online", come);
setTimeout(look, LOOK_EVERY_MS);
