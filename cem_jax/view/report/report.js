// The page: which scene is shown, how, and which blocks are looked at.
const sources = document.querySelectorAll("script.scene");
const inputs = Array.from(document.querySelectorAll("script.input"),
  (source) => JSON.parse(source.textContent));
const read = new Map();
const state = { opacity: 0.85, tolerance: 0, limit: 1, hide: false, view: null, cursor: 0, pins: [] };
let scene, views, tolerances;
let asked = 0;

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
  byId("blocks").replaceChildren(...scene.maps.map((map) => element("article", { class: "card" },
    element("h3", {}, map.name),
    shown.length === 2 ? comparison(scene, map, shown[0].cell, shown[1].cell) : null,
    element("div", { class: "slots" }, ...shown.map((slot) => blockView(scene, map, slot, state))))));
});

const showMaps = later(() => {
  views.forEach((view) => view.paint());
  byId("legend").replaceChildren(...legend(scene, state));
  byId("opacity-value").textContent = `${Math.round(100 * state.opacity)} %`;
  byId("tolerance-value").textContent = withUnit(String(state.tolerance), scene);
  byId("limit-value").textContent = `\u00b1${withUnit(number(state.limit, scene, "never"), scene)}`;
});

const sizes = new ResizeObserver(showMaps);

function move(cell) {
  if (cell === null || cell === state.cursor) return;
  state.cursor = cell;
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
      ...map.facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])))));
}

const chosenView = () => scene.views[byId("zoom").checked ? "near" : "whole"];

async function show(index) {
  asked = index;
  if (!read.has(index)) read.set(index, readScene(sources[index]));
  const next = await read.get(index);
  if (asked !== index) return; // another scene was chosen meanwhile
  scene = next;
  tolerances = toleranceSteps();
  Object.assign(state, {
    cursor: scene.strongest, pins: [], tolerance: scene.maps[0].tolerance,
    limit: scene.largest * byId("limit").value / 100, view: chosenView(),
  });
  byId("tolerance").max = tolerances.length - 1;
  byId("tolerance").value = tolerances.indexOf(state.tolerance);
  views = scene.maps.map((map) => mapView(scene, map, state, move, pin));
  byId("maps").replaceChildren(...views.map((view) => view.panel));
  document.querySelector("main").className = `networks-${Math.min(scene.maps.length, 5)}`;
  for (const button of byId("scenes").children) {
    button.setAttribute("aria-pressed", String(Number(button.value) === index));
  }
  sizes.disconnect();
  sizes.observe(views[0].field);
  showFacts();
  showMaps();
  showBlocks();
}

function control(id, change) {
  byId(id).addEventListener("input", (event) => {
    change(event.target);
    showMaps();
    showBlocks();
  });
}
control("opacity", (input) => { state.opacity = input.value / 100; });
control("tolerance", (input) => { state.tolerance = tolerances[input.value]; });
control("limit", (input) => { state.limit = scene.largest * input.value / 100; });
control("hide", (input) => { state.hide = input.checked; });
control("zoom", () => {
  state.view = chosenView();
  const [row, column] = placeOf(state.cursor, scene);
  if (cellOf(row, column, scene, state.view) === null) state.cursor = scene.strongest;
});
byId("unpin").addEventListener("click", unpin);

if (typeof DecompressionStream === "undefined") {
  byId("problem").hidden = false;
  byId("problem").textContent = "This browser is too old to show the maps; the table has their numbers.";
} else {
  document.querySelector("main").hidden = false;
  if (sources.length > 1) {
    if (sources.length > 8) byId("scenes").className = "many";
    byId("scenes").replaceChildren(...Array.from(sources, (source, i) => {
      const { name, input } = source.dataset;
      const button = element("button", { type: "button", value: i },
        element("img", { src: inputs[input].small, alt: "" }), element("span", {}, name));
      button.addEventListener("click", () => show(i));
      return button;
    }));
  }
  show(0);
}
