// The page that makes maps: a region is dragged, and its map firms up.
const choices = JSON.parse(byId("choices").textContent);
const tab = crypto.randomUUID();
const GRID = 8, SMALLEST = 16;
let photo = null, region = null, current = null, made = null, pinned = [];
let whole = {}; // addresses of whole images: the input, the clean one
const images = new Map(), restored = new Map(); // decoded: by address, and by the map's number

const tell = (text) => { byId("status").textContent = text; };

function tellProblem(text) {
  byId("problem").hidden = !text;
  byId("problem").textContent = text;
}

function offer(id, options) {
  byId(id).replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
}

function offerNetworks() {
  const task = byId("task").value, before = byId("network").value;
  const fitting = choices.networks.filter(({ tasks }) => !tasks.length || tasks.includes(task));
  const shown = fitting.length ? fitting : choices.networks;
  offer("network", shown.map(({ label }) => [label, label]));
  if (shown.some(({ label }) => label === before)) byId("network").value = before;
  byId("noise").hidden = task !== "DN";
}

async function answer(response) {
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

// Draws a photograph, as large as there is room for.
async function showPhoto(found) {
  halt();
  [photo, region, made, pinned] = [found, null, null, []];
  restored.clear();
  const image = await imageAt(found.picture);
  const canvas = byId("photo").querySelector("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  const share = found.width / found.height;
  byId("photo").style.width = `${Math.min(544, Math.round(340 * share))}px`;
  byId("region").hidden = true;
  document.querySelector("main").hidden = true;
  showActs();
  tellProblem("");
  prepare();
}

const attempt = (act) => async (...given) => {
  try {
    await act(...given);
  } catch (error) {
    if (error.name !== "AbortError") tellProblem(error.message || "the program does not answer");
  }
};

// Loads and traces a network when it is chosen, so that the first map comes sooner.
const prepare = attempt(async () => {
  if (!photo || region) return;
  const size = `${photo.name}, ${photo.height} \u00d7 ${photo.width} pixels.`;
  const middle = { y: photo.height / 2, x: photo.width / 2 };
  const asked = question(regionOf(middle, { y: middle.y + 24, x: middle.x + 24 }));
  tell(`${size} Drag a region; ${asked.network} is being loaded.`);
  const { ready } = await answer(await fetch("prepare", { method: "POST", body: JSON.stringify(asked) }));
  const same = asked.network === byId("network").value && asked.photograph === photo.number;
  if (!region && same) tell(`${size} Drag a region${ready ? `; ${asked.network} is ready` : ""}.`);
});

// What is asked of the program for a region.
function question({ y, x, height, width }) {
  return {
    tab, photograph: photo.number, task: byId("task").value, network: byId("network").value,
    roi: [y, x, height, width], plan: "adaptive", sigma: Number(byId("sigma").value),
    seed: Number(byId("seed").value), pinned,
  };
}

const choosePhoto = attempt(async () => {
  await showPhoto(await answer(await fetch(`photograph?number=${byId("photograph").value}`)));
});

const sendPhoto = attempt(async (file) => {
  if (file.size > choices.largest) throw new Error(`${file.size} bytes: expected ${choices.largest} at most`);
  tell("reading the photograph");
  const headers = { "X-Name": encodeURIComponent(file.name) };
  const found = await answer(await fetch("photograph", { method: "POST", body: file, headers }));
  choices.photographs.push(found);
  offer("photograph", choices.photographs.map(({ number, name }) => [number, name]));
  byId("photograph").value = found.number;
  await showPhoto(found);
});

// A region by two corners, on the grid of blocks and within the photograph.
function regionOf(one, other) {
  const side = (first, second, most) => {
    const low = Math.floor(Math.min(first, second) / GRID) * GRID;
    const high = Math.ceil(Math.max(first, second) / GRID) * GRID;
    const last = Math.floor(most / GRID) * GRID;
    const start = Math.max(Math.min(low, last - SMALLEST), 0);
    return [start, Math.max(Math.min(high, last) - start, Math.min(SMALLEST, last))];
  };
  const [x, width] = side(one.x, other.x, photo.width), [y, height] = side(one.y, other.y, photo.height);
  return { y, x, height, width };
}

function markRegion() {
  const share = (part, all) => `${100 * part / all}%`;
  byId("region").hidden = false;
  Object.assign(byId("region").style, {
    left: share(region.x, photo.width), top: share(region.y, photo.height),
    width: share(region.width, photo.width), height: share(region.height, photo.height),
  });
}

let corner = null;
const pointAt = (event) => {
  const box = byId("photo").getBoundingClientRect();
  const clamp = (share) => Math.min(Math.max(share, 0), 1);
  return {
    x: clamp((event.clientX - box.left) / box.width) * photo.width,
    y: clamp((event.clientY - box.top) / box.height) * photo.height,
  };
};
byId("photo").addEventListener("pointerdown", (event) => {
  if (!photo || event.button !== 0) return;
  byId("photo").setPointerCapture(event.pointerId);
  corner = pointAt(event);
});
byId("photo").addEventListener("pointermove", (event) => {
  if (!corner) return;
  region = regionOf(corner, pointAt(event));
  markRegion();
  tell(`region ${region.height} \u00d7 ${region.width} at y ${region.y}, x ${region.x}`);
});
byId("photo").addEventListener("pointerup", (event) => {
  if (!corner) return;
  region = regionOf(corner, pointAt(event));
  corner = null;
  markRegion();
  sweep();
});

function halt() {
  current?.abort();
  current = null;
}

function showActs() {
  const finished = made !== null && !current;
  byId("stop").hidden = !current;
  for (const id of ["pin", "save-map", "save-picture", "again"]) byId(id).hidden = !finished;
  byId("pin").hidden = !finished || pinned.includes(made.number);
  byId("clear").hidden = !pinned.length;
  if (!finished) return;
  byId("save-map").href = `map.npz?number=${made.number}`;
  byId("save-picture").href = `map.png?number=${made.number}`;
  byId("command").textContent = made.command;
}

// The lines of a response, as they come.
async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

const sweep = attempt(async () => {
  if (!region) return prepare();
  halt();
  const control = current = new AbortController();
  made = null;
  tellProblem("");
  showActs();
  try {
    const options = { method: "POST", body: JSON.stringify(question(region)), signal: control.signal };
    const response = await fetch("sweep", options);
    if (!response.ok) throw new Error(await response.text());
    let begun = false;
    for await (const line of linesOf(response)) {
      if (current !== control) return;
      if (line.problem) throw new Error(line.problem);
      tell(line.told);
      if (line.input) whole = { input: line.input, clean: line.clean };
      if (line.scene) {
        await showScene(line.scene, begun, line.done);
        begun = true;
      }
      if (line.done !== undefined) made = { number: line.done, command: line.command };
      if (line.restored) await addRestored(line.restored, made.number);
    }
  } finally {
    if (current === control) current = null;
    showActs();
  }
});

// Whole images stay decoded while their scene does.
function loaded(address) {
  if (!images.has(address)) images.set(address, imageAt(address));
  return images.get(address);
}

async function showScene(values, same) {
  if (!images.has(whole.input)) images.clear();
  values.cleanPicture = whole.clean;
  const next = await readScene(values, whole.input, loaded);
  for (const map of next.maps) map.restoredImage = restored.get(map.number);
  document.querySelector("main").hidden = false;
  display(next, same);
}

async function addRestored(address, number) {
  const image = await imageAt(address);
  restored.set(number, image);
  if (!scene || made?.number !== number) return;
  scene.maps.findLast((map) => !map.difference).restoredImage = image;
  showImageChoice();
  showMaps();
}

byId("photograph").addEventListener("change", choosePhoto);
byId("file").addEventListener("change", (event) => {
  if (event.target.files[0]) sendPhoto(event.target.files[0]);
});
byId("task").addEventListener("change", () => { offerNetworks(); pinned = []; sweep(); });
byId("network").addEventListener("change", sweep);
for (const id of ["sigma", "seed"]) {
  byId(id).addEventListener("change", () => { pinned = []; sweep(); });
}
byId("stop").addEventListener("click", () => { halt(); tell("stopped"); showActs(); });
byId("pin").addEventListener("click", () => {
  pinned.push(made.number);
  showActs();
  tell("kept: choose another network to compare it on the same region");
});
byId("clear").addEventListener("click", () => { pinned = []; showActs(); });

offer("photograph", choices.photographs.map(({ number, name }) => [number, name]));
offer("task", choices.tasks.map((name) => [name, name]));
const first = choices.networks[0];
byId("task").value = first.tasks[0] ?? "DN";
offerNetworks();
byId("network").value = first.label;
choosePhoto();
