// Three small mends; the pages are complete without them.

// The theme's search dialog has no name for a screen reader.
document.querySelector("[data-md-component=search]")?.setAttribute("aria-label", "Search")

// A formula that is wider than the screen scrolls, also by keyboard.
const wide = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "Formula"]])
      scrolls ? target.setAttribute(name, value) : target.removeAttribute(name)
  }
})
document.querySelectorAll(".math-block").forEach((block) => wide.observe(block))

// Answers that unfold are open on paper.
addEventListener("beforeprint", () =>
  document.querySelectorAll("details:not([open])").forEach((details) => {
    details.open = true
    addEventListener("afterprint", () => (details.open = false), { once: true })
  }))
