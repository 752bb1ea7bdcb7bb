document.getElementById("theme").onclick = () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
};
for (const fold of document.querySelectorAll(".more"))
  fold.onclick = () => fold.nextElementSibling.classList.toggle("open");
