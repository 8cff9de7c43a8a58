// Effects along all paths, past a mediator and through it; layers; interactions of pairs of blocks.
const PATHS = ["total", "direct", "indirect"];
const OF_A_PATH = [
  "effect", "low", "high", "error", "signProbability", "samples", "drawn", "changes", "changeUnit",
  "starts", "behind",
];

// What is known of the inside of the networks, put into a scene once.
async function addInside(scene, source) {
  if (scene.knowsInside || !source) return;
  scene.knowsInside = true;
  for (const [number, found] of Object.entries(await unpack(JSON.parse(source.textContent)))) {
    const map = scene.maps[number];
    Object.assign(map, found);
    if (!map.paths) continue;
    map.paths.total = Object.fromEntries(OF_A_PATH.map((name) => [name, map[name]]));
    for (const path of ["direct", "indirect"]) {
      Object.assign(map.paths[path], { starts: running(map.paths[path].drawn), behind: null });
    }
  }
}

const chosenPath = () => PATHS.find((name) => byId(`path-${name}`).checked) ?? "total";

// Puts the effects of the chosen path in the place of those that the maps show.
function choosePath(scene) {
  for (const map of scene.maps) {
    if (!map.paths) continue;
    const path = map.paths[chosenPath()];
    for (const name of OF_A_PATH) map[name] = path[name];
  }
}

function showPaths(scene) {
  const split = scene.maps.filter((map) => map.paths);
  byId("paths").hidden = !split.length;
  byId("path-told").textContent = split.map((map) => {
    const of = scene.maps.length > 1 ? `${map.name}: ` : "";
    const percent = (share) => (100 * share).toFixed(1).replace("-", "\u2212");
    return `${of}${percent(map.share.value)} % \u00b1 ${percent(map.share.standard_error)} of the ` +
      `summed effect passes ${namesOf(map.through)}`;
  }).join("; ");
}

const namesOf = (names) => {
  const rest = names.length > 2 ? ` and ${names.length - 2} more` : "";
  return names.length ? `${names.slice(0, 2).join(", ")}${rest}` : "nothing, since nothing is global";
};

// A table of the modules for each map that has one: how much of the mean effect passes each.
function showLayers(scene) {
  const found = scene.maps.flatMap((map) => (map.layers ?? []).map((layers) => [map, layers]));
  byId("layers").hidden = !found.length;
  byId("layers").querySelector("div").replaceChildren(...found.map(([map, layers]) => {
    const largest = Math.max(...layers.rows.flatMap(([, mean, low, high]) =>
      [mean, low, high].filter(Number.isFinite).map(Math.abs)), Math.abs(layers.effect)) || 1;
    return element("div", { class: "wide" }, element("table", { class: "layers" },
      element("caption", {}, `${map.name}: mean effect of ${layers.blocks} blocks ` +
        `${withUnit(number(layers.effect, scene), scene)}, and how much of it passes each module`),
      element("tbody", {}, ...layers.rows.map(([name, mean, low, high]) => element("tr", {},
        element("th", { scope: "row" }, name),
        element("td", {}, withUnit(number(mean, scene), scene)),
        element("td", {}, `${number(low, scene)} \u2026 ${number(high, scene)}`),
        element("td", {}, layerBar(mean, low, high, largest)))))));
  }));
}

function layerBar(mean, low, high, largest) {
  const at = (value) => 100 + 96 * Math.max(-1, Math.min(1, value / largest));
  const ends = [low, high].every(Number.isFinite) ? [at(low), at(high)] : [at(mean), at(mean)];
  return drawn("svg", { class: "layer", viewBox: "0 0 200 12", "aria-hidden": "true" },
    drawn("rect", {
      class: mean < 0 ? "harms" : "helps", x: Math.min(at(mean), 100), y: 2, height: 8,
      width: Math.abs(at(mean) - 100),
    }),
    drawn("line", { class: "zero", x1: 100, x2: 100, y1: 0, y2: 12 }),
    drawn("line", { class: "interval", x1: ends[0], x2: ends[1], y1: 6, y2: 6 }));
}

// The interaction of two blocks where it was computed.
function interactionOf(scene, map, first, second) {
  const [a, b] = [first, second].map((cell) => placeOf(cell, scene).join());
  const found = (map.pairs ?? []).flat().find(([row, column, other, beside]) => {
    const [one, two] = [`${row},${column}`, `${other},${beside}`];
    return (one === a && two === b) || (one === b && two === a);
  });
  if (!found) return null;
  const [effect, low, high] = found.slice(4);
  const less = effect > 0 ? "less" : "more";
  return element("p", { class: "comparison interaction" },
    `interaction ${withUnit(number(effect, scene), scene)}, 95 % interval ` +
    `${number(low, scene)} \u2026 ${number(high, scene)}: both replaced take ${less} than the sum`);
}
