// The laboratory of try-it.html: what one sees, hears and moves. The arithmetic is lab-network.js.
// No library, and nothing is fetched; the page without JavaScript keeps the paragraph in #lab.
"use strict"
{
const { ACTIVATIONS, INITIALIZERS, BATCH, WIDEST, DEEPEST, BINS, REACH, variance, run, difference, theory } = lab

// --- The picture ----------------------------------------------------------------------------------
// Two drawings, each of a few SVG paths that style sheets colour: light, dark and print cost nothing.

const LEFT = 42, TOP = 20, HIGH = 150, GAP = 34, LOW = 116
const FLOOR = TOP + HIGH, UNDER = FLOOR + GAP, BOTTOM = UNDER + LOW
const round = (x) => Math.round(x * 10) / 10
const EDGES = Array.from({ length: BINS + 1 }, (_, k) => round(BOTTOM - k * LOW / BINS))
const power = (k) => (k === 1 ? "10" : `10${`${k}`.replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)])}`)
const stepFor = (span, most) => [1, 2, 5, 10, 20, 50, 100].find((step) => span / step <= most)

// How far the log axis reaches from 1, in decades: a few sizes, so that it holds still while a
// slider moves.
const reach = (decades) => [3, 10, 25, 50, 100, 200, 400].find((size) => decades <= size)

class Panel {
  constructor(svg, arrow) {
    Object.assign(this, { svg, arrow })
    svg.innerHTML = `<g/><path class="points"/><path class="theory"/><path class="bins"/>`
    ;[this.axes, this.points, this.line, this.bins] = svg.children
  }

  // `measured` and `predicted` by layer; layers that have none (a gradient's layer 0) stay empty.
  draw(measured, predicted, depth) {
    const logs = (values) => values.map((x) => Math.log10(x)) // keeps the holes
    const dots = logs(measured.map((m) => m.square)), line = logs(predicted)
    const finite = [...dots, ...line].filter(Number.isFinite)
    const low = -reach(Math.max(0, ...finite.map((x) => -x))), high = reach(Math.max(0, ...finite))
    const slot = (this.width - LEFT) / (depth + 1)
    const x = (layer) => LEFT + (layer + 0.5) * slot
    const y = (log) => TOP + HIGH * (high - Math.max(log, low)) / (high - low) // zero: on the floor

    this.scales(low, high, depth, x, y, dots.includes(-Infinity))
    // A line of no length with round ends is a dot: all dots are one path.
    let d = ""
    dots.forEach((log, l) => (d += `M${round(x(l))} ${round(y(log))}h0`))
    this.points.setAttribute("d", d)
    d = ""
    line.forEach((log, l) => (d += `${d ? "L" : "M"}${round(x(l))} ${round(y(log))}`))
    this.line.setAttribute("d", d)

    // A layer's histogram stands upright, both sides alike. Its width goes by the square root of a
    // bin's share, or tails would not show.
    d = ""
    measured.forEach(({ bins }, l) => {
      const total = bins.reduce((a, b) => a + b)
      bins.forEach((n, k) => {
        if (!n) return
        const half = slot * Math.min(0.47, 0.35 * Math.sqrt(n / total * BINS / REACH))
        d += `M${round(x(l) - half)} ${EDGES[k]}h${round(2 * half)}V${EDGES[k + 1]}h-${round(2 * half)}z`
      })
    })
    this.bins.setAttribute("d", d)
  }

  scales(low, high, depth, x, y, zero) {
    const shape = [low, high, depth, this.width, zero].join()
    if (shape === this.shape) return // text is the dear part of an SVG
    this.shape = shape
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${BOTTOM + 34}`)
    const text = (at, down, words, kind = "") => `<text x="${at}" y="${down}" class="${kind}">${words}</text>`
    const rule = (down, kind = "") => `<path d="M${LEFT} ${round(down)}H${this.width}" class="${kind}"/>`
    let out = text(0, 11, "mean square", "name") + text(0, UNDER - 9, "histogram of each layer", "name")
    const step = stepFor(high - low, 6)
    for (let k = Math.ceil(low / step) * step; k <= high; k += step)
      out += rule(y(k), k ? "" : "one") + text(LEFT - 6, round(y(k)) + 4, k ? power(k) : "1", "y")
    for (const v of [-REACH, 0, REACH])
      out += rule(UNDER + LOW * (1 - v / REACH) / 2) + text(LEFT - 6, UNDER + LOW * (1 - v / REACH) / 2 + 4, `${v}`.replace("-", "−"), "y")
    const skip = stepFor(depth, this.width > 380 ? 10 : 6)
    for (let l = 0; l <= depth; l += skip) out += text(round(x(l)), BOTTOM + 15, l, "x")
    out += text((LEFT + this.width) / 2, BOTTOM + 30, this.arrow, "x name")
    if (zero) out += text((LEFT + this.width) / 2, FLOOR - 8, "points on the floor are exactly zero", "x name")
    this.axes.innerHTML = out
  }
}

// --- The words ------------------------------------------------------------------------------------

// As the other pages write numbers: 0.37, 1.5, 4.6 × 10⁻²⁴.
function say(number, digits = 2) {
  if (number === 0) return "0"
  const [mantissa, exponent] = number.toExponential(digits - 1).split("e")
  if (Math.abs(exponent) > 3) return `${mantissa}\u202f×\u202f${power(+exponent)}`
  return `${+number.toPrecision(digits)}`
}

// Stable is within a factor of ten of where it began; vanishing or exploding is beyond a thousand.
function verdict(ratio) {
  const decades = Math.log10(ratio)
  if (ratio === 0) return "silent"
  if (decades < -1) return decades < -3 ? "vanishing" : "fading"
  if (decades > 1) return decades > 3 ? "exploding" : "growing"
  return "stable"
}

function sentences({ depth, width }, { signals, errors, h }, theory) {
  const last = `layer ${depth}`, share = 100 * difference(h[depth], width)
  const forward = `The mean square at ${last} is ${say(signals[depth].square)} times the input’s
    (theory: ${say(theory.signals[depth])}). Of that, ${share < 0.1 ? "less than 0.1" : say(share)}% differs from input to input.`
  const backward = `The mean square at layer 1 is ${say(errors[1].square)} times that at ${last} (theory: ${say(theory.errors[1])}).`
  return {
    forward: signals[depth].square ? forward : "Every activation above the input is exactly zero.",
    backward: depth === 1 ? "With a single layer there is no way back to see."
      : errors[1].square ? backward : `Every gradient below ${last} is exactly zero.`,
  }
}

// --- The state, in the address ----------------------------------------------------------------------

const DEFAULTS = { activation: "relu", init: "he", scale: 1, depth: 30, width: 128, seed: 1 }

// A state from a fragment such as #activation=tanh&init=normal&scale=1.5; what is missing or makes no
// sense is the default, what is beyond the end of a slider is its end.
function parse(fragment) {
  const asked = new URLSearchParams(fragment.slice(1))
  const name = (key, known) => (Object.hasOwn(known, asked.get(key)) ? asked.get(key) : DEFAULTS[key])
  const number = (key, low, high, step) => {
    const value = Math.min(high, Math.max(low, parseFloat(asked.get(key))))
    return Number.isNaN(value) ? DEFAULTS[key] : step ? Math.round(value / step) * step : value
  }
  return {
    activation: name("activation", ACTIVATIONS),
    init: name("init", INITIALIZERS),
    scale: number("scale", 1 / 32, 32),
    depth: number("depth", 1, DEEPEST, 1),
    width: number("width", 16, WIDEST, 16),
    seed: number("seed", 1, 999, 1),
  }
}
function fragment({ activation, init, scale, depth, width, seed }) {
  const law = init === "normal" ? `normal&scale=${+scale.toPrecision(4)}` : init
  return `#activation=${activation}&init=${law}&depth=${depth}&width=${width}&seed=${seed}`
}

// --- The page ---------------------------------------------------------------------------------------

const choices = (key, legend, known) => `<fieldset><legend>${legend}</legend>${Object.entries(known).map(([value, { name }]) =>
  `<label><input type="radio" name="${key}" value="${value}">${name}</label>`).join("")}</fieldset>`
const slider = (key, label, range) => `<label class="lab__slider lab__slider--${key}"><span>${label}</span>
  <span class="lab__value" aria-hidden="true"></span><input type="range" name="${key}" ${range}></label>`
const panel = (key, title) => `<div class="lab__panel lab__panel--${key}"><p class="lab__title">${title}:
  <strong aria-hidden="true"></strong></p><output aria-live="polite"></output><svg role="img"></svg></div>`
const heads = ["Activations", "theory", "Gradients", "theory"].map((name) => `<th scope="col" class="num">${name}</th>`)

const root = document.getElementById("lab")
root.innerHTML = `<form autocomplete="off" aria-label="The network">
    ${choices("activation", "Activation", ACTIVATIONS)} ${choices("init", "Initializer", INITIALIZERS)}
    <div class="lab__sliders">
      ${slider("scale", "Scale <i>σ</i>√<i>n</i>", 'min="-5" max="5" step="0.05"') /* its logarithm, to base 2 */}
      ${slider("depth", "Depth", `min="1" max="${DEEPEST}"`)}
      ${slider("width", "Width <i>n</i>", `min="16" max="${WIDEST}" step="16"`)}
      <button type="button">Draw anew</button>
    </div>
  </form>
  <figure class="figure">
    <div class="lab__panels">${panel("forward", "Forward, activations")} ${panel("backward", "Backward, gradients")}</div>
    <figcaption></figcaption>
  </figure>
  <details class="predict"><summary>The numbers, layer by layer</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Mean squares"><table class="data">
      <thead><tr><th scope="col">Layer</th>${heads.join("")}</tr></thead><tbody></tbody></table></div>
  </details>`

const form = root.querySelector("form"), controls = form.elements
const within = (key, what) => root.querySelector(`.lab__panel--${key} ${what}`)
const panels = {
  forward: new Panel(within("forward", "svg"), "layer →"),
  backward: new Panel(within("backward", "svg"), "← layer"),
}
let state = parse(location.hash), moved = false, due = 0, rest = 0

// All that follows a slider, at most once a frame.
function frame() {
  const begun = performance.now()
  due = 0
  const result = run(state), ideal = theory(state), { depth } = state
  panels.forward.draw(result.signals, ideal.signals, depth)
  panels.backward.draw(result.errors, ideal.errors, depth)
  const words = { forward: verdict(result.signals[depth].square), backward: verdict(result.errors[1].square) }
  for (const key in words) {
    const word = within(key, "strong")
    word.textContent = word.className = words[key]
  }
  show()
  clearTimeout(rest)
  rest = setTimeout(settle, 250, result, ideal, words)
  lab.spent = performance.now() - begun // for benchmarks/lab.py
  return [result, ideal, words]
}
function refresh() {
  clearTimeout(rest) // what it would tell is of the state before, and a frame can be late
  due ||= requestAnimationFrame(frame)
}

// What the controls say of the state. The scale is shown for every initializer: one sees where it
// stands, and drags on from there.
function show() {
  const { init, depth, width } = state, { law } = INITIALIZERS[init], v = variance(state)
  controls.activation.value = state.activation
  controls.init.value = init
  const scale = say(Math.sqrt(width * v), 3)
  for (const [key, value, text, more = ""] of [
    ["scale", v ? Math.log2(width * v) / 2 : -5, scale, `, Var[<i>w</i>] = ${law}${v ? ` = ${say(v)}` : ""}`],
    ["depth", depth, depth],
    ["width", width, width],
  ]) {
    controls[key].value = value
    controls[key].setAttribute("aria-valuetext", text)
    controls[key].previousElementSibling.innerHTML = text + more
  }
}

// What waits until the hand rests: the address, what a screen reader speaks, the caption, the table.
function settle({ signals, errors, h }, ideal, words) {
  const { depth, width, seed } = state, told = sentences(state, { signals, errors, h }, ideal)
  if (moved) history.replaceState(null, "", fragment(state))
  moved = false
  for (const key in words) {
    within(key, "output").innerHTML = `<span class="lab__unseen">${key}: ${words[key]}.</span> ${told[key]}`
    within(key, "svg").setAttribute("aria-label", `${key}, ${words[key]}: the mean square of each layer on a
      logarithmic axis, as points over theory’s line, and below it a histogram of each layer. ${told[key]}`)
  }
  root.querySelector("figcaption").innerHTML = `<strong>${depth} ${ACTIVATIONS[state.activation].name}
    layer${depth > 1 ? "s" : ""} of ${width} units, ${INITIALIZERS[state.init].name}, draw ${seed}.</strong>
    <span class="lab__dot"></span> this network, ${BATCH} inputs; <span class="lab__line"></span> theory, infinitely wide.
    Histograms are wide where values are frequent; their outermost bins hold all that lies beyond.`
  const cell = (x) => `<td class="num">${x === undefined ? "" : say(x, 3)}</td>`
  root.querySelector("tbody").innerHTML = signals.map(({ square }, l) => `<tr><td>${l || "input"}</td>${
    cell(square)}${cell(ideal.signals[l])}${cell(errors[l]?.square)}${cell(ideal.errors[l])}</tr>`).join("")
}

form.addEventListener("submit", (event) => event.preventDefault())
form.addEventListener("input", ({ target }) => {
  const { name, value } = target
  // Normal weights begin at the scale of what was there before; who moves the scale chooses them.
  if (name === "init") state.scale = Math.sqrt(state.width * variance(state)) || 1
  if (name === "scale") state.init = "normal"
  state[name] = name === "scale" ? 2 ** value : target.type === "range" ? +value : value
  moved = true
  refresh()
})
form.querySelector("button").addEventListener("click", () => {
  state.seed = state.seed % 999 + 1
  moved = true
  refresh()
})
// Links to a setting, and the browser's way back from one. Without "=" it is a heading's.
addEventListener("hashchange", () => {
  if (!location.hash.includes("=")) return
  state = parse(location.hash)
  moved = false
  root.scrollIntoView({ block: "nearest" })
  refresh()
})
const fit = (width) => {
  for (const key in panels) panels[key].width = width ?? within(key, "svg").clientWidth
}
// Once before the rest of the page is read, so that nothing is there yet that could be moved.
fit()
settle(...frame())
new ResizeObserver(() => {
  fit()
  refresh()
}).observe(root)
// Half a sheet is narrower than half a screen: drawn for it, text keeps its size.
addEventListener("beforeprint", () => {
  fit(320)
  frame()
})
addEventListener("afterprint", () => {
  fit()
  refresh()
})
}
