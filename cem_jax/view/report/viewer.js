// How a scene is shown, and which blocks are looked at.
const IMAGES = ["input", "restored", "true"];
const state = {
  opacity: 0.85, tolerance: 0, limit: 1, hide: false, view: null, cursor: 0, pins: [], image: "input",
  moved: false, // the cursor, by hand; else it follows the strongest block
};
let scene, views, tolerances;
let shownScene = 0;
let changed = () => {};

// Slots of the inspector: two pins, a pin and the cursor, or the cursor alone.
function slots() {
  const cells = state.pins.length === 2 ? state.pins : [...new Set([...state.pins, state.cursor])];
  const tags = state.pins.length ? ["A", "B"] : [""];
  return cells.map((cell, i) => ({
    cell, tag: tags[i], range: stripRange(scene, cell), gain: commonGain(scene, cell),
  }));
}

const later = (task) => {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; task(); });
  };
};

const showBlocks = later(() => {
  const shown = slots();
  views.forEach((view) => view.point());
  const place = ({ cell, tag }) => {
    const [row, column] = placeOf(cell, scene);
    return `${tag ? `${tag}: ` : ""}row ${row}, column ${column}`;
  };
  byId("place").textContent = `Block ${shown.map(place).join("  \u00b7  ")}`;
  byId("unpin").hidden = !state.pins.length;
  byId("summary").replaceChildren(...(scene.maps.length > 1 ? scene.maps : []).map((map) =>
    element("tr", {}, element("th", { scope: "row" }, map.name),
      ...shown.flatMap(({ cell, tag }) => summaryOf(map, cell, shown.length === 2 ? tag : "")))));
  byId("blocks").replaceChildren(...scene.maps.map((map) => {
    const card = element("article", { class: "card" },
      element("h3", {}, map.name),
      shown.length === 2 ? comparison(scene, map, shown[0].cell, shown[1].cell) : null,
      shown.length === 2 ? interactionOf(scene, map, shown[0].cell, shown[1].cell) : null,
      element("div", { class: `slots of-${shown.length}` },
        ...shown.map((slot) => blockView(scene, map, slot, state))));
    card.append(element("p", { class: "save" },
      button("Save card", () => saveCard(scene, map, card)),
      ...shown.filter(({ cell }) => map.drawn[cell] && !map.difference).map(({ cell, tag }) =>
        button(`Save draws${tag && ` of ${tag}`}`, () => saveDraws(scene, map, cell)))));
    return card;
  }));
  changed();
});

// A block's effect and its verdict, for the table of all networks; of two blocks the effects alone.
function summaryOf(map, cell, tag) {
  const sign = signOf(map, cell, state.tolerance);
  const effect = Number.isNaN(map.effect[cell])
    ? "\u2013" : withUnit(number(map.effect[cell], scene), scene);
  if (tag) return [element("td", {}, `${tag} ${effect}`)];
  return [element("td", {}, effect),
    element("td", { class: `verdict ${sign}` }, verdictOf(map, cell, state.tolerance))];
}

const showMaps = later(() => {
  views.forEach((view) => view.paint());
  byId("legend").replaceChildren(...legend(scene, state));
  byId("opacity-value").textContent = `${Math.round(100 * state.opacity)} %`;
  byId("tolerance-value").textContent = withUnit(String(state.tolerance), scene);
  byId("limit-value").textContent = `\u00b1${withUnit(number(state.limit, scene, "never"), scene)}`;
  changed();
});

const sizes = new ResizeObserver(showMaps);

function move(cell) {
  if (cell === null || cell === state.cursor) return;
  Object.assign(state, { cursor: cell, moved: true });
  showBlocks();
}

// A click on the cursor's block pins it; a tap elsewhere only moves the cursor there.
function pin(cell) {
  if (cell === null) return;
  if (cell !== state.cursor) return move(cell);
  const { pins } = state;
  if (pins.includes(cell)) pins.splice(pins.indexOf(cell), 1);
  else pins.splice(Math.min(pins.length, 1), 1, cell);
  showBlocks();
}

