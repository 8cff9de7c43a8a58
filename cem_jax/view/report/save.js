// Pictures and numbers as files, made on this page alone.
const button = (text, act, attributes = {}) => {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
};

function save(name, blob) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

const fileName = (map, what) => `${map.name.replace(/[^\w.-]+/g, "-").slice(0, 60) || "map"}-${what}`;

const table = (rows) => new Blob([rows.map((row) => row.join(",")).join("\n"), "\n"], { type: "text/csv" });

function saveNumbers(scene, map) {
  const rows = [["row", "column", "effect", "low", "high", "standard_error", "sign_probability", "samples"]];
  for (let cell = 0; cell < scene.size; cell++) {
    const numbers = [map.effect, map.low, map.high, map.error, map.signProbability, map.samples];
    rows.push([...placeOf(cell, scene), ...numbers.map((one) => one[cell])]);
  }
  save(fileName(map, "map.csv"), table(rows));
}

function saveDraws(scene, map, cell) {
  const changes = changesOf(map, cell).map((change, i) => [i, map.baseline - change, change]);
  save(fileName(map, `block-${placeOf(cell, scene).join("-")}.csv`),
    table([["draw", "outcome", "fall"], ...changes]));
}

// The map as it is shown, with its name, its outcome, its counts, and what its colours and signs mean.
function savePicture(scene, map, state, canvas, [outcome, counts]) {
  const line = 22, edge = 16, ramp = 14, width = Math.max(canvas.width, 480);
  const made = element("canvas", { width: width + 2 * edge, height: canvas.height + 11 * line });
  const context = made.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, made.width, made.height);
  const write = (text, x, y, align = "left", font = "14px sans-serif") => {
    Object.assign(context, { fillStyle: "#1d2329", font, textAlign: align });
    context.fillText(text, x, y, width);
  };
  write(map.name, edge, line, "left", "bold 16px sans-serif");
  write(scene.name, edge, 2 * line);
  write(outcome, edge, 3 * line);
  context.drawImage(canvas, edge, 3.6 * line);
  let y = canvas.height + 4.2 * line;
  for (let x = 0; x < width; x++) {
    context.fillStyle = `rgb(${colourOf(2 * x / (width - 1) - 1).join(" ")})`;
    context.fillRect(edge + x, y, 1, ramp);
  }
  y += ramp + line - 4;
  const limit = map.difference ? map.largest * state.limit / scene.largest : state.limit;
  write(withUnit(number(-limit, scene), scene), edge, y);
  write("0", edge + width / 2, y, "center");
  write(withUnit(number(limit, scene), scene), edge + width, y, "right");
  write(map.difference ? "more in the second" : "harms", edge, y + line);
  write(map.difference ? "more in the first" : "helps", edge + width, y + line, "right");
  write(counts, edge, y + 2 * line);
  const tolerance = withUnit(String(state.tolerance), scene);
  const unsure = state.hide ? "left out" : "hatched";
  write(`green: the region; white: below ${tolerance}, or out of reach`, edge, y + 3 * line);
  write(`${unsure}: sign uncertain, the 95 % interval holds 0`, edge, y + 4 * line);
  made.toBlob((blob) => save(fileName(map, "map.png"), blob));
}

// A card of the page as a picture: its elements, with canvases as images, in an SVG that is drawn.
async function saveCard(scene, map, card) {
  const copy = card.cloneNode(true);
  const canvases = card.querySelectorAll("canvas");
  copy.querySelectorAll("canvas").forEach((canvas, i) => {
    const image = element("img", { src: canvases[i].toDataURL() });
    canvas.replaceWith(image);
  });
  copy.querySelectorAll(".save").forEach((part) => part.remove());
  const { width, height } = card.getBoundingClientRect();
  const style = document.querySelector("style").textContent;
  const body = element("body", { xmlns: "http://www.w3.org/1999/xhtml", class: "alone" },
    element("style", {}, style), element("main", { class: "networks-1" }, copy));
  copy.style.width = `${width}px`;
  const holder = drawn("svg", { xmlns: "http://www.w3.org/2000/svg", width, height },
    drawn("foreignObject", { width: "100%", height: "100%" }, body));
  const text = new XMLSerializer().serializeToString(holder);
  const image = await imageAt(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`);
  const made = element("canvas", { width: 2 * width, height: 2 * height });
  const context = made.getContext("2d");
  context.fillStyle = getComputedStyle(card).backgroundColor;
  context.fillRect(0, 0, made.width, made.height);
  context.drawImage(image, 0, 0, made.width, made.height);
  made.toBlob((blob) => save(fileName(map, "card.png"), blob));
}
