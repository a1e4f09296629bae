"use strict";
(() => {
  const message = document.getElementById("message");
  const form = document.getElementById("login");

  const send = async (path, body) => {
    message.textContent = "Logging in…";
    try {
      const answer = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        credentials: "same-origin",
        cache: "no-store",
      });
      if (answer.ok) {
        window.location.replace("/");
        return;
      }
      message.textContent = (await answer.json()).detail || "That did not work.";
    } catch {
      message.textContent = "The server did not answer.";
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send("/auth/login", {
      username: document.getElementById("username").value,
      password: document.getElementById("password").value,
    });
  });

  const link = new URLSearchParams(window.location.search).get("link");
  if (link !== null) {
    // The secret leaves the address bar and the history before it is used.
    window.history.replaceState(null, "", "/auth/login");
    send("/auth/link", { secret: link });
  }
})();
