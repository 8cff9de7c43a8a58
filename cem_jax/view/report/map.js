// A network's map over its input, with the region, the cursor, the pins and the counts.
function mapView(scene, map, state, onMove, onPin) {
  const canvas = element("canvas", {});
  const cursor = element("div", { class: "mark cursor" });
  const pins = ["A", "B"].map((name) => element("div", { class: "mark pin" }, element("b", {}, name)));
  const field = element("div", {
    class: "field", tabindex: 0, role: "application", "aria-roledescription": "map",
    "aria-label": `Map of ${map.name}; arrow keys move, Enter pins`,
  }, canvas, cursor, ...pins);
  const readout = element("p", { class: "readout" });
  const tally = element("p", { class: "tally" });
  const bar = element("div", { class: "bar", "aria-hidden": "true" });
  const baseline = withUnit(number(map.baseline, scene, "auto"), scene);
  const told = map.difference
    ? `colours end at \u00b1${withUnit(number(map.largest, scene, "never"), scene)}`
    : `${baseline} on the region`;
  const panel = element("article", { class: "panel" },
    element("h3", {}, map.name), element("p", { class: "baseline" }, told),
    field, readout, bar, tally,
    element("p", { class: "save" },
      button("Save picture", () => savePicture(scene, map, state, canvas, [told, tally.textContent])),
      button("Save numbers", () => saveNumbers(scene, map))));

  const cellAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const { top, left, wide } = state.view, step = box.width / wide;
    const row = Math.floor(top + (event.clientY - box.top) / step);
    return cellOf(row, Math.floor(left + (event.clientX - box.left) / step), scene, state.view);
  };
  field.addEventListener("pointerenter", () => {
    if (document.activeElement.matches("input")) document.activeElement.blur(); // keys are ours now
  });
  field.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") onMove(cellAt(event));
  });
  field.addEventListener("click", (event) => onPin(cellAt(event)));

  const put = (mark, cell) => {
    mark.hidden = cell === undefined;
    if (mark.hidden) return;
    const [row, column] = placeOf(cell, scene);
    const { top, left, high, wide } = state.view;
    const share = (part, all) => `${100 * part / all}%`;
    Object.assign(mark.style, {
      left: share(column - left, wide), top: share(row - top, high),
      width: share(1, wide), height: share(1, high),
    });
  };

  return {
    panel, field,
    // After the picture has changed: opacity, tolerance, limit, size.
    paint() {
      paintMap(canvas, scene, map, state);
      const counts = countSigns(map, state.tolerance);
      const signs = ["positive", "zero", "negative"];
      bar.replaceChildren(...signs.map((sign) => {
        const part = element("span", { class: sign });
        part.style.flexGrow = counts[sign];
        if (counts[sign]) part.style.minWidth = "3px"; // a sliver is seen
        return part;
      }));
      const count = (sign, word) =>
        [element("b", { class: sign, "data-count": sign }, String(counts[sign])), ` ${word}`];
      const words = map.difference
        ? ["more in the first, ", "more in the second, ", "alike"] : ["help, ", "harm, ", "neither"];
      tally.replaceChildren(...count("positive", words[0]), ...count("negative", words[1]),
        ...count("zero", words[2]), "; ", ...count("uncertain", "of uncertain sign"));
    },
    // After the cursor or a pin has moved.
    point() {
      put(cursor, state.cursor);
      pins.forEach((pin, i) => put(pin, state.pins[i]));
      const effect = map.effect[state.cursor];
      const inside = scene.inside[state.cursor] ? "inside the region" : "not known";
      readout.textContent = Number.isNaN(effect)
        ? inside : withUnit(number(effect, scene), scene);
    },
  };
}

