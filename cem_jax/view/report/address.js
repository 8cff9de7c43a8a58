// What is looked at, as the part of the address behind #, so that it can be sent.
const place = (cell) => placeOf(cell, scene).join(".");

function writeAddress() {
  const told = {
    scene: shownScene, block: place(state.cursor), pins: state.pins.map(place).join("_"),
    tolerance: state.tolerance, colours: byId("limit").value, opacity: byId("opacity").value,
    image: state.image, zoom: Number(byId("zoom").checked), hide: Number(state.hide),
  };
  try {
    history.replaceState(null, "", `#${new URLSearchParams(told)}`);
  } catch { /* a page in a frame has no address of its own */ }
}

const readAddress = () => new URLSearchParams(location.hash.slice(1));

// Puts what an address tells into a scene that is shown; what does not fit is left as it is.
function followAddress(told) {
  const cell = (text) => {
    const [row, column] = (text ?? "").split(".").map(Number);
    return cellOf(row, column, scene, scene.views.whole);
  };
  const set = (id, name) => {
    if (told.has(name) && Number.isFinite(Number(told.get(name)))) byId(id).value = told.get(name);
  };
  set("limit", "colours");
  set("opacity", "opacity");
  if (told.has("zoom")) byId("zoom").checked = told.get("zoom") === "1";
  byId("hide").checked = told.get("hide") === "1";
  const tolerance = tolerances.indexOf(Number(told.get("tolerance") ?? NaN));
  if (tolerance >= 0) byId("tolerance").value = tolerance;
  if (IMAGES.includes(told.get("image"))) byId(`image-${told.get("image")}`).checked = true;
  readControls();
  state.pins = (told.get("pins") ?? "").split("_").map(cell).filter((one) => one !== null).slice(0, 2);
  const cursor = cell(told.get("block"));
  if (cursor !== null && cellOf(...placeOf(cursor, scene), scene, state.view) !== null) {
    state.cursor = cursor;
  }
}