function unpin() {
  state.pins.length = 0;
  showBlocks();
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// Keys work on a map that has the focus or lies under the pointer.
document.addEventListener("keydown", (event) => {
  if (!scene || event.altKey || event.ctrlKey || event.metaKey) return;
  const busy = document.activeElement;
  const free = busy === document.body || busy.classList.contains("field");
  if (!free || !document.querySelector(".field:focus, .field:hover")) return;
  if (event.key in STEPS) {
    const [row, column] = placeOf(state.cursor, scene).map((at, i) => at + STEPS[event.key][i]);
    move(cellOf(row, column, scene, state.view));
  } else if (event.key === "Enter" || event.key === " ") {
    pin(state.cursor);
  } else if (event.key === "Escape") {
    unpin();
  } else {
    return;
  }
  event.preventDefault();
});

// 0, the maps' own tolerances, and round numbers up to the largest effect.
function toleranceSteps() {
  const steps = new Set([0, ...scene.maps.map((map) => map.tolerance)]);
  const highest = Math.ceil(Math.log10(scene.largest));
  for (let power = highest - 4; power <= highest; power++) {
    for (const digit of [1, 1.5, 2, 3, 5, 7]) {
      const step = Number(`${digit}e${power}`);
      if (step <= scene.largest) steps.add(step);
    }
  }
  return [...steps].sort((a, b) => a - b);
}

function showFacts() {
  byId("facts").hidden = false;
  byId("facts").querySelector("div").replaceChildren(...scene.maps.map((map) =>
    element("section", {}, element("h3", {}, map.name), element("dl", { class: "facts" },
      ...(map.facts ?? []).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])))));
}

// What can be seen under the map: whole images, the region of them, or the input alone.
function showImageChoice() {
  const whole = scene.cleanImage && scene.maps.some((map) => map.restoredImage);
  byId("images").hidden = !whole && !scene.maps.some((map) => map.behind);
  for (const part of byId("images").querySelectorAll(".part")) part.hidden = Boolean(whole);
}

const chosenView = () => scene.views[byId("zoom").checked ? "near" : "whole"];

const chosenImage = () => IMAGES.find((name) => byId(`image-${name}`).checked);

// What the controls say, for the scene that is shown.
function readControls() {
  choosePath(scene);
  Object.assign(state, {
    opacity: byId("opacity").value / 100, tolerance: tolerances[byId("tolerance").value],
    limit: scene.largest * byId("limit").value / 100, hide: byId("hide").checked,
    view: chosenView(), image: chosenImage(),
  });
  const [row, column] = placeOf(state.cursor, scene);
  if (cellOf(row, column, scene, state.view) === null) state.cursor = scene.strongest;
}

// Shows a scene: as it begins, or, where it is the one that was shown, in the way that it was.
function display(next, same = false) {
  const tolerance = state.tolerance;
  scene = next;
  tolerances = toleranceSteps();
  showImageChoice();
  byId("tolerance").max = tolerances.length - 1;
  if (same) {
    const kept = tolerances.findIndex((step) => step >= tolerance);
    byId("tolerance").value = kept < 0 ? tolerances.length - 1 : kept;
    if (!state.moved) state.cursor = scene.strongest;
  } else {
    byId("tolerance").value = tolerances.indexOf(scene.maps[0].tolerance);
    byId("zoom").checked = scene.fewMatter;
    Object.assign(state, { cursor: scene.strongest, pins: [], moved: false });
  }
  showPaths(scene);
  showLayers(scene);
  readControls();
  views = scene.maps.map((map) => mapView(scene, map, state, move, pin));
  byId("maps").replaceChildren(...views.map((view) => view.panel));
  document.querySelector("main").className = `networks-${Math.min(scene.maps.length, 5)}`;
  sizes.disconnect();
  sizes.observe(views[0].field);
  showFacts();
  showMaps();
  showBlocks();
}

function control(id) {
  byId(id).addEventListener("input", () => {
    if (!scene) return;
    readControls();
    showMaps();
    showBlocks();
  });
}
for (const id of ["opacity", "tolerance", "limit", "hide", "zoom", ...IMAGES.map((name) => `image-${name}`),
  ...PATHS.map((name) => `path-${name}`)]) {
  control(id);
}
byId("unpin").addEventListener("click", unpin);