function paintMap(canvas, scene, map, state) {
  const width = Math.max(Math.round(canvas.clientWidth * window.devicePixelRatio), 1);
  const { view } = state;
  const step = width / view.wide;
  canvas.width = width;
  canvas.height = Math.round(step * view.high);
  const context = canvas.getContext("2d");
  context.translate(-view.left * step, -view.top * step);
  const pixel = step / (scene.block * scene.scale);
  drawInput(context, scene, step / scene.block);
  if (state.image !== "input") drawOther(context, scene, map, state.image, pixel);

  const colours = new ImageData(scene.columns, scene.rows);
  const hatched = [];
  for (let cell = 0; cell < scene.size; cell++) {
    const sign = signOf(map, cell, state.tolerance);
    if (sign === "inside") continue;
    const uncertain = sign !== "zero" && signIsUncertain(map, cell);
    if (uncertain && state.hide) continue;
    if (uncertain) hatched.push(cell);
    const limit = map.difference ? map.largest * state.limit / scene.largest : state.limit;
    const share = sign === "zero" ? 0 : map.effect[cell] / limit;
    colours.data.set([...colourOf(share), 255], 4 * cell);
  }
  const small = element("canvas", { width: scene.columns, height: scene.rows });
  small.getContext("2d").putImageData(colours, 0, 0);
  context.imageSmoothingEnabled = false;
  context.globalAlpha = state.opacity;
  context.drawImage(small, 0, 0, scene.columns * step, scene.rows * step);
  hatch(context, scene, hatched, step);
  context.globalAlpha = 1;

  const { x, y, width: wide, height: high } = scene.roi;
  const line = Math.max(window.devicePixelRatio, 1);
  for (const [colour, thick] of [["#10281a", 4 * line], ["#35e07a", 2 * line]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(x * pixel, y * pixel, wide * pixel, high * pixel);
  }
}

// The restored or the true image in place of the input: all of it where the page has it, else the
// region alone.
function drawOther(context, scene, map, name, pixel) {
  const restored = name === "restored";
  const whole = restored ? map.restoredImage : scene.cleanImage;
  const region = restored ? map.behind?.image : scene.cleanRegion;
  const { x, y, width, height } = scene.roi;
  if (whole) {
    const { scale } = scene;
    context.imageSmoothingEnabled = scene.width * scale * pixel < whole.naturalWidth;
    context.drawImage(whole, 0, 0, scene.width * scale * pixel, scene.height * scale * pixel);
  }
  if (region) {
    context.imageSmoothingEnabled = false;
    context.drawImage(region, x * pixel, y * pixel, width * pixel, height * pixel);
  }
}

function hatch(context, scene, cells, step) {
  context.strokeStyle = "#00000099";
  context.lineWidth = Math.max(step / 12, 1);
  context.beginPath();
  for (const cell of cells) {
    const [row, column] = placeOf(cell, scene);
    const left = column * step, top = row * step;
    for (const share of [0.5, 1]) {
      context.moveTo(left, top + share * step);
      context.lineTo(left + share * step, top);
    }
    context.moveTo(left + step / 2, top + step);
    context.lineTo(left + step, top + step / 2);
  }
  context.stroke();
}

// The scale of colours, in the outcome's unit, and what the other signs mean.
function legend(scene, state) {
  const share = (i) => colourOf(i / 10).join(" ");
  const stops = Array.from({ length: 21 }, (_, i) => `rgb(${share(i - 10)}) ${5 * i}%`);
  const ramp = element("div", { class: "ramp" });
  ramp.style.backgroundImage = `linear-gradient(to right, ${stops.join(",")})`;
  const cut = Math.min(state.tolerance / state.limit, 1);
  const band = element("div", { class: "band", title: "below the tolerance" });
  Object.assign(band.style, { left: `${50 - 50 * cut}%`, width: `${100 * cut}%` });
  ramp.append(band);
  const ticks = [-1, -0.5, 0, 0.5, 1].map((at) =>
    element("span", {}, at === 0 ? withUnit("0", scene) : number(at * state.limit, scene)));
  const key = (kind, text) => element("span", { class: "key" }, element("i", { class: kind }), text);
  return [
    element("div", { class: "scale" },
      element("span", { class: "side" }, "harms"),
      element("div", { class: "axis" }, ramp, element("div", { class: "ticks" }, ...ticks)),
      element("span", { class: "side" }, "helps")),
    element("div", { class: "keys" },
      key("region", "region"), key("white", "below the tolerance, or out of reach"),
      key("hatched", "sign uncertain: the 95 % interval holds 0")),
  ];
}
