// The page of a report: its scenes, one of them shown.
const sources = Array.from(document.querySelectorAll("script.scene"));
const wholes = Array.from(document.querySelectorAll("script.picture"),
  (source) => JSON.parse(source.textContent));
const read = new Map(), images = new Map();
let asked = 0;
let waiting = 0;

// Browsers take few changes of the address in a second.
function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(writeAddress, 300);
}

// Whole images are shared by scenes, and kept.
function loaded(address) {
  if (!images.has(address)) images.set(address, imageAt(address));
  return images.get(address);
}

function readSource({ textContent, dataset }) {
  const values = JSON.parse(textContent);
  const address = (number) => wholes[number]?.picture ?? null;
  values.cleanPicture = address(values.cleanPicture);
  for (const map of values.maps) map.restoredPicture = address(map.restoredPicture);
  return readScene(values, address(dataset.input), loaded);
}

let mark = () => {};

async function show(index, told = null) {
  asked = index;
  if (!read.has(index)) read.set(index, readSource(sources[index]));
  const next = await read.get(index);
  await addInside(next, document.querySelector(`script.inside[data-scene="${index}"]`));
  if (asked !== index) return; // another scene was chosen meanwhile
  shownScene = index;
  display(next);
  mark(index);
  if (told) followAddress(told);
  changed = soon;
}

if (typeof DecompressionStream === "undefined") {
  byId("problem").hidden = false;
  byId("problem").textContent = "This browser is too old to show the maps; the table has their numbers.";
} else {
  document.querySelector("main").hidden = false;
  mark = chooser(sources, wholes, show);
  const told = readAddress();
  const first = Number(told.get("scene"));
  show(first in sources ? first : 0, told);
  window.addEventListener("hashchange", () => {
    const now = readAddress();
    const index = Number(now.get("scene"));
    if (index in sources) show(index, now);
  });
}
