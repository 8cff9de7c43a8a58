// What stands behind the effect of a block: numbers, draws, patches, regions.

// The region after the most harmful (0) or the most helpful (1) draw; changes are modulo 256.
function regionAfter(map, row, which) {
  const { changes, restored } = map.behind;
  const start = (2 * row + which) * restored.length;
  return restored.map((byte, i) => byte + changes[start + i]);
}

// Enlarges the changes of the regions of all networks alike, so that they can be compared: by the
// power of two at which no more than 1 % of the changed values are cut off.
function commonGain(scene, cell) {
  const sizes = [];
  for (const map of scene.maps) {
    const row = map.behind?.place.get(cell);
    if (row === undefined) continue;
    for (const which of [0, 1]) {
      regionAfter(map, row, which).forEach((byte, i) => {
        if (byte !== map.behind.restored[i]) sizes.push(Math.abs(byte - map.behind.restored[i]));
      });
    }
  }
  const large = Uint8Array.from(sizes).sort()[Math.floor(0.99 * sizes.length)] ?? 1;
  return 2 ** Math.min(Math.max(Math.floor(Math.log2(127 / large)), 0), 6);
}

function pictures(scene, map, cell, gain) {
  const row = map.behind?.place.get(cell);
  if (row === undefined) return element("p", { class: "missing" }, whyMissing(map, cell));
  const { height, width } = scene.roi, { restored } = map.behind;
  const region = (bytes, label) => picture(bytes, height, width, label);
  const caption = (...parts) => element("div", { class: "caption" }, ...parts);
  const outcome = (value) => withUnit(number(value, scene, "auto"), scene);
  const cells = [
    caption(element("b", {}, "as it is"), element("span", {}, outcome(map.baseline))),
    element("figure", {}, blockPicture(scene, cell, "block"), element("figcaption", {}, "block")),
    element("figure", {}, region(restored, "region restored"),
      element("figcaption", {}, "region restored")),
    element("figure", {}, region(scene.clean, "true region"),
      element("figcaption", {}, "true region")),
  ];
  const changes = changesOf(map, cell);
  const names = ["most harmful", "most helpful"];
  const fall = (which) => changes[map.behind.draws[2 * row + which]];
  if (fall(0) <= 0) names[0] = "least helpful"; // even this one did not lower the outcome
  if (fall(1) >= 0) names[1] = "least harmful";
  names.forEach((name, which) => {
    const after = regionAfter(map, row, which);
    const shown = Uint8ClampedArray.from(after, (byte, i) => 128 + gain * (byte - restored[i]));
    const patch = scene.patchSide ** 2 * 3, index = map.behind.patches[2 * row + which];
    const bytes = scene.patches.subarray(index * patch, (index + 1) * patch);
    cells.push(
      caption(element("b", {}, `${name} patch`),
        element("span", {}, outcome(map.baseline - fall(which)))),
      element("figure", {}, picture(bytes, scene.patchSide, scene.patchSide, `${name} patch`),
        element("figcaption", {}, "pasted")),
      element("figure", {}, region(after, "region after"),
        element("figcaption", {}, "restored")),
      element("figure", {}, region(shown, "difference"),
        element("figcaption", {}, `difference \u00d7 ${gain}`)));
  });
  return element("div", { class: "pictures" }, ...cells);
}

function whyMissing(map, cell) {
  if (map.difference) return "The difference of the effects, from the draws that both maps share.";
  if (Number.isNaN(map.effect[cell])) return "Blocks of the region itself are left out.";
  if (!map.samples[cell]) return "The region does not see this block: its effect is exactly 0.";
  if (map.paths && map.effect !== map.paths.total.effect) {
    return "Patches are shown beside total effects; the draws are the same.";
  }
  if (!map.behind) return "No patches were kept with this map.";
  if (map.behind.leftOut) return "Patches are kept for stronger blocks only.";
  return "Patches are kept for blocks whose effect reached the map's tolerance.";
}

function numbersOf(scene, map, cell) {
  if (Number.isNaN(map.effect[cell]) || !map.samples[cell]) return null;
  const interval = `${number(map.low[cell], scene)} \u2026 ${number(map.high[cell], scene)}`;
  const sign = map.signProbability[cell];
  const chance = Number.isNaN(sign) ? "unknown" : sign > 0.9995 ? "P > 0.999" : `P = ${sign.toFixed(3)}`;
  const used = map.samples[cell], all = map.drawn[cell];
  const rows = [
    ["95 % interval", withUnit(interval, scene)],
    ["sign is right", chance],
    ["draws", used === all || !all ? `${used}` : `${used} counted of ${all}`],
  ];
  const cells = rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return element("dl", { class: "facts" }, ...cells);
}

// One block in one network. `tag` is "A" or "B" where two are compared.
function blockView(scene, map, { cell, tag, range, gain }, state) {
  const sign = signOf(map, cell, state.tolerance);
  const effect = Number.isNaN(map.effect[cell])
    ? "\u2013" : withUnit(number(map.effect[cell], scene), scene);
  return element("section", { class: "block" },
    element("p", { class: "effect" },
      tag ? element("b", { class: "tag" }, tag) : null, element("strong", {}, effect),
      element("span", { class: `verdict ${sign}` }, verdictOf(map, cell, state.tolerance))),
    numbersOf(scene, map, cell),
    map.drawn[cell] && !map.difference ? strip(scene, map, cell, state, range) : null,
    pictures(scene, map, cell, gain));
}

// Effects of two blocks compared; their draws are independent.
function comparison(scene, map, first, second) {
  const change = map.effect[first] - map.effect[second];
  const error = Math.hypot(map.error[first], map.error[second]);
  if (Number.isNaN(change)) return null;
  const spread = withUnit(number(error, scene, "never"), scene);
  return element("p", { class: "comparison" },
    `A \u2212 B: ${withUnit(number(change, scene), scene)}, standard error ${spread}`);
}
