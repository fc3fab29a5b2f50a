// Small mends; the pages are complete without them.

// The theme's search dialog has no name for a screen reader.
document.querySelector("[data-md-component=search]")?.setAttribute("aria-label", "Search")

// The theme puts each button that copies code into a landmark of its own.
addEventListener("load", () =>
  document.querySelectorAll(".md-code__nav").forEach((nav) => nav.setAttribute("role", "none")))

// A formula or figure that is wider than the screen scrolls, also by keyboard.
const formula = [["tabindex", "0"], ["role", "group"], ["aria-label", "Formula"]]
const wide = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth
    // A figure has a role and a name of its own.
    for (const [name, value] of target.matches(".math-block") ? formula : formula.slice(0, 1))
      scrolls ? target.setAttribute(name, value) : target.removeAttribute(name)
  }
})
document.querySelectorAll(".math-block, .figure__image").forEach((block) => wide.observe(block))

// Chromium gives every root the width of its tallest sign; other browsers have no such gap.
document.fonts.ready.then(() => {
  const gaps = [...document.querySelectorAll("msqrt")].map((root) => {
    const gap = root.getBoundingClientRect().right - root.lastElementChild.getBoundingClientRect().right
    return [root, gap / parseFloat(getComputedStyle(root).fontSize)]
  })
  for (const [root, gap] of gaps) if (gap > 0.05) root.style.marginInlineEnd = `${-gap}em`
})

// Answers that unfold are open on paper.
addEventListener("beforeprint", () =>
  document.querySelectorAll("details:not([open])").forEach((details) => {
    details.open = true
    addEventListener("afterprint", () => (details.open = false), { once: true })
  }))
