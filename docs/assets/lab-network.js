// The arithmetic of the laboratory (try-it.html): a network with random weights, run forward and
// backward, and beside it the theory of an infinitely wide one. lab.js draws what comes out.
"use strict"
{
const BATCH = 16 // inputs that pass at once; multiply() counts on a multiple of 8
const WIDEST = 256, DEEPEST = 50
const BINS = 41, REACH = 3 // histograms from -3 to 3; odd, so that zero has a bin of its own

// --- Activations --------------------------------------------------------------------------------
// `slope` is given z and value(z): most slopes follow from the value without another exponential.

const LAMBDA = 1.0507009873554805, ALPHA = 1.6732632423543772 // Klambauer et al. (2017)

// The normal distribution function by erf, Abramowitz and Stegun 7.1.26: right to 1e-7.
function cdf(u) {
  const t = 1 / (1 + 0.3275911 * Math.abs(u) * Math.SQRT1_2)
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const upper = tail * Math.exp(-u * u / 2) / 2
  return u > 0 ? 1 - upper : upper
}
const pdf = (u) => Math.exp(-u * u / 2) / Math.sqrt(2 * Math.PI)

const ACTIVATIONS = {
  relu: { name: "ReLU", value: (z) => (z > 0 ? z : 0), slope: (z) => (z > 0 ? 1 : 0) },
  tanh: { name: "tanh", value: Math.tanh, slope: (z, h) => 1 - h * h },
  sigmoid: { name: "sigmoid", value: (z) => 1 / (1 + Math.exp(-z)), slope: (z, h) => h * (1 - h) },
  linear: { name: "linear", value: (z) => z, slope: () => 1 },
  selu: {
    name: "SELU",
    value: (z) => LAMBDA * (z > 0 ? z : ALPHA * Math.expm1(z)),
    slope: (z, h) => (z > 0 ? LAMBDA : h + LAMBDA * ALPHA),
  },
  gelu: { name: "GELU", value: (z) => z * cdf(z), slope: (z) => cdf(z) + z * pdf(z) },
}

// --- Initializers: the variance of a weight; all layers are square, so fan_in = fan_out = n ------

const INITIALIZERS = {
  zeros: { name: "Zeros", law: "0", variance: () => 0 },
  normal: { name: "Normal", law: "<i>σ</i>²", variance: (n, scale) => scale ** 2 / n },
  glorot: { name: "Glorot", law: "2/(<i>n</i> + <i>n</i>)", variance: (n) => 2 / (n + n) },
  he: { name: "He", law: "2/<i>n</i>", variance: (n) => 2 / n },
  lecun: { name: "LeCun", law: "1/<i>n</i>", variance: (n) => 1 / n },
  pytorch: { name: "PyTorch", law: "1/(3<i>n</i>)", variance: (n) => 1 / (3 * n) },
}

// --- Draws --------------------------------------------------------------------------------------

// Standard normal numbers: Box and Muller's transform of the generator mulberry32, whose state is a
// counter. Each stream has a stretch of it to itself, so no two layers share numbers.
function normals(seed, stream, length) {
  let state = Math.imul((seed * 64 + stream) * WIDEST * WIDEST, 0x6d2b79f5)
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const out = new Float32Array(length)
  for (let k = 0; k < length; k += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform()
    out[k] = radius * Math.cos(angle)
    out[k + 1] = radius * Math.sin(angle)
  }
  return out
}

// Unit weights are drawn once a seed, for the widest layer, and only when a layer is first asked
// for; a narrower layer takes the first n * n. Every initializer scales these same numbers. Stream
// 0 is the inputs, 1 .. DEEPEST are the layers' weights, and one more is the errors at the end.
let drawn = { seed: NaN, streams: [] }
function unit(seed, stream) {
  if (drawn.seed !== seed) drawn = { seed, streams: [] }
  const weights = stream > 0 && stream <= DEEPEST
  return (drawn.streams[stream] ??= normals(seed, stream, WIDEST * (weights ? WIDEST : BATCH)))
}

// A batch of inputs (or of errors) whose mean square is exactly one, where theory starts as well.
function unitBatch(out, seed, stream, n) {
  const from = unit(seed, stream), count = n * BATCH
  let sum = 0
  for (let k = 0; k < count; k++) sum += from[k] * from[k]
  for (let k = 0; k < count; k++) out[k] = from[k] / Math.sqrt(sum / count)
}

// --- The pass through a network: z = W h, h' = value(z), and back ---------------------------------
// A layer's numbers are one array, unit by unit with the batch innermost: index = unit * BATCH + input.
// They are doubles, because fifty layers can shrink or swell a signal beyond a float's exponent.

// out = scale * W x, or scale * W' x with `row` and `step` exchanged. Eight sums at a time live in
// registers, so each weight is loaded twice a layer and not sixteen times: three times the speed.
function multiply(out, W, x, n, row, step, scale) {
  for (let i = 0; i < n; i++) {
    for (let b = 0; b < BATCH; b += 8) {
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0
      for (let j = 0, w = i * row, k = b; j < n; j++, w += step, k += BATCH) {
        const weight = W[w]
        s0 += weight * x[k]; s1 += weight * x[k + 1]; s2 += weight * x[k + 2]; s3 += weight * x[k + 3]
        s4 += weight * x[k + 4]; s5 += weight * x[k + 5]; s6 += weight * x[k + 6]; s7 += weight * x[k + 7]
      }
      const o = i * BATCH + b
      out[o] = scale * s0; out[o + 1] = scale * s1; out[o + 2] = scale * s2; out[o + 3] = scale * s3
      out[o + 4] = scale * s4; out[o + 5] = scale * s5; out[o + 6] = scale * s6; out[o + 7] = scale * s7
    }
  }
}

function measure(x, count) {
  const bins = new Uint16Array(BINS)
  let sum = 0
  for (let k = 0; k < count; k++) {
    sum += x[k] * x[k]
    const bin = Math.floor((x[k] / REACH + 1) * BINS / 2)
    bins[bin < 0 ? 0 : bin < BINS ? bin : BINS - 1]++ // the outermost bins take all that is beyond
  }
  return { square: sum / count, bins }
}

const buffers = () => Array.from({ length: DEEPEST + 1 }, () => new Float64Array(WIDEST * BATCH))
const net = { of: "", z: buffers(), h: buffers(), delta: buffers(), signals: [], errors: [] }

const variance = ({ init, width, scale }) => INITIALIZERS[init].variance(width, scale)

// Run the network of a state: `signals[l]` and `errors[l]` measure h and dL/dz of layer l.
function run(state) {
  const { activation, depth, width: n, seed } = state
  const { value, slope } = ACTIVATIONS[activation]
  const { z, h, delta } = net, count = n * BATCH, deviation = Math.sqrt(variance(state))

  // Depth alone leaves the lower layers as they are: they are kept.
  const of = [activation, deviation, n, seed].join()
  if (net.of !== of) {
    net.of = of
    unitBatch(h[0], seed, 0, n)
    net.signals = [measure(h[0], count)]
  }
  for (let l = net.signals.length; l <= depth; l++) {
    multiply(z[l], unit(seed, l), h[l - 1], n, n, 1, deviation)
    for (let k = 0; k < count; k++) h[l][k] = value(z[l][k])
    net.signals[l] = measure(h[l], count)
  }

  // The way back begins with a random dL/dz of mean square one at the last layer.
  unitBatch(delta[depth], seed, DEEPEST + 1, n)
  net.errors = []
  net.errors[depth] = measure(delta[depth], count)
  for (let l = depth - 1; l > 0; l--) {
    multiply(delta[l], unit(seed, l + 1), delta[l + 1], n, 1, n, deviation)
    for (let k = 0; k < count; k++) delta[l][k] *= slope(z[l][k], h[l][k])
    net.errors[l] = measure(delta[l], count)
  }
  return { signals: net.signals.slice(0, depth + 1), errors: net.errors, h, delta, deviation }
}

// The share of a layer's mean square that differs from input to input: the mean variance over the
// batch (which scatter can lift above the whole).
function difference(h, n) {
  let within = 0, total = 0
  for (let i = 0; i < n; i++) {
    let sum = 0, squares = 0
    for (let b = i * BATCH; b < (i + 1) * BATCH; b++) { sum += h[b]; squares += h[b] * h[b] }
    within += (squares - sum * sum / BATCH) / (BATCH - 1)
    total += squares / BATCH
  }
  return total ? Math.min(1, within / total) : 0
}

// --- Theory: the variance maps of infinite width --------------------------------------------------

// E[f(u)] for u ~ N(0, q), by the trapezoidal rule in t where u = +-sqrt(q) * 10 t^3. The halves
// meet where activations have their kink; the cube crowds nodes there, where tanh turns when q is
// large, and makes the rule's error vanish like the sixth power of the step.
const NODES = 80
const nodes = Array.from({ length: NODES }, (_, i) => {
  const t = (i + 1) / NODES, at = 10 * t ** 3
  return [at, pdf(at) * 30 * t * t / NODES]
})
function expectation(f, q) {
  const root = Math.sqrt(q)
  let sum = 0
  for (const [at, weight] of nodes) sum += weight * (f(root * at) + f(-root * at))
  return sum
}

// Mean squares of h (layers 0 .. depth) and of dL/dz (1 .. depth). With s = n Var[w], the variance
// of z in layer l is q = s E[h^2] of the layer below; a layer hands E[value(z)^2] up, and multiplies
// what comes down from the layer above by chi(q) = s E[slope(z)^2].
function theory(state) {
  const { activation, depth, width } = state, { value, slope } = ACTIVATIONS[activation]
  const s = width * variance(state), signals = [1], chi = [], errors = []
  for (let l = 1; l <= depth; l++) {
    const q = s * signals[l - 1]
    signals[l] = expectation((u) => value(u) ** 2, q)
    chi[l] = s * expectation((u) => slope(u, value(u)) ** 2, q)
  }
  errors[depth] = 1
  for (let l = depth - 1; l > 0; l--) errors[l] = chi[l] * errors[l + 1]
  return { signals, errors }
}

window.lab = { ACTIVATIONS, INITIALIZERS, BATCH, WIDEST, DEEPEST, BINS, REACH, unit, variance, run, difference, theory }
}
