// The draws of a block on one line, their mean and its interval above.
const STRIP = { width: 300, height: 78, left: 8, right: 292, mean: 14, top: 26, bottom: 52 };

// What the strips of all networks share: an axis that holds all draws and intervals of a block.
function stripRange(scene, cell) {
  let low = 0, high = 0;
  for (const map of scene.maps) {
    if (map.difference) continue;
    const ends = [map.low[cell], map.high[cell]].filter(Number.isFinite);
    const values = [...changesOf(map, cell), ...ends];
    low = Math.min(low, ...values);
    high = Math.max(high, ...values);
  }
  const margin = 0.04 * (high - low) || 1;
  return [low - margin, high + margin];
}

function strip(scene, map, cell, state, [low, high]) {
  const changes = changesOf(map, cell);
  const { left, right, top, bottom, mean } = STRIP;
  const clamp = (x) => Math.min(Math.max(x, left), right);
  const at = (value) => clamp(left + (right - left) * (value - low) / (high - low));
  const row = map.behind?.place.get(cell);
  const marked = row === undefined ? [] : map.behind.draws.subarray(2 * row, 2 * row + 2);
  const dots = changes.map((change, i) => drawn("circle", {
    class: marked.includes(i) ? "extreme" : "draw", r: marked.includes(i) ? 3.4 : 2.2, cx: at(change),
    cy: top + (bottom - top) * ((i + 0.5) * 0.618034 % 1), // spread evenly, whatever their number
  }));
  const effect = map.effect[cell];
  const ends = [at(map.low[cell]), at(map.high[cell])];
  const value = withUnit(number(effect, scene), scene);
  const label = (x, anchor, text) => drawn("text", { x, y: 72, "text-anchor": anchor }, text);
  const zero = at(0);
  return drawn("svg", {
    class: "strip", viewBox: `0 0 ${STRIP.width} ${STRIP.height}`, role: "img",
    "aria-label": `${changes.length} draws, mean ${value}`,
  },
  drawn("rect", {
    class: "tolerance", x: at(-state.tolerance), y: 4, height: bottom + 4,
    width: Math.max(at(state.tolerance) - at(-state.tolerance), 0),
  }),
  drawn("line", { class: "zero", x1: zero, x2: zero, y1: 4, y2: bottom + 8 }),
  ...dots,
  drawn("line", { class: "interval", x1: ends[0], x2: ends[1], y1: mean, y2: mean }),
  drawn("circle", { class: "mean", cx: at(effect), cy: mean, r: 4.5 }),
  drawn("line", { class: "base", x1: left, x2: right, y1: bottom + 8, y2: bottom + 8 }),
  ...(zero - left > 80 ? [label(left, "start", withUnit(number(low, scene), scene))] : []),
  label(Math.min(Math.max(zero, left + 4), right - 4), "middle", "0"),
  ...(right - zero > 80 ? [label(right, "end", withUnit(number(high, scene), scene))] : []));
}
