// Elements, numbers and small pictures. Text from the maps goes in as text, never as HTML.
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

const element = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

const drawn = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const byId = (id) => document.getElementById(id);

function number(value, scene, sign = "exceptZero") {
  if (Number.isNaN(value)) return "unknown";
  if (!Number.isFinite(value)) return value > 0 ? "+\u221e" : "\u2212\u221e";
  const digits = { minimumFractionDigits: scene.digits, maximumFractionDigits: scene.digits };
  return value.toLocaleString("en", { ...digits, signDisplay: sign, useGrouping: false })
    .replace("-", "\u2212");
}

const withUnit = (text, scene) => (scene.unit ? `${text} ${scene.unit}` : text);

const placeOf = (cell, scene) => [Math.floor(cell / scene.columns), cell % scene.columns];

// The block at a place, null where the view or the grid has none.
function cellOf(row, column, scene, { top, left, high, wide }) {
  const inside = row >= top && column >= left && row < top + high && column < left + wide;
  return inside && row < scene.rows && column < scene.columns ? row * scene.columns + column : null;
}

// A canvas of RGB bytes, one pixel to a pixel.
function pixelsOf(bytes, height, width) {
  const canvas = element("canvas", { height, width });
  const pixels = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    pixels.data.set(bytes.subarray(3 * i, 3 * i + 3), 4 * i);
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

// The same as a picture with a name; the style enlarges it.
const picture = (bytes, height, width, label) =>
  fill(pixelsOf(bytes, height, width), { role: "img", "aria-label": label }, []);

// The part of the input that a block covers.
function blockPicture(scene, cell, label) {
  const [row, column] = placeOf(cell, scene);
  const height = Math.min(scene.block, scene.height - row * scene.block);
  const width = Math.min(scene.block, scene.width - column * scene.block);
  const canvas = element("canvas", { height, width, role: "img", "aria-label": label });
  const context = canvas.getContext("2d");
  context.translate(-column * scene.block, -row * scene.block);
  drawInput(context, scene, 1);
  return canvas;
}

// The input where a pixel of it is so many pixels of the canvas, its part that is known better over it.
function drawInput(context, scene, pixel) {
  context.imageSmoothingEnabled = scene.width * pixel < scene.image.naturalWidth;
  context.drawImage(scene.image, 0, 0, scene.width * pixel, scene.height * pixel);
  if (!scene.detail) return;
  const { image, top, left, height, width } = scene.detail;
  context.imageSmoothingEnabled = width * pixel < image.naturalWidth;
  context.drawImage(image, left * pixel, top * pixel, width * pixel, height * pixel);
}
