// Arrays that pack.py wrote: base64 of compressed little-endian bytes.
const TYPES = {
  uint8: Uint8Array, int16: Int16Array, int32: Int32Array, float32: Float32Array,
};

async function unpackArray({ dtype, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new TYPES[dtype](await new Response(stream).arrayBuffer());
}

async function unpack(value) {
  if (value === null || typeof value !== "object") return value;
  if ("dtype" in value) return unpackArray(value);
  if (Array.isArray(value)) return Promise.all(value.map(unpack));
  const entries = Object.entries(value).map(async ([key, part]) => [key, await unpack(part)]);
  return Object.fromEntries(await Promise.all(entries));
}

const running = (counts) => {
  const starts = new Int32Array(counts.length + 1);
  counts.forEach((count, i) => { starts[i + 1] = starts[i] + count; });
  return starts;
};

async function imageAt(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

// A scene with its arrays, its input as an image, and what many parts of the page ask for.
async function readScene(values, address, load = imageAt) {
  const scene = await unpack(values);
  scene.image = await load(address);
  if (scene.detail) scene.detail.image = await imageAt(scene.detail.picture);
  if (scene.cleanPicture) scene.cleanImage = await load(scene.cleanPicture);
  scene.size = scene.rows * scene.columns;
  let largest = 0, strongest = 0;
  for (const map of scene.maps) {
    map.starts = running(map.drawn);
    map.inside = scene.inside;
    if (map.restoredPicture) map.restoredImage = await load(map.restoredPicture);
    if (map.behind) {
      map.behind.place = new Map(Array.from(map.behind.cells, (cell, i) => [cell, i]));
      map.behind.image = pixelsOf(map.behind.restored, scene.roi.height, scene.roi.width);
    }
    let own = 0;
    map.effect.forEach((effect, cell) => {
      own = Math.max(own, Math.abs(effect) || 0);
      if (map.difference || !(Math.abs(effect) > largest)) return;
      [largest, strongest] = [Math.abs(effect), cell];
    });
    map.largest = Math.max(own, map.tolerance) || 1;
  }
  if (scene.clean) scene.cleanRegion = pixelsOf(scene.clean, scene.roi.height, scene.roi.width);
  scene.strongest = strongest;
  scene.largest = Math.max(largest, ...scene.maps.map((map) => map.tolerance)) || 1;
  const whole = { top: 0, left: 0, high: scene.height / scene.block, wide: scene.width / scene.block };
  scene.views = { whole, near: scene.near };
  scene.fewMatter = scene.near.high * scene.near.wide < 0.5 * whole.high * whole.wide;
  return scene;
}

// How far the outcome fell with each draw of a block.
function changesOf(map, cell) {
  const shares = map.changes.subarray(map.starts[cell], map.starts[cell + 1]);
  return Array.from(shares, (share) => share * map.changeUnit[cell]);
}
