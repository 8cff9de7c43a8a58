// Red helps, blue harms, white does neither: RdBu of ColorBrewer, which the colour-blind can read,
// with a white middle. Effects are shares of the limit at which the colours end.
const STOPS = [
  [5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [209, 229, 240], [255, 255, 255],
  [253, 219, 199], [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31],
];

function colourOf(share) {
  const place = (Math.min(Math.max(share, -1), 1) + 1) / 2 * (STOPS.length - 1);
  const left = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[left].map((from, i) => Math.round(from + (place - left) * (STOPS[left + 1][i] - from)));
}

// "positive", "negative" or "zero" at the tolerance; "inside" the region no effect is defined.
function signOf(map, cell, tolerance) {
  const effect = map.effect[cell];
  if (Number.isNaN(effect)) return "inside";
  if (Math.abs(effect) < tolerance || effect === 0) return "zero";
  return effect > 0 ? "positive" : "negative";
}

function signIsUncertain(map, cell) {
  return !(map.low[cell] > 0 || map.high[cell] < 0) && map.effect[cell] !== 0;
}

function countSigns(map, tolerance) {
  const counts = { positive: 0, negative: 0, zero: 0, inside: 0, uncertain: 0 };
  for (let cell = 0; cell < map.effect.length; cell++) {
    const sign = signOf(map, cell, tolerance);
    counts[sign] += 1;
    if (sign !== "zero" && sign !== "inside" && signIsUncertain(map, cell)) counts.uncertain += 1;
  }
  return counts;
}

// What the numbers of a block come to, in words.
function verdictOf(map, cell, tolerance) {
  const sign = signOf(map, cell, tolerance);
  if (sign === "inside") return map.inside[cell] ? "inside the region" : "not known: no shared draws";
  if (!map.samples[cell]) return "cannot reach the region";
  if (sign === "zero") {
    const known = map.low[cell] > -tolerance && map.high[cell] < tolerance;
    return known ? "below the tolerance" : "perhaps below the tolerance";
  }
  const words = map.difference ? ["helps more in the first", "helps more in the second"] : ["helps", "harms"];
  const word = words[sign === "positive" ? 0 : 1];
  return signIsUncertain(map, cell) ? `perhaps ${word}` : word;
}
