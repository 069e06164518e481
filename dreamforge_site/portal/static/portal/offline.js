/* The page that stands in for another comes back to it. */

const again = document.getElementById("again");
again.addEventListener("click", () => location.reload());
window.addEventListener("online", () => location.reload());
