// Light or dark, before anything is drawn: what the reader chose with the button, else what the system says.
// The place in localStorage is JupyterHub's own, so that its pages and ours agree.
(() => {
  const PLACE = "jupyterhub-bs-theme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  // For what is drawn differently without scripts, from the first moment.
  root.dataset.scripts = "";

  function apply() {
    const chosen = localStorage.getItem(PLACE);
    root.dataset.bsTheme = chosen === "dark" || (chosen !== "light" && dark.matches) ? "dark" : "light";
  }

  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("dark-theme-toggle");
    button.hidden = false;
    button.addEventListener("click", () => {
      localStorage.setItem(PLACE, root.dataset.bsTheme === "dark" ? "light" : "dark");
      apply();
    });
  });
})();
